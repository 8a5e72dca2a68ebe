#include "locking/tracked_ranges.h"

#include <memory>

#include "base/fence.h"

namespace isolith::locking {
namespace {

constexpr std::uint32_t kDropAgain = 16;  // segments more than after the last time

}  // namespace

template <typename Change>
TrackedRanges::Growth TrackedRanges::grow(const Change& change) {
  const std::lock_guard lock(latch_);
  const std::size_t segments = map_.segments();
  const std::size_t heap_bytes = map_.heap_bytes();
  change();
  const Segment& first = map_.at({});
  const bool is_used = map_.segments() > 1 || !first.readers.empty() || first.ts != 0;
  if (is_used != is_used_.load(std::memory_order_relaxed)) is_used_.store(is_used, std::memory_order_seq_cst);
  const auto more = static_cast<std::int64_t>(map_.segments() - segments);
  return {more, more * kSegmentBytes + static_cast<std::int64_t>(map_.heap_bytes() - heap_bytes)};
}

void TrackedRanges::take_out(Segment& segment, const Tracked& reader) {
  const auto at = std::find(segment.readers.begin(), segment.readers.end(), &reader);
  if (at != segment.readers.end()) segment.readers.erase(at);
  if (segment.readers.empty() && segment.heap_bytes() != 0) {
    std::destroy_at(&segment.readers);
    std::construct_at(&segment.readers);
  }
}

TrackedRanges::Growth TrackedRanges::enter(Tracked& reader, std::string_view lo,
                                           std::optional<std::string_view> hi) {
  const Growth growth = grow([&] {
    map_.change(lo, hi, [&reader](Segment& segment) {
      const auto at = std::lower_bound(segment.readers.begin(), segment.readers.end(), &reader);
      if (at == segment.readers.end() || *at != &reader) segment.readers.insert(at, &reader);
    });
  });
  base::full_fence();
  return growth;
}

TrackedRanges::Growth TrackedRanges::give_up(Tracked& reader, std::string_view lo,
                                             std::optional<std::string_view> hi) {
  return grow([&] { map_.change(lo, hi, [&reader](Segment& segment) { take_out(segment, reader); }); });
}

TrackedRanges::Growth TrackedRanges::leave(Tracked* reader, std::string_view lo,
                                           std::optional<std::string_view> hi, std::uint64_t ts,
                                           std::uint64_t oldest) {
  return grow([&] {
    map_.change(lo, hi, [&](Segment& segment) {
      segment.ts = std::max(segment.ts, ts);
      if (reader != nullptr) take_out(segment, *reader);
    });
    if (map_.segments() > dropped_at_ + kDropAgain) drop_over(oldest);
  });
}

TrackedRanges::Growth TrackedRanges::drop(std::uint64_t oldest) {
  return grow([&] { drop_over(oldest); });
}

void TrackedRanges::drop_over(std::uint64_t oldest) {
  map_.change_all([oldest](Segment& segment) { segment.ts = segment.ts <= oldest ? 0 : segment.ts; });
  dropped_at_ = static_cast<std::uint32_t>(map_.segments());
}

}  // namespace isolith::locking
