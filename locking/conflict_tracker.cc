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
constexpr std::uint32_t kLookEvery = 16;     // ends of one place
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
  Tracked& place = *owned_.emplace_back(std::make_unique<Tracked>());
  const std::uint32_t count = places_count_.load(std::memory_order_relaxed);
  CHECK(count < kPlacesMax, "as many as there are slots");
  places_[count].store(&place, std::memory_order_release);
  places_count_.store(count + 1, std::memory_order_seq_cst);
  return place;
}

// ---- a transaction's beginning ----

// Announced before the snapshot is taken: who looks for the oldest either sees the announcement, or has
// looked before, and then the snapshot is not older than what he took for published. Counted before the first
// read: a writer that does not see the count has written before, so that read sees what it wrote.
void ConflictTracker::begin(Tracked& tracked, bool is_read_only) {
  tracked.is_read_only.store(is_read_only, std::memory_order_relaxed);
  tracked.out_ts.store(kNever, std::memory_order_relaxed);
  if (!tracked.sets->writes.empty()) tracked.sets->clear();  // of one that could not be logged
  tracked.overwriters.clear();
  tracked.overwriters_lost = tracked.is_widened = false;
  tracked.first_out_ts = tracked.bound_ts = kNever;
  tracked.snapshot.store(published_.load(std::memory_order_acquire) + 1, std::memory_order_release);
  base::full_fence();
}

// ---- what it reads ----

void ConflictTracker::enter_key(Tracked& tracked, std::uint64_t hash, TrackedRanges& table) {
  if (is_mutant(Mutant::tracked_read_missing)) return;
  if (tracked.tables.empty() || tracked.tables.back() != &table) {
    if (std::find(tracked.tables.begin(), tracked.tables.end(), &table) == tracked.tables.end()) {
      tracked.tables.push_back(&table);
    }
  }
  bool is_new = false;
  const std::int64_t more = keys_->enter(tracked, hash, oldest_.load(std::memory_order_relaxed), is_new);
  if (is_new) {
    tracked.sets->reads.push_back(hash);
    tracked.bytes += kReadBytes;
  }
  count(tracked, more * static_cast<std::int64_t>(KeyReads::kMarkBytes) + (is_new ? 8 : 0));
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
  std::vector<ReadRange>& ranges = tracked.sets->ranges;
  const std::size_t looks = std::min(ranges.size(), kSameLooksMax);
  for (std::size_t i = ranges.size() - looks; i < ranges.size(); ++i) {
    const ReadRange& range = ranges[i];
    if (range.table == &table && range.lo <= lo && (!range.hi || (hi && *hi <= *range.hi)))
      return std::nullopt;
  }
  note_table(table);
  table.enter(tracked, lo, hi);
  ranges.push_back({&table, std::string(lo), hi});
  const auto bytes = static_cast<std::int64_t>(TrackedRanges::kSegmentBytes + sizeof(ReadRange) + lo.size());
  tracked.bytes += bytes;
  count(tracked, bytes);  // which may widen it
  return ranges.size() - 1;
}

// What other ranges of the same transaction have, too, stays.
void ConflictTracker::trim_range(Tracked& tracked, std::size_t place, const TrackedRanges& table,
                                 std::string_view last_key, bool is_forward) {
  std::vector<ReadRange>& ranges = tracked.sets->ranges;
  if (tracked.is_widened || place >= ranges.size() || ranges[place].table != &table) return;
  if (ranges.size() > kTrimLooksMax) return;
  ReadRange& range = ranges[place];
  if (!range.contains(last_key)) return;
  const bool is_shared = std::any_of(ranges.begin(), ranges.end(), [&](const ReadRange& other) {
    return &other != &range && other.table == &table && (!range.hi || other.lo < *range.hi) &&
           (!other.hi || *other.hi > range.lo);
  });
  if (is_shared) return;
  if (is_forward) {
    std::string hi = std::string(last_key) + '\0';
    range.table->give_up(tracked, hi, range.hi);
    range.hi = std::move(hi);
  } else {
    range.table->give_up(tracked, range.lo, std::string(last_key));
    range.lo = last_key;
  }
}

