#include "locking/conflict_tracker.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fence.h"
#include "base/mutant.h"

namespace isolith::locking {

using base::is_mutant;
using base::Mutant;

namespace {

constexpr std::int64_t kReadBytes = KeyReads::kMarkBytes + sizeof(std::uint64_t);
constexpr std::size_t kTrimLooksMax = 1024;  // ranges looked at before one is trimmed
constexpr std::size_t kSameLooksMax = 8;     // and before one is entered

void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) noexcept {
  std::uint64_t now = value.load(std::memory_order_relaxed);
  while (now < to && !value.compare_exchange_weak(now, to, std::memory_order_seq_cst)) {
  }
}

void lower(std::atomic<std::uint64_t>& value, std::uint64_t to) noexcept {
  std::uint64_t now = value.load(std::memory_order_relaxed);
  while (now > to && !value.compare_exchange_weak(now, to, std::memory_order_seq_cst)) {
  }
}

}  // namespace

Tracked& ConflictTracker::make_place() {
  const std::lock_guard lock(places_mutex_);
  if (keys_ == nullptr) {
    keys_ = std::make_unique<KeyReads>();
    places_ = std::make_unique<std::atomic<Tracked*>[]>(kPlacesMax);
  }
  Tracked& place = *owned_.emplace_back(std::make_unique<Tracked>(room_));
  const std::uint32_t count = places_count_.load(std::memory_order_relaxed);
  CHECK(count < kPlacesMax, "as many as there are slots");
  places_[count].store(&place, std::memory_order_release);
  places_count_.store(count + 1, std::memory_order_seq_cst);
  const std::uint64_t share = std::clamp(bytes_max_ / kTellShare / (count + 1), kTellBytesMin, kTellBytesMax);
  tell_bytes_.store(static_cast<std::int64_t>(share), std::memory_order_relaxed);
  return place;
}

// ---- what it reads ----

void ConflictTracker::enter_key(Tracked& tracked, std::uint64_t hash, TrackedRanges& table) {
  if (is_mutant(Mutant::tracked_read_missing)) return;
  if (tracked.is_widened && tracked.sets->has_all_of(table)) return;
  if (tracked.tables.empty() || tracked.tables.back() != &table) use_table(tracked, table);
  AccessSets& sets = *tracked.sets;
  if (sets.is_unmarked) {
    const std::size_t before = sets.reads.capacity();
    sets.add_read(hash);
    if (sets.reads.capacity() == before) return;
    count_own(tracked, (sets.reads.capacity() - before) * sizeof hash);
  } else {
    bool is_new = false;
    std::int64_t bytes = keys_->enter(tracked, hash, oldest_.load(std::memory_order_relaxed), is_new) *
                         static_cast<std::int64_t>(KeyReads::kMarkBytes);
    if (is_new) {
      sets.add_read(hash);
      tracked.bytes += kReadBytes;
      bytes += sizeof hash;
    }
    count(tracked, bytes);
  }
}

void ConflictTracker::use_table(Tracked& tracked, TrackedRanges& table) {
  for (const TrackedRanges* const one : tracked.tables) {
    if (one == &table) return;
  }
  tracked.tables.push_back(&table);
}

void ConflictTracker::note_table(TrackedRanges& table) {
  if (!table.note_listed()) return;
  const std::lock_guard lock(places_mutex_);
  tables_.push_back(&table);
}

std::optional<std::size_t> ConflictTracker::enter_range(Tracked& tracked, TrackedRanges& table,
                                                        std::string_view lo,
                                                        const std::optional<std::string>& hi) {
  if (hi && *hi <= lo) return std::nullopt;
  AccessSets& sets = *tracked.sets;
  if (tracked.is_widened && sets.has_all_of(table)) return std::nullopt;
  std::vector<ReadRange>& ranges = sets.ranges;
  const std::size_t place = ranges.size();
  for (std::size_t i = place - std::min(place, kSameLooksMax); i < place; ++i) {
    ReadRange& range = ranges[i];
    if (range.table != &table || sets.lo_of(range) > lo) continue;
    if (range.has_hi && (!hi || *hi > *sets.hi_of(range))) continue;
    range.is_shared = true;
    return std::nullopt;
  }
  sets.add_range(table, lo, hi);
  if (!sets.is_unmarked) {
    note_table(table);
    const std::int64_t bytes = table.enter(tracked, lo, hi).bytes;
    tracked.range_bytes += bytes;
    tracked.bytes_untold += bytes;
  }
  count_own(tracked, sizeof(ReadRange) + lo.size() + (hi ? hi->size() : 0));  // which may widen it
  return place;
}

