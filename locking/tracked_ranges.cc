#include "locking/tracked_ranges.h"

#include "base/fence.h"

namespace isolith::locking {
namespace {

constexpr std::uint32_t kDropAgain = 16;  // segments more than after the last time

}  // namespace

void TrackedRanges::note_use() noexcept {
  const Segment& first = map_.at({});
  const bool is_used = map_.segments() > 1 || !first.readers.empty() || first.ts != 0;
  if (is_used != is_used_.load(std::memory_order_relaxed)) is_used_.store(is_used, std::memory_order_seq_cst);
}

void TrackedRanges::take_out(Segment& segment, const Tracked& reader) {
  const auto at = std::find(segment.readers.begin(), segment.readers.end(), &reader);
  if (at != segment.readers.end()) segment.readers.erase(at);
}

void TrackedRanges::enter(Tracked& reader, std::string_view lo, std::optional<std::string_view> hi) {
  {
    const std::lock_guard lock(latch_);
    map_.change(lo, hi, [&reader](Segment& segment) {
      const auto at = std::lower_bound(segment.readers.begin(), segment.readers.end(), &reader);
      if (at == segment.readers.end() || *at != &reader) segment.readers.insert(at, &reader);
    });
    note_use();
  }
  base::full_fence();
}

void TrackedRanges::give_up(Tracked& reader, std::string_view lo, std::optional<std::string_view> hi) {
  const std::lock_guard lock(latch_);
  map_.change(lo, hi, [&reader](Segment& segment) { take_out(segment, reader); });
  note_use();
}

std::int64_t TrackedRanges::leave(Tracked* reader, std::string_view lo, std::optional<std::string_view> hi,
                                  std::uint64_t ts, std::uint64_t oldest) {
  const std::lock_guard lock(latch_);
  const auto before = static_cast<std::int64_t>(map_.segments());
  map_.change(lo, hi, [&](Segment& segment) {
    segment.ts = std::max(segment.ts, ts);
    if (reader != nullptr) take_out(segment, *reader);
  });
  if (map_.segments() > dropped_at_ + kDropAgain) {
    map_.change_all([oldest](Segment& segment) { segment.ts = segment.ts <= oldest ? 0 : segment.ts; });
    dropped_at_ = static_cast<std::uint32_t>(map_.segments());
  }
  note_use();
  return static_cast<std::int64_t>(map_.segments()) - before;
}

std::int64_t TrackedRanges::drop(std::uint64_t oldest) {
  const std::lock_guard lock(latch_);
  const auto before = static_cast<std::int64_t>(map_.segments());
  map_.change_all([oldest](Segment& segment) { segment.ts = segment.ts <= oldest ? 0 : segment.ts; });
  dropped_at_ = static_cast<std::uint32_t>(map_.segments());
  note_use();
  return static_cast<std::int64_t>(map_.segments()) - before;
}

}  // namespace isolith::locking