void ConflictTracker::read_under(Tracked& tracked, TransactionId writer, std::uint64_t commit_ts) {
  const std::size_t looks = std::min(tracked.overwriters.size(), kSameLooksMax);
  const bool is_there =
      std::any_of(tracked.overwriters.end() - static_cast<std::ptrdiff_t>(looks), tracked.overwriters.end(),
                  [&](const Overwriter& one) { return one.id == writer && one.commit_ts == commit_ts; });
  if (is_there) return;
  if (tracked.overwriters.size() < kOverwritersMax) {
    tracked.overwriters.push_back({writer, commit_ts});
  } else {
    tracked.overwriters_lost = true;
  }
}

// ---- who has read what is written ----

template <typename Visit>
void ConflictTracker::visit_readers(const AccessSets& writes, const Tracked* own, std::uint64_t& newest,
                                    const Visit& visit) {
  const auto meet = [&](Tracked& reader) {
    if (&reader != own) visit(reader);
  };
  if (writes.writes_all) {
    newest = published_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
      Tracked& place = *places_[i].load(std::memory_order_acquire);
      if (place.snapshot.load(std::memory_order_seq_cst) != 0) meet(place);
    }
    return;
  }
  for (const WrittenKey& write : writes.writes) {
    keys_->visit(write.hash, newest, meet);
    write.table->visit(writes.key_of(write), newest, meet);
  }
}

void ConflictTracker::find_readers(const AccessSets& writes, const Tracked* own, MetReaders& readers) {
  std::uint64_t newest = 0;
  visit_readers(writes, own, newest, [&](Tracked& reader) {
    const bool is_met = std::any_of(readers.begin(), readers.end(),
                                    [&](const MetReader& met) { return met.reader == &reader; });
    if (!is_met) readers.push_back({&reader, reader.word.load(std::memory_order_seq_cst)});
  });
}

void ConflictTracker::inform(const MetReaders& readers, std::uint64_t commit_ts) {
  if (is_mutant(Mutant::reader_untold)) return;
  for (const MetReader& met : readers) {
    const std::uint64_t word = met.reader->word.load(std::memory_order_seq_cst);
    if (Tracked::number_of(word) != Tracked::number_of(met.word)) continue;
    lower(met.reader->out_ts, commit_ts);
    met.reader->word.fetch_or(Tracked::kInformed, std::memory_order_seq_cst);
  }
}

// Marks first, then what was dropped of them.
ConflictTracker::Readers ConflictTracker::look_for_readers(const Tracked& tracked) {
  Readers readers;
  visit_readers(*tracked.sets, &tracked, readers.newest, [&](Tracked& reader) {
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
    if (pivots_.empty()) continue;
    if (const auto found = pivots_.find(raw(overwriter.id)); found != pivots_.end()) meet(found->second);
  }
  if (tracked.overwriters_lost) {
    first = std::min(first, tracked.sets->snapshot + 1);
    if (lost_pivots_.commit_ts > tracked.sets->snapshot) meet(lost_pivots_);
    for (const auto& [id, pivot] : pivots_) {
      if (pivot.commit_ts > tracked.sets->snapshot) meet(pivot);
    }
  }
  return first;
}

Circle ConflictTracker::unknown_circle(const Tracked& tracked, std::string_view rule) {
  Circle circle;
  circle.rule = rule;
  circle.members.push_back(member_of(*tracked.sets));
  Circle::Member& other = circle.members.emplace_back();
  other.commit_ts = tracked.first_out_ts;
  other.is_known = false;
  circle.ways.push_back({Dependency::rw, {}, {}, false});
  return circle;
}

std::optional<Circle> ConflictTracker::test(Tracked& tracked, std::uint64_t commit_ts, bool wrote) {
  AccessSets& sets = *tracked.sets;
  if (!wrote) sets.finish();
  sets.commit_ts = commit_ts;
  std::uint64_t bound = kNever;
  tracked.bound_ts = kNever;
  tracked.first_out_ts = first_out_of(tracked, bound, wrote);
  // Who closes a circle comes before one that has committed: it has read what that one wrote over.
  if (tracked.first_out_ts == kNever) return std::nullopt;
  if (wrote) {
    const Readers readers = look_for_readers(tracked);
    if (readers.is_active || readers.newest >= tracked.first_out_ts)
      bound = std::min(bound, tracked.first_out_ts);
  }
  if (test_ == ConflictTest::dangerous_structure) {
    if (bound == kNever) return std::nullopt;
    return unknown_circle(tracked, "no dangerous structure");
  }
  if (sets.snapshot < passed_until_) bound = std::min(bound, passed_bound_);
  if (bound == kNever) return std::nullopt;
  Circle circle;
  const Search found = search(tracked, bound, circle);
  if (found == Search::no_circle) {
    tracked.bound_ts = bound;
    return std::nullopt;
  }
  if (found == Search::too_many) circle = unknown_circle(tracked, {});
  circle.rule = "no circle of committed transactions";
  return circle;
}

// Among all that committed at `bound` or later: one that committed before is in no circle with it.
Search ConflictTracker::search(const Tracked& tracked, std::uint64_t bound, Circle& circle) {
  const std::uint32_t count = places_count_.load(std::memory_order_seq_cst);
  std::vector<std::unique_lock<std::mutex>> locks;
  std::vector<const AccessSets*> others;
  std::uint64_t complete_after = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    RecentCommits& recent = places_[i].load(std::memory_order_acquire)->recent;
    locks.emplace_back(recent.mutex());
    complete_after = std::max(complete_after, recent.complete_after());
    recent.visit([&](const AccessSets& sets) {
      if (sets.commit_ts >= bound) others.push_back(&sets);
    });
  }
  const Search found = find_circle(*tracked.sets, others, circle);
  const bool is_known = bound > complete_after && bound >= newest_unknown_;
  return found == Search::no_circle && !is_known ? Search::too_many : found;
}