// What other ranges of the same transaction have, too, stays.
void ConflictTracker::trim_range(Tracked& tracked, std::size_t place, const TrackedRanges& table,
                                 std::string_view last_key, bool is_forward) {
  AccessSets& sets = *tracked.sets;
  std::vector<ReadRange>& ranges = sets.ranges;
  if (tracked.is_widened || place >= ranges.size() || ranges[place].table != &table) return;
  ReadRange& range = ranges[place];
  if (range.is_shared || !sets.contains(range, last_key)) return;
  const std::string behind = std::string(last_key) + '\0';
  if (!sets.is_unmarked) {
    if (ranges.size() > kTrimLooksMax) return;
    const bool is_shared = std::any_of(ranges.begin(), ranges.end(), [&](const ReadRange& other) {
      return &other != &range && other.table == &table &&
             (!range.has_hi || sets.lo_of(other) < *sets.hi_of(range)) &&
             (!other.has_hi || *sets.hi_of(other) > sets.lo_of(range));
    });
    if (is_shared) return;
    const std::int64_t bytes = is_forward ? range.table->give_up(tracked, behind, sets.hi_of(range)).bytes
                                          : range.table->give_up(tracked, sets.lo_of(range), last_key).bytes;
    tracked.range_bytes += bytes;
    tracked.bytes_untold += bytes;
  }
  if (is_forward) {
    sets.set_hi(range, behind);
  } else {
    range.lo = sets.store(last_key);
  }
  count_own(tracked, behind.size());
}

void ConflictTracker::read_under(Tracked& tracked, TransactionId writer, std::uint64_t commit_ts) {
  if (tracked.sets->is_unmarked) return;
  const std::size_t looks = std::min(tracked.overwriters.size(), kSameLooksMax);
  const bool is_there =
      std::any_of(tracked.overwriters.end() - static_cast<std::ptrdiff_t>(looks), tracked.overwriters.end(),
                  [&](const Overwriter& one) { return one.id == writer && one.commit_ts == commit_ts; });
  if (is_there) return;
  if (tracked.overwriters.size() == kListMax) tracked.sets->has_rest = true;
  if (tracked.overwriters.size() < kOverwritersMax) {
    tracked.overwriters.push_back({writer, commit_ts});
  } else {
    tracked.overwriters_lost = true;
  }
}

// ---- who has read what is written ----

void ConflictTracker::meet(Tracked& reader, MetReaders& readers) {
  const bool is_met = std::any_of(readers.begin(), readers.end(),
                                  [&](const MetReader& met) { return met.reader == &reader; });
  if (!is_met) readers.push_back({&reader, reader.word.load(std::memory_order_seq_cst)});
}

void ConflictTracker::inform(const MetReaders& readers, std::uint64_t commit_ts) {
  if (is_mutant(Mutant::reader_untold)) return;
  for (const MetReader& met : readers) {
    const std::uint64_t word = met.reader->word.load(std::memory_order_seq_cst);
    if (Tracked::number_of(word) != Tracked::number_of(met.word)) continue;
    lower(met.reader->out_ts, commit_ts);
  }
}

// What is kept is looked at before marks, for it becomes marks when it is dropped; then what was dropped of
// those.
ConflictTracker::Readers ConflictTracker::look_for_readers(Tracked& tracked, const Kept& kept) {
  Readers readers;
  for (const AccessSets* const sets : kept.sets) {
    const bool has_read = sets->is_unmarked && sets->snapshot > readers.newest &&
                          sets->snapshot >= tracked.first_out_ts &&
                          comes_before(*sets, *tracked.sets).has_value();
    if (has_read) readers.newest = sets->snapshot;
  }
  visit_readers(*tracked.sets, tracked, readers.newest, [&](Tracked& reader) {
    if ((reader.word.load(std::memory_order_seq_cst) & Tracked::kCommitted) != 0) {
      readers.newest = std::max(readers.newest, reader.leaves.load(std::memory_order_relaxed));
    } else {
      readers.is_active = true;
    }
  });
  readers.newest = std::max(readers.newest, all_read_ts_.load(std::memory_order_seq_cst));
  return readers;
}

// ---- the test ----

