#include "locking/tracked_ranges.h"

#include <algorithm>

#include "base/fence.h"

namespace isolith::locking {
namespace {

constexpr std::size_t kDropAgain = 16;  // segments more than after the last time

}  // namespace

void TrackedRanges::enter(Tracked& reader, std::string_view lo, const std::optional<std::string>& hi) {
  {
    const std::lock_guard lock(latch_);
    active_.add(reader, lo, hi);
    note_use();
  }
  base::full_fence();
}

void TrackedRanges::give_up(Tracked& reader, std::string_view lo, const std::optional<std::string>& hi) {
  const std::lock_guard lock(latch_);
  active_.remove(reader, lo, hi);
  note_use();
}

std::int64_t TrackedRanges::leave(Tracked* reader, std::string_view lo, const std::optional<std::string>& hi,
                                  std::uint64_t ts, std::uint64_t oldest) {
  const std::lock_guard lock(latch_);
  const auto before = static_cast<std::int64_t>(committed_.segments());
  committed_.change(lo, hi, [ts](std::uint64_t& newest) { newest = std::max(newest, ts); });
  if (reader != nullptr) active_.remove(*reader, lo, hi);
  if (committed_.segments() > dropped_at_ + kDropAgain) {
    drop_locked(oldest);
    dropped_at_ = committed_.segments();
  }
  note_use();
  return static_cast<std::int64_t>(committed_.segments()) - before;
}

void TrackedRanges::drop_locked(std::uint64_t oldest) {
  committed_.change_all([oldest](std::uint64_t& ts) {
    if (ts <= oldest) ts = 0;
  });
}

std::int64_t TrackedRanges::drop(std::uint64_t oldest) {
  const std::lock_guard lock(latch_);
  const auto before = static_cast<std::int64_t>(committed_.segments());
  drop_locked(oldest);
  dropped_at_ = committed_.segments();
  note_use();
  return static_cast<std::int64_t>(committed_.segments()) - before;
}

}  // namespace isolith::locking