// ---- commit ----

void ConflictTracker::remember_pivot(TransactionId id, const Pivot& pivot) {
  if (is_mutant(Mutant::pivot_forgotten)) return;
  if (pivots_.size() >= pivots_again_) {
    const std::uint64_t oldest = look_for_oldest();
    std::erase_if(pivots_, [oldest](const auto& one) { return one.second.commit_ts <= oldest; });
    if (pivots_.size() >= kPivotsMax) {
      for (const auto& [number, lost] : pivots_) {
        lost_pivots_.out_ts = std::min(lost_pivots_.out_ts, lost.out_ts);
        lost_pivots_.commit_ts = std::max(lost_pivots_.commit_ts, lost.commit_ts);
      }
      pivots_.clear();
    }
    pivots_again_ = std::clamp(pivots_.size() * 2, kPivotsAgain, kPivotsMax);
  }
  pivots_.emplace(raw(id), pivot);
  newest_pivot_.store(pivot.commit_ts, std::memory_order_seq_cst);
}

void ConflictTracker::commit(Tracked& tracked, TransactionId id, std::uint64_t commit_ts) {
  const bool wrote = id != kNoTransaction;
  if (wrote && tracked.first_out_ts != kNever) remember_pivot(id, {tracked.first_out_ts, commit_ts});
  if (tracked.bound_ts != kNever) {
    if (passed_until_ <= oldest_.load(std::memory_order_relaxed)) passed_bound_ = kNever;
    passed_until_ = std::max(passed_until_, commit_ts);
    passed_bound_ = std::min(passed_bound_, tracked.bound_ts);
  }
  tracked.recent.keep();
  const bool leaves_commit = wrote && !is_mutant(Mutant::writer_taken_for_reader);
  tracked.leaves.store(leaves_commit ? commit_ts : tracked.sets->snapshot, std::memory_order_relaxed);
  tracked.word.fetch_or(Tracked::kCommitted, std::memory_order_seq_cst);
}

// It is kept for others first: who looks for circles from there on sees it, and whose commit was before that
// has told it.
bool ConflictTracker::try_commit_reader(Tracked& tracked) {
  if (!tracked.overwriters.empty()) return false;
  AccessSets& sets = *tracked.sets;
  const bool is_kept = oldest_.load(std::memory_order_relaxed) < sets.snapshot;
  if (is_kept) {
    sets.finish();
    sets.commit_ts = published_.load(std::memory_order_seq_cst);
    const std::lock_guard lock(tracked.recent.mutex());
    tracked.recent.keep();
  }
  tracked.leaves.store(sets.snapshot, std::memory_order_relaxed);
  const std::uint64_t word = tracked.word.fetch_or(Tracked::kCommitted, std::memory_order_seq_cst);
  if ((word & Tracked::kInformed) == 0) return true;
  if (is_kept) {
    const std::lock_guard lock(tracked.recent.mutex());
    tracked.recent.take_back();
  }
  tracked.word.fetch_and(~Tracked::kCommitted, std::memory_order_seq_cst);
  return false;
}

