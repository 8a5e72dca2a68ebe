// ConflictTracker: what tracking may cost, and safe snapshots.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "locking/conflict_tracker.h"

namespace isolith::locking {

using base::is_mutant;
using base::Mutant;

namespace {

constexpr std::uint64_t kWidenShare = 16;  // of the budget: one that has more is widened
constexpr std::uint64_t kFoldShare = 8;    // more than after the last time

}  // namespace

void ConflictTracker::tell_bytes(Tracked& tracked) {
  bytes_.fetch_add(std::exchange(tracked.bytes_untold, 0), std::memory_order_relaxed);
  if (tracked.sets->is_large()) tracked.sets->has_rest = true;
  if (this->bytes() > bytes_max_) save_memory(tracked);
}

void ConflictTracker::save_memory(Tracked& tracked) {
  if (static_cast<std::uint64_t>(std::max<std::int64_t>(tracked.bytes, 0)) > bytes_max_ / kWidenShare) {
    widen(tracked);
  }
  if (bytes() > fold_at_.load(std::memory_order_relaxed)) fold();
}

// The ranges are entered before the marks go, and a writer looks at marks first: one of the two it sees.
void ConflictTracker::widen(Tracked& tracked) {
  AccessSets& sets = *tracked.sets;
  for (const ReadRange& range : sets.ranges) {
    if (std::find(tracked.tables.begin(), tracked.tables.end(), range.table) == tracked.tables.end()) {
      tracked.tables.push_back(range.table);
    }
  }
  if (!sets.is_unmarked) {
    for (TrackedRanges* const table : tracked.tables) {
      note_table(*table);
      table->enter(tracked, {}, std::nullopt);
    }
    for (const std::uint64_t hash : sets.reads) keys_->give_up(tracked, hash);
  }
  (void)std::exchange(sets.reads, {});  // with its room
  sets.read_bits = 0;
  sets.ranges.clear();
  if (sets.writes.empty()) (void)std::exchange(sets.key_bytes, {});
  for (TrackedRanges* const table : tracked.tables) sets.add_range(*table, {}, std::nullopt);
  const auto bytes = static_cast<std::int64_t>(sets.ranges.size() * TrackedRanges::kSegmentBytes);
  tracked.bytes_untold += bytes - std::exchange(tracked.bytes, bytes);
  tracked.is_widened = true;
  widened_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(std::exchange(tracked.bytes_untold, 0), std::memory_order_relaxed);
}

// All that was read by those that committed up to now counts as everything, from before the marks go.
void ConflictTracker::fold() {
  const std::unique_lock lock(places_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  const auto drop = [this](std::uint64_t until) {
    const std::int64_t marks = keys_->drop(until);
    std::int64_t segments = 0;
    for (TrackedRanges* const table : tables_) segments += table->drop(until);
    bytes_.fetch_add(marks * static_cast<std::int64_t>(KeyReads::kMarkBytes) +
                         segments * static_cast<std::int64_t>(TrackedRanges::kSegmentBytes),
                     std::memory_order_relaxed);
    return static_cast<std::uint64_t>(-std::min<std::int64_t>(marks + segments, 0));
  };
  look_for_oldest();
  drop(oldest_.load(std::memory_order_relaxed));
  if (bytes() > bytes_max_ - bytes_max_ / kFoldShare) {
    const std::uint64_t until = published_.load(std::memory_order_seq_cst);
    raise_all_read(until);
    folded_.fetch_add(drop(until), std::memory_order_relaxed);
  }
  fold_at_.store(std::max(bytes_max_, bytes() + bytes_max_ / kFoldShare), std::memory_order_relaxed);
}

// ---- safe snapshots ----

// A circle with one that only reads needs one that may write, has an older snapshot, and has read what
// somebody in the snapshot wrote over (README.md). Whoever begins from now on has a snapshot that is as new.
bool ConflictTracker::has_pending(const Tracked& tracked, std::vector<std::uint64_t>* numbers) const {
  if (is_mutant(Mutant::safe_too_early)) return false;
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const Tracked& place = *places_[i].load(std::memory_order_acquire);
    const std::uint64_t word = place.active.load(std::memory_order_seq_cst);
    if (&place == &tracked || word == 0) continue;
    const Active active = Active::decode(word);
    if (!active.may_write || active.snapshot >= tracked.sets->snapshot) continue;
    if (numbers == nullptr) return true;
    numbers->push_back(place.number.load(std::memory_order_relaxed));
  }
  return numbers != nullptr && !numbers->empty();
}

bool ConflictTracker::is_safe(const Tracked& tracked) const {
  return first_out_before(*tracked.sets, nullptr) == kNever;
}

}  // namespace isolith::locking