// The first commit that wrote over what it read; `bound` is lowered to the first of those that one comes
// before, which may be in the middle of three.
std::uint64_t ConflictTracker::first_out_of(Tracked& tracked, std::uint64_t& bound, bool wrote) const {
  std::uint64_t first = tracked.out_ts.load(std::memory_order_seq_cst);
  const auto meet = [&](const Pivot& pivot) {
    // Who has written nothing can only be the first of three where the third was in its snapshot.
    if (wrote || pivot.out_ts <= tracked.sets->snapshot) bound = std::min(bound, pivot.out_ts);
  };
  for (const Overwriter& overwriter : tracked.overwriters) {
    if (overwriter.commit_ts == 0) continue;
    first = std::min(first, overwriter.commit_ts);
    if (overwriter.commit_ts <= lost_pivots_.commit_ts) meet(lost_pivots_);
    const auto found =
        std::lower_bound(pivots_.begin(), pivots_.end(), overwriter.commit_ts,
                         [](const Pivot& pivot, std::uint64_t ts) { return pivot.commit_ts < ts; });
    if (found != pivots_.end() && found->commit_ts == overwriter.commit_ts) meet(*found);
  }
  if (tracked.overwriters_lost) {
    first = std::min(first, tracked.sets->snapshot + 1);
    if (lost_pivots_.commit_ts > tracked.sets->snapshot) meet(lost_pivots_);
    for (auto pivot = pivots_.rbegin(); pivot != pivots_.rend(); ++pivot) {
      if (pivot->commit_ts <= tracked.sets->snapshot) break;
      meet(*pivot);
    }
  }
  return first;
}

// Of all that may be the middle of three with the third in the reader's snapshot, and that are not in it: the
// first of their thirds. With `kept`, of those alone that it comes before, or may.
std::uint64_t ConflictTracker::first_out_before(const AccessSets& reader, const Kept* kept) const {
  std::uint64_t first = kNever;
  const auto comes_before_it = [&](const Pivot& pivot) {
    const auto at = std::find_if(kept->sets.begin(), kept->sets.end(), [&](const AccessSets* sets) {
      return sets->commit_ts == pivot.commit_ts && (sets->writes_all || !sets->writes.empty());
    });
    return at == kept->sets.end() || comes_before(reader, **at).has_value();
  };
  const auto meet = [&](const Pivot& pivot, bool is_listed) {
    if (pivot.commit_ts <= reader.snapshot || pivot.out_ts > reader.snapshot || pivot.out_ts >= first) return;
    if (kept == nullptr || !is_listed || comes_before_it(pivot)) first = pivot.out_ts;
  };
  meet(lost_pivots_, false);
  for (auto pivot = pivots_.rbegin(); pivot != pivots_.rend() && pivot->commit_ts > reader.snapshot;
       ++pivot) {
    meet(*pivot, true);
  }
  return first;
}

Circle ConflictTracker::unknown_circle(const Tracked& tracked, std::string_view rule) {
  Circle circle;
  circle.rule = rule;
  circle.members.push_back(member_of(*tracked.sets));
  Circle::Member& other = circle.members.emplace_back();
  other.commit_ts = tracked.first_out_ts == kNever ? 0 : tracked.first_out_ts;
  other.is_known = false;
  circle.ways.push_back({Dependency::rw, {}, {}, false});
  return circle;
}

std::optional<Circle> ConflictTracker::test(Tracked& tracked, std::uint64_t commit_ts, bool wrote) {
  AccessSets& sets = *tracked.sets;
  if (wrote) sets.commit_ts = commit_ts;
  std::uint64_t bound = kNever;
  tracked.first_out_ts = tracked.bound_ts = kNever;
  const bool is_plain = test_ == ConflictTest::dangerous_structure;
  if (wrote || is_plain) {
    // Who closes a circle comes before one that has committed: it has read what that one wrote over.
    tracked.first_out_ts = first_out_of(tracked, bound, wrote);
    if (tracked.first_out_ts == kNever) return std::nullopt;
  } else {
    bound = first_out_before(sets, nullptr);
    if (bound != kNever) {
      const Kept kept = look_at_kept(tracked);
      bound = first_out_before(sets, &kept);
    }
  }
  const bool was_let_pass = sets.snapshot < passed_until_ && !is_plain;
  if (was_let_pass) bound = std::min(bound, passed_bound_);
  if (!wrote && bound == kNever) return std::nullopt;
  // Who commits without the mutex is among those that are kept, or sees this.
  raise(newest_suspect_, commit_ts);
  Kept kept = look_at_kept(tracked);
  if (wrote) {
    const Readers readers = look_for_readers(tracked, kept);
    if (readers.is_active || readers.newest >= tracked.first_out_ts)
      bound = std::min(bound, tracked.first_out_ts);
  }
  if (bound == kNever) return std::nullopt;
  if (is_plain) return unknown_circle(tracked, "no dangerous structure");
  Circle circle;
  const Search found = search(tracked, kept, bound, circle);
  if (found == Search::before_nobody || found == Search::no_circle) {
    // Who has not written, and comes before nobody, is part of nothing.
    if (wrote || found == Search::no_circle) tracked.bound_ts = bound;
    return std::nullopt;
  }
  if (found == Search::too_many) circle = unknown_circle(tracked, {});
  circle.rule = "no circle of committed transactions";
  return circle;
}

