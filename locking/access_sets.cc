#include "locking/access_sets.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace isolith::locking {
namespace {

constexpr std::size_t kRangesToCompare = 4;
constexpr std::int64_t kUsedShare = 4;  // of shared room: with less in use, it goes

bool has_read(const AccessSets& reader, const AccessSets& writer, const WrittenKey& write) {
  const bool may_be = (reader.read_bits & AccessSets::bit_of(write.hash)) != 0;
  if (may_be && std::binary_search(reader.reads.begin(), reader.reads.end(), write.hash)) return true;
  const std::string_view key = writer.key_of(write);
  return std::any_of(reader.ranges.begin(), reader.ranges.end(), [&](const ReadRange& range) {
    return range.table == write.table && reader.contains(range, key);
  });
}

// A key of the writer's that the reader has read.
std::optional<WayBefore> find_read(const AccessSets& reader, const AccessSets& writer, Dependency kind) {
  if (writer.writes.empty() && !writer.writes_all) return std::nullopt;
  // What it wrote, too, it may have read (README.md, "put off").
  const bool has_read_some = reader.reads_all || !reader.reads.empty() || !reader.ranges.empty() ||
                             reader.writes_all || !reader.writes.empty();
  if (writer.writes_all && has_read_some) return WayBefore{kind, {}, {}};
  if (reader.reads_all && !writer.writes.empty()) {
    return WayBefore{kind, writer.writes.front().table_id, writer.key_of(writer.writes.front())};
  }
  if ((reader.read_bits & writer.write_bits) == 0 && reader.ranges.empty()) return std::nullopt;
  for (const WrittenKey& write : writer.writes) {
    if (has_read(reader, writer, write)) return WayBefore{kind, write.table_id, writer.key_of(write)};
  }
  return std::nullopt;
}

std::optional<WayBefore> find_overwritten(const AccessSets& a, const AccessSets& b) {
  if ((a.write_bits & b.write_bits) == 0) return std::nullopt;
  for (const WrittenKey& write : a.writes) {
    if ((b.write_bits & AccessSets::bit_of(write.hash)) == 0) continue;
    for (const WrittenKey& other : b.writes) {
      if (other.hash == write.hash) return WayBefore{Dependency::ww, write.table_id, a.key_of(write)};
    }
  }
  return std::nullopt;
}

}  // namespace

void AccessSets::clear_rest() noexcept {
  level = kTrackedLevel;
  own_level.clear();
  label.clear();
  has_rest = false;
  const bool is_of_use = bytes_in_use() >= shared_bytes / kUsedShare;
  if (is_refused || shared_bytes != room_to_share() || !is_of_use) drop_room();
}

void AccessSets::drop_room() noexcept {
  (void)std::exchange(reads, {});
  (void)std::exchange(ranges, {});
  (void)std::exchange(writes, {});
  (void)std::exchange(key_bytes, {});
  shared_room.give_back(std::exchange(shared_bytes, 0));
}

void AccessSets::claim_room() noexcept {
  const std::int64_t more = room_to_share() - shared_bytes;
  is_refused = is_large() || (more > 0 && !shared_room.try_claim(more));
  if (is_refused) {
    has_rest = true;
    return;
  }
  if (more < 0) shared_room.give_back(-more);
  shared_bytes += more;
}

// Before there is need of more, what is there twice goes.
void AccessSets::make_room() {
  std::sort(reads.begin(), reads.end());
  reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  if (reads.size() >= reads.capacity() / 2) reads.reserve(std::max<std::size_t>(reads.capacity() * 2, 8));
}

bool has_read_all_of(const AccessSets& a, const AccessSets& b) {
  if (b.reads_all || !b.reads.empty() || b.ranges.size() > kRangesToCompare) return false;
  return std::all_of(b.ranges.begin(), b.ranges.end(), [&](const ReadRange& range) {
    return std::any_of(a.ranges.begin(), a.ranges.end(), [&](const ReadRange& other) {
      return other.table == range.table && a.lo_of(other) <= b.lo_of(range) &&
             (!other.has_hi || (range.has_hi && *a.hi_of(other) >= *b.hi_of(range)));
    });
  });
}

std::optional<WayBefore> comes_before(const AccessSets& a, const AccessSets& b) {
  if (b.commit_ts > a.snapshot) {
    if (auto way = find_read(a, b, Dependency::rw)) return way;
  }
  if (a.commit_ts <= b.snapshot && !base::is_mutant(base::Mutant::reads_from_unseen)) {
    if (auto way = find_read(b, a, Dependency::wr)) return way;
  }
  if (a.commit_ts < b.commit_ts) return find_overwritten(a, b);
  return std::nullopt;
}

}  // namespace isolith::locking