void ConflictTracker::commit_untracked(Tracked& place) {
  AccessSets& sets = *place.sets;
  sets.finish();
  const std::uint64_t ts = sets.commit_ts;
  const std::uint64_t oldest = oldest_.load(std::memory_order_relaxed);
  std::int64_t more = 0;
  for (const std::uint64_t hash : sets.reads) more += keys_->leave(nullptr, hash, ts, oldest);
  std::int64_t segments = 0;
  for (const ReadRange& range : sets.ranges) {
    note_table(*range.table);
    segments += range.table->leave(nullptr, range.lo, range.hi, ts, oldest);
  }
  if (sets.reads_all) raise_all_read(ts);
  count(place, more * static_cast<std::int64_t>(KeyReads::kMarkBytes) +
                   segments * static_cast<std::int64_t>(TrackedRanges::kSegmentBytes));
  {
    const std::lock_guard lock(place.recent.mutex());
    place.recent.keep();
  }
  place.sets = &place.recent.next();
}

void ConflictTracker::raise_all_read(std::uint64_t ts) noexcept { raise(all_read_ts_, ts); }

// ---- ends ----

std::uint64_t ConflictTracker::look_for_oldest() {
  std::uint64_t oldest = published_.load(std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const std::uint64_t snapshot =
        places_[i].load(std::memory_order_acquire)->snapshot.load(std::memory_order_seq_cst);
    if (snapshot != 0) oldest = std::min(oldest, snapshot - 1);
  }
  raise(oldest_, oldest);
  return oldest;
}

void ConflictTracker::leave_marks(Tracked& tracked, std::uint64_t ts) {
  const std::uint64_t oldest = oldest_.load(std::memory_order_relaxed);
  const AccessSets& sets = *tracked.sets;
  std::int64_t more = 0;
  for (const std::uint64_t hash : sets.reads) more += keys_->leave(&tracked, hash, ts, oldest);
  std::int64_t segments = 0;
  for (const ReadRange& range : sets.ranges)
    segments += range.table->leave(&tracked, range.lo, range.hi, ts, oldest);
  tracked.bytes_untold += (more + static_cast<std::int64_t>(sets.reads.size())) *
                              static_cast<std::int64_t>(KeyReads::kMarkBytes) +
                          segments * static_cast<std::int64_t>(TrackedRanges::kSegmentBytes);
}

void ConflictTracker::give_up_marks(Tracked& tracked) {
  for (const std::uint64_t hash : tracked.sets->reads) keys_->give_up(tracked, hash);
  for (const ReadRange& range : tracked.sets->ranges) range.table->give_up(tracked, range.lo, range.hi);
}

std::uint64_t ConflictTracker::tracked() const noexcept {
  std::uint64_t active = 0;
  for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
    const Tracked& place = *places_[i].load(std::memory_order_acquire);
    active += place.snapshot.load(std::memory_order_seq_cst) != 0 ? 1 : 0;
  }
  return active;
}

bool ConflictTracker::is_only_place() const noexcept {
  if (places_count_.load(std::memory_order_relaxed) != 1) return false;
  base::full_fence();
  return places_count_.load(std::memory_order_seq_cst) == 1;
}

// Whose place is made after this one's end takes a snapshot that has all of it.
void ConflictTracker::end(Tracked& tracked, bool committed) {
  tracked.snapshot.store(0, std::memory_order_release);
  if (++tracked.ends % kLookEvery == 0) look_for_oldest();
  const std::uint64_t ts = tracked.leaves.load(std::memory_order_relaxed);
  if (committed && !is_mutant(Mutant::marks_dropped_at_commit) && !is_only_place() &&
      ts > oldest_.load(std::memory_order_relaxed)) {
    leave_marks(tracked, ts);
  } else {
    give_up_marks(tracked);
  }
  tracked.bytes_untold -= std::exchange(tracked.bytes, 0);
  count(tracked, 0);
  tracked.tables.clear();
  tracked.pending.clear();
  tracked.sets = &tracked.recent.next();
  const std::uint64_t word = tracked.word.load(std::memory_order_relaxed);
  tracked.number.store(0, std::memory_order_relaxed);
  tracked.word.store((Tracked::number_of(word) + 1) * Tracked::kOne, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) == 0) return;
  turn_.fetch_add(1, std::memory_order_seq_cst);
  hook_.wake_all(turn_);
}

}  // namespace isolith::locking