ConflictTracker::Kept ConflictTracker::look_at_kept(const Tracked& tracked) {
  Kept kept;
  const std::uint32_t count = places_count_.load(std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < count; ++i) {
    RecentCommits& recent = places_[i].load(std::memory_order_acquire)->recent;
    kept.locks.emplace_back(recent.latch());
    recent.visit([&](const AccessSets& sets) {
      if (&sets != tracked.sets) kept.sets.push_back(&sets);
    });
    kept.complete_after = std::max(kept.complete_after, recent.complete_after());
  }
  return kept;
}

// Among all that committed at `bound` or later: one that committed before is in no circle with it.
Search ConflictTracker::search(const Tracked& tracked, Kept& kept, std::uint64_t bound,
                               Circle& circle) const {
  std::erase_if(kept.sets, [bound](const AccessSets* sets) { return sets->commit_ts < bound; });
  const Search found = find_circle(*tracked.sets, kept.sets, circle);
  const bool is_known = bound > kept.complete_after && bound > newest_unseen_ && bound >= newest_unknown_;
  return found != Search::circle && !is_known ? Search::too_many : found;
}

// ---- commit ----

void ConflictTracker::remember_pivot(const Pivot& pivot) {
  if (is_mutant(Mutant::pivot_forgotten)) return;
  const std::uint64_t oldest = oldest_of_all_.load(std::memory_order_relaxed);
  while (!pivots_.empty() && pivots_.front().commit_ts <= oldest) pivots_.pop_front();
  if (lost_pivots_.commit_ts <= oldest) lost_pivots_ = {kNever, 0};
  if (pivots_.size() >= kPivotsMax) {
    lost_pivots_.out_ts = std::min(lost_pivots_.out_ts, pivots_.front().out_ts);
    lost_pivots_.commit_ts = pivots_.front().commit_ts;
    pivots_.pop_front();
  }
  pivots_.push_back(pivot);
}

void ConflictTracker::remember_suspect(const Tracked& tracked, std::uint64_t commit_ts, bool wrote) {
  if (wrote && tracked.first_out_ts != kNever) remember_pivot({tracked.first_out_ts, commit_ts});
  if (tracked.bound_ts == kNever) return;
  // A bound from long ago would reach behind what is kept.
  look_for_oldest();
  if (passed_until_ <= oldest_of_all_.load(std::memory_order_relaxed)) passed_bound_ = kNever;
  passed_until_ = std::max(passed_until_, commit_ts);
  passed_bound_ = std::min(passed_bound_, tracked.bound_ts);
}

// With the mutex it is kept in any case: what is let pass may be part of a circle later.
void ConflictTracker::take_back_reader(Tracked& tracked, bool is_kept) {
  if (is_kept) {
    const std::lock_guard lock(tracked.recent.latch());
    tracked.recent.take_back();
  } else {
    prepare_reader(tracked);
  }
  const std::uint64_t word = tracked.word.load(std::memory_order_relaxed);
  if (!tracked.sets->is_unmarked) tracked.word.store(word & ~Tracked::kCommitted, std::memory_order_release);
}

// A search can do without the set, but for knowing that it is not known. No marks where the one that was kept
// last has read the same: its snapshot is newer, so whoever would ask for the mark finds that one, or what
// stands for it once it goes.
void ConflictTracker::leave_victim(Tracked& place, const AccessSets& victim) {
  const AccessSets* const newest = place.recent.newest();
  const bool is_said = newest != nullptr && newest->is_unmarked && has_read_all_of(*newest, victim);
  if (!is_said) leave_unmarked(place, victim, victim.snapshot);
}

