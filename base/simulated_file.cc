// SimulatedFile: keeping changes, syncing them, and drawing what a crash leaves of them.
#include "base/simulated_file.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace isolith::base {

namespace {

constexpr std::uint64_t kEndOfFile = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void SimulatedFile::write(std::uint64_t offset, const void* data, std::size_t size) {
  if (size == 0) return;
  cached_.write(offset, data, size);
  if (!tracked_) return;
  changes_.push_back({.is_write = true,
                      .begin = offset,
                      .end = offset + size,
                      .size_after = cached_.size(),
                      .bytes = std::string(static_cast<const char*>(data), size)});
}

void SimulatedFile::note_zeros(std::uint64_t begin, std::uint64_t end) {
  if (tracked_) changes_.push_back({.begin = begin, .end = end, .size_after = cached_.size(), .bytes = {}});
}

void SimulatedFile::resize(std::uint64_t size) {
  const bool is_cut = size < cached_.size();
  cached_.resize(size);
  note_zeros(size, is_cut ? kEndOfFile : size);
}

void SimulatedFile::discard(std::uint64_t offset, std::uint64_t size) {
  if (offset >= cached_.size()) return;
  const std::uint64_t end = offset + std::min(size, cached_.size() - offset);
  cached_.zero(offset, end - offset);
  note_zeros(offset, end);
}

void SimulatedFile::sync() {
  if (!tracked_) return;
  // Failed changes come first: fail_sync marks all there are.
  if (!changes_.empty() && changes_.front().met_failed_sync) return sync_after_failure();
  durable_ = cached_;
  changes_.clear();
}

void SimulatedFile::fail_sync() {
  for (Change& change : changes_) change.met_failed_sync = true;
}

void SimulatedFile::sync_after_failure() {
  std::vector<Change> lost;
  for (Change& change : changes_) {
    if (change.is_write && change.met_failed_sync) {
      lost.push_back(std::move(change));
      continue;
    }
    if (change.is_write) {
      durable_.write(change.begin, change.bytes.data(), change.bytes.size());
    } else {
      durable_.zero(change.begin, change.end - change.begin);
    }
    take_out(lost, change.begin, change.end);
  }
  durable_.resize(cached_.size());
  for (Change& change : lost) change.size_after = cached_.size();
  changes_ = std::move(lost);
}

// Cuts [begin, end) out of every write: what is left of one lies before or after it.
void SimulatedFile::take_out(std::vector<Change>& writes, std::uint64_t begin, std::uint64_t end) {
  std::vector<Change> left;
  for (Change& write : writes) {
    if (write.end <= begin || end <= write.begin) {
      left.push_back(std::move(write));
      continue;
    }
    if (write.begin < begin) {
      Change before = write;
      before.end = begin;
      before.bytes.resize(begin - write.begin);
      left.push_back(std::move(before));
    }
    if (end < write.end) {
      Change after = write;
      after.begin = end;
      after.bytes.erase(0, end - write.begin);
      left.push_back(std::move(after));
    }
  }
  writes = std::move(left);
}

std::vector<SimulatedFile::Touch> SimulatedFile::touches(std::size_t sector_bytes) const {
  std::vector<Touch> touches;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    if (!changes_[i].is_write) continue;
    const std::uint64_t last = (changes_[i].end - 1) / sector_bytes;
    for (std::uint64_t sector = changes_[i].begin / sector_bytes; sector <= last; ++sector)
      touches.push_back({sector, i});
  }
  std::sort(touches.begin(), touches.end());
  return touches;
}

// The sector as it stood in the cache after the last of `writes` (the touches of this sector up to the one
// that reached the platter), less what cuts and discards among the first `kept_first` changes took from it
// later.
std::string SimulatedFile::sector_after(std::span<const Touch> writes, std::size_t sector_bytes,
                                        const std::vector<std::size_t>& zeros, std::size_t kept_first) const {
  const std::uint64_t begin = writes.back().sector * sector_bytes;
  std::string sector(sector_bytes, '\0');
  durable_.read(begin, sector.data(), sector_bytes);
  const auto apply = [&](const Change& change) {
    const std::uint64_t from = std::max(begin, change.begin);
    const std::uint64_t to = std::min(begin + sector_bytes, change.end);
    if (from >= to) return;
    char* place = sector.data() + (from - begin);
    if (change.is_write) {
      change.bytes.copy(place, to - from, from - change.begin);
    } else {
      std::fill_n(place, to - from, '\0');
    }
  };
  auto zero = zeros.begin();
  for (const Touch& write : writes) {
    for (; zero != zeros.end() && *zero < write.change; ++zero) apply(changes_[*zero]);
    apply(changes_[write.change]);
  }
  for (; zero != zeros.end() && *zero < kept_first; ++zero) apply(changes_[*zero]);
  return sector;
}

SparseImage SimulatedFile::after_crash(CrashDraw& draw) const {
  if (!tracked_) return cached_;
  SparseImage image = durable_;
  if (changes_.empty()) return image;

  const std::size_t kept_first = draw.keep_first(changes_.size());
  std::vector<std::size_t> zeros;
  std::vector<bool> kept_whole(changes_.size());
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    kept_whole[i] = draw.keep();
    if (change.is_write) continue;
    zeros.push_back(i);
    if (i < kept_first) image.zero(change.begin, change.end - change.begin);
  }

  const std::size_t sector_bytes = draw.sector_bytes();
  const std::vector<Touch> touched = touches(sector_bytes);
  for (auto first = touched.begin(); first != touched.end();) {
    const auto past =
        std::find_if(first, touched.end(), [&](const Touch& t) { return t.sector != first->sector; });
    // From the newest write back to the one that reached the platter last, if any did.
    auto end = past;
    while (end != first && (draw.whole_writes() ? !kept_whole[(end - 1)->change] : !draw.keep())) --end;
    if (end != first) {
      const std::string bytes = sector_after({first, end}, sector_bytes, zeros, kept_first);
      image.write(first->sector * sector_bytes, bytes.data(), bytes.size());
    }
    first = past;
  }
  image.resize(kept_first == 0 ? durable_.size() : changes_[kept_first - 1].size_after);
  return image;
}

}  // namespace isolith::base
