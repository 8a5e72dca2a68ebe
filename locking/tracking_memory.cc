// ConflictTracker: what tracking may cost, and safe snapshots.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/mutant.h"
#include "locking/conflict_tracker.h"

namespace isolith::locking {

using base::is_mutant;
using base::Mutant;

namespace {

// Parts of the budget.
constexpr std::uint64_t kWidenShare = 16;  // past it, one that has more is widened
constexpr std::uint64_t kAheadShare = 32;  // what others add while one drops marks, before they wait
constexpr std::uint64_t kEvenShare = 2;    // what active ones may have together, each as much as the others

}  // namespace

void ConflictTracker::tell_bytes(Tracked& tracked) {
  bytes_.fetch_add(std::exchange(tracked.bytes_untold, 0), std::memory_order_relaxed);
  if (bytes() > bytes_max_) {
    save_memory(tracked);
  } else if (fold_at_.load(std::memory_order_relaxed) > bytes_max_ && bytes() <= fold_to()) {
    fold_at_.store(bytes_max_, std::memory_order_relaxed);
  }
}

void ConflictTracker::count_committed(Tracked& place, std::int64_t bytes) {
  place.bytes_untold += bytes;
  if (!has_much_untold(place)) return;
  bytes_.fetch_add(std::exchange(place.bytes_untold, 0), std::memory_order_relaxed);
  fold(WhenBusy::leave);
}

// Many that have a little each may be too much together: then, after the last time, little was left to drop.
void ConflictTracker::save_memory(Tracked& tracked) {
  const auto widen_from = [&](std::uint64_t bytes) {
    const std::int64_t own = tracked.bytes + tracked.range_bytes;
    if (own > 0 && static_cast<std::uint64_t>(own) > bytes) widen(tracked);
  };
  widen_from(bytes_max_ / kWidenShare);
  fold(WhenBusy::wait);
  if (bytes() > bytes_max_ && fold_at_.load(std::memory_order_relaxed) > bytes_max_)
    widen_from(bytes_max_ / kEvenShare / std::max<std::uint64_t>(this->tracked(), 1));
}

// Of what is about to be kept. Where there is no more, older ones of the same place make room: they go first
// in any case, and whoever asks for a newer one finds it.
void ConflictTracker::claim_room(Tracked& place) {
  AccessSets& sets = *place.sets;
  if (sets.writes.size() > kListMax) sets.has_rest = true;
  sets.claim_room();
  const bool can_be_made = !sets.is_large() && sets.missing_room() <= place.recent.room_of_others();
  while (sets.is_refused && can_be_made) {
    AccessSets* const oldest = place.recent.oldest_with_room();
    if (oldest == nullptr) break;  // others took what was left
    if (oldest->is_kept.load(std::memory_order_relaxed) && needs_marks(*oldest))
      leave_unmarked(place, *oldest, oldest->snapshot);
    place.recent.drop(*oldest);
    sets.claim_room();
  }
  fold(WhenBusy::leave);
}

// Lists that became long in one transaction are not to stay so.
void ConflictTracker::renew_lists(Tracked& tracked) noexcept {
  const auto renew = [](auto& list) {
    if (list.capacity() <= kListMax) return;
    std::destroy_at(&list);
    std::construct_at(&list);
  };
  renew(tracked.written);
  renew(tracked.overwriters);
}

// The ranges are entered before the marks go, and a writer looks at marks first: one of the two it sees.
void ConflictTracker::widen(Tracked& tracked) {
  AccessSets& sets = *tracked.sets;
  if (tracked.is_widened && sets.reads.empty() && sets.ranges.size() == tracked.tables.size()) return;
  for (const ReadRange& range : sets.ranges) {
    if (std::find(tracked.tables.begin(), tracked.tables.end(), range.table) == tracked.tables.end()) {
      tracked.tables.push_back(range.table);
    }
  }
  if (!sets.is_unmarked) {
    for (TrackedRanges* const table : tracked.tables) {
      note_table(*table);
      tracked.bytes_untold += table->enter(tracked, {}, std::nullopt).bytes;
    }
    for (const std::uint64_t hash : sets.reads) keys_->give_up(tracked, hash);
  }
  // With their room.
  (void)std::exchange(sets.reads, {});
  (void)std::exchange(sets.ranges, {});
  sets.read_bits = 0;
  if (sets.writes.empty()) (void)std::exchange(sets.key_bytes, {});
  for (TrackedRanges* const table : tracked.tables) sets.add_range(*table, {}, std::nullopt);
  const auto bytes = static_cast<std::int64_t>(sets.ranges.size() * sizeof(ReadRange));
  tracked.range_bytes = 0;
  tracked.bytes_untold += bytes - std::exchange(tracked.bytes, bytes);
  tracked.is_widened = true;
  widened_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(std::exchange(tracked.bytes_untold, 0), std::memory_order_relaxed);
}

// Where it is due. All that was read by those that committed up to now counts as everything, from before the
// marks go. One does so for all; who is far ahead waits for that one, which may have lost its processor.
void ConflictTracker::fold(WhenBusy when_busy) {
  const auto is_due = [this](std::uint64_t more) {
    return bytes() > fold_at_.load(std::memory_order_relaxed) + more;
  };
  if (!is_due(0)) return;
  std::unique_lock lock(places_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    if (when_busy == WhenBusy::leave || !is_due(bytes_max_ / kAheadShare)) return;
    lock.lock();
    if (!is_due(0)) return;
  }
  const auto drop = [this](std::uint64_t until) {
    std::int64_t reads = keys_->drop(until);
    std::int64_t bytes = reads * static_cast<std::int64_t>(KeyReads::kMarkBytes);
    for (TrackedRanges* const table : tables_) {
      const TrackedRanges::Growth growth = table->drop(until);
      reads += growth.segments;
      bytes += growth.bytes;
    }
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return static_cast<std::uint64_t>(-std::min<std::int64_t>(reads, 0));
  };
  look_for_oldest();
  drop(oldest_.load(std::memory_order_relaxed));
  if (bytes() > fold_to()) {
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