// What has been read by one that committed at `ts`, and has no marks.
void ConflictTracker::leave_unmarked(Tracked& place, const AccessSets& sets, std::uint64_t ts) {
  const std::uint64_t oldest = oldest_.load(std::memory_order_relaxed);
  std::int64_t more = 0;
  for (const std::uint64_t hash : sets.reads) more += keys_->leave(nullptr, hash, ts, oldest);
  std::int64_t bytes = more * static_cast<std::int64_t>(KeyReads::kMarkBytes);
  for (const ReadRange& range : sets.ranges) {
    note_table(*range.table);
    bytes += range.table->leave(nullptr, sets.lo_of(range), sets.hi_of(range), ts, oldest).bytes;
  }
  if (sets.reads_all) raise_all_read(ts);
  count_committed(place, bytes);
}

void ConflictTracker::commit_untracked(Tracked& place) {
  AccessSets& sets = *place.sets;
  sets.finish();
  prepare(place);
  leave_unmarked(place, sets, sets.commit_ts);
  {
    const std::lock_guard lock(place.recent.latch());
    place.recent.keep();
  }
  place.sets = &place.recent.next();
}

void ConflictTracker::raise_all_read(std::uint64_t ts) noexcept { raise(all_read_ts_, ts); }

// ---- ends ----

void ConflictTracker::look_for_oldest() {
  std::uint64_t oldest = published_.load(std::memory_order_seq_cst);
  std::uint64_t oldest_of_all = oldest;
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const std::uint64_t word =
        places_[i].load(std::memory_order_acquire)->active.load(std::memory_order_seq_cst);
    if (word == 0) continue;
    const Active active = Active::decode(word);
    oldest_of_all = std::min(oldest_of_all, active.snapshot);
    if (active.may_write) oldest = std::min(oldest, active.snapshot);
  }
  raise(oldest_, oldest);
  raise(oldest_of_all_, oldest_of_all);
}

// Reads that still have a mark.
template <typename Visit>
void ConflictTracker::visit_marked(const Tracked& tracked, const Visit& visit) const {
  auto written = tracked.written.begin();
  for (const std::uint64_t hash : tracked.sets->reads) {
    while (written != tracked.written.end() && *written < hash) ++written;
    if (written == tracked.written.end() || *written != hash) visit(hash);
  }
}

void ConflictTracker::leave_marks(Tracked& tracked, std::uint64_t ts) {
  const std::uint64_t oldest = oldest_.load(std::memory_order_relaxed);
  const AccessSets& sets = *tracked.sets;
  std::int64_t more = 0;
  visit_marked(tracked, [&](std::uint64_t hash) { more += 1 + keys_->leave(&tracked, hash, ts, oldest); });
  std::int64_t bytes = more * static_cast<std::int64_t>(KeyReads::kMarkBytes);
  for (const ReadRange& range : sets.ranges)
    bytes += range.table->leave(&tracked, sets.lo_of(range), sets.hi_of(range), ts, oldest).bytes;
  tracked.bytes_untold += bytes;
}

void ConflictTracker::give_up_marks(Tracked& tracked) {
  visit_marked(tracked, [&](std::uint64_t hash) { (void)keys_->give_up(tracked, hash); });
  const AccessSets& sets = *tracked.sets;
  for (const ReadRange& range : sets.ranges)
    tracked.bytes_untold += range.table->give_up(tracked, sets.lo_of(range), sets.hi_of(range)).bytes;
}

std::uint64_t ConflictTracker::tracked() const noexcept {
  std::uint64_t active = 0;
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const Tracked& place = *places_[i].load(std::memory_order_acquire);
    active += place.active.load(std::memory_order_seq_cst) != 0 ? 1 : 0;
  }
  return active;
}

bool ConflictTracker::is_in_use() const noexcept {
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const Tracked& place = *places_[i].load(std::memory_order_acquire);
    const std::uint64_t word = place.active.load(std::memory_order_seq_cst);
    if (word != 0 && Active::decode(word).may_write) return true;
  }
  return false;
}

bool ConflictTracker::is_only_place() const noexcept {
  if (places_count_.load(std::memory_order_relaxed) != 1) return false;
  base::full_fence();
  return places_count_.load(std::memory_order_seq_cst) == 1;
}

// Whose place is made after this one's end takes a snapshot that has all of it.
void ConflictTracker::end_marks(Tracked& tracked, bool committed) {
  const std::uint64_t ts = tracked.leaves.load(std::memory_order_relaxed);
  if (committed && !is_mutant(Mutant::marks_dropped_at_commit) && !is_only_place() &&
      ts > oldest_.load(std::memory_order_relaxed)) {
    leave_marks(tracked, ts);
  } else {
    give_up_marks(tracked);
  }
}

void ConflictTracker::wake_waiters() {
  turn_.fetch_add(1, std::memory_order_seq_cst);
  hook_.wake_all(turn_);
}

}  // namespace isolith::locking
