// ConflictTracker: keeps transactions of the level serializable_ssi, and those of other levels beside them,
// from committing in no serial order. The argument is in README.md, "Who comes before whom".
//
// Two steps. While a transaction runs it remembers what it reads (`KeyReads`, `TrackedRanges`) and who wrote
// over that; one that said that it only reads keeps what it reads to itself (`AccessSets`). At its commit,
// where it and one before it and one after it may be a dangerous structure, the circle itself is looked for
// among those that committed last (`RecentCommits`); it fails if there is one, or if the search can not know.
// Looking and becoming "committed" is one step, under the commit mutex. Who has written nothing needs neither
// where nobody is suspected that its snapshot does not have.
//
// `LockOptions::tracking_bytes`: past it the marks of committed ones are dropped, and each of them counts as
// having read everything; what an active one has read by keys becomes the tables that they are in.
//
// Threads: any; one at a time for one transaction. Functions marked (commit mutex) need that of txn/core.h.
// Order: leaf > nothing of this; commit mutex > latches of RecentCommits, or the mutex of the places >
// buckets, tables' latches. Of the two in the middle nobody has both.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutant.h"
#include "isolith/options.h"
#include "isolith/wait_hook.h"
#include "locking/key_reads.h"
#include "locking/recent_commits.h"
#include "locking/tracked.h"
#include "locking/tracked_ranges.h"

namespace isolith::locking {

class ConflictTracker {
 public:
  // `published`: the newest commit that is visible.
  ConflictTracker(const LockOptions& options, WaitHook& hook, const std::atomic<std::uint64_t>& published)
      : test_(options.conflict_test),
        bytes_max_(options.tracking_bytes),
        hook_(hook),
        published_(published),
        room_(bytes_max_ / kRoomShare) {}

  // Whether anybody is tracked who may write: whether a writer need look for who has read, and one that locks
  // what it reads need leave word of it. After a fence.
  [[nodiscard]] bool is_in_use() const noexcept;

  // A place for transactions, one after another; lives as long as this.
  Tracked& make_place();

  // ---- a transaction's beginning ----

  // Before its snapshot is taken, which passes a fence (txn/snapshots.cc); after that its `sets` have it.
  // Who looks for the oldest either sees what is announced here, or has looked before, and then the snapshot
  // is not older than what he took for published. And a writer that does not see it has written before, so
  // what it reads has that.
  void begin(Tracked& tracked, bool is_read_only) {
    AccessSets& sets = *tracked.sets;
    if (!sets.writes.empty() || sets.writes_all) [[unlikely]]
      sets.clear();  // of one that could not be logged
    tracked.first_out_ts = tracked.bound_ts = kNever;
    tracked.is_widened = false;
    // The plain test knows of who has read by marks alone.
    sets.is_unmarked = is_read_only && test_ == ConflictTest::circle;
    if (is_read_only) {
      tracked.reads = 0;
      tracked.look_at = kFirstLook;
    }
    if (!sets.is_unmarked) {
      tracked.out_ts.store(kNever, std::memory_order_relaxed);
      tracked.overwriters.clear();
      tracked.written.clear();
      tracked.overwriters_lost = false;
    }
    const Active active{published_.load(std::memory_order_acquire), !is_read_only};
    tracked.active.store(active.encode(), std::memory_order_release);
  }

  // ---- what it reads: entered first, then read, or looked at again ----

  void enter_key(Tracked& tracked, std::uint64_t hash, TrackedRanges& table);
  // Returns its place among the ranges of the transaction; none: it had read all of it.
  std::optional<std::size_t> enter_range(Tracked& tracked, TrackedRanges& table, std::string_view lo,
                                         const std::optional<std::string>& hi);
  // Of the range at that place it has read up to this key, and no farther.
  void trim_range(Tracked& tracked, std::size_t place, const TrackedRanges& table, std::string_view last_key,
                  bool is_forward);
  // What it read was replaced by `writer`, which committed at `commit_ts` (0: is in progress). For nothing
  // where what it reads has no marks.
  static void read_under(Tracked& tracked, TransactionId writer, std::uint64_t commit_ts);

  // ---- commit of one that wrote ----

  // Those that have read what it wrote and are active; before the commit mutex is taken. `place`: its own.
  void find_readers(const AccessSets& writes, Tracked& place, MetReaders& readers) {
    prepare(place);
    std::uint64_t newest = 0;
    visit_readers(writes, place, newest, [&](Tracked& reader) { meet(reader, readers); });
    if (place.written.size() > 1) std::sort(place.written.begin(), place.written.end());
  }
  // Whether it may come before one that has committed: where not, it closes nothing (commit mutex).
  [[nodiscard]] static bool has_out(const Tracked& tracked) noexcept {
    return tracked.out_ts.load(std::memory_order_seq_cst) != kNever || !tracked.overwriters.empty() ||
           tracked.overwriters_lost;
  }
  // What it closes if it commits at `commit_ts` (commit mutex).
  std::optional<Circle> test(Tracked& tracked, std::uint64_t commit_ts, bool wrote);
  // It is committed from here on, before that is published (commit mutex).
  void commit(Tracked& tracked, TransactionId id, std::uint64_t commit_ts) {
    const bool wrote = id != kNoTransaction;
    if (tracked.first_out_ts != kNever || tracked.bound_ts != kNever) [[unlikely]]
      remember_suspect(tracked, commit_ts, wrote);
    AccessSets& sets = *tracked.sets;
    if (wrote) sets.commit_ts = commit_ts;
    tracked.recent.keep();
    const bool leaves_commit = wrote && !base::is_mutant(base::Mutant::writer_taken_for_reader);
    if (!sets.is_unmarked) mark_committed(tracked, leaves_commit ? commit_ts : sets.snapshot);
  }
  // Tells those that have read what was written, and may write (commit mutex).
  static void inform(const MetReaders& readers, std::uint64_t commit_ts);
  // One that is not tracked, and whose reads are not known, commits (commit mutex).
  void commit_unknown(std::uint64_t commit_ts) noexcept { newest_unknown_ = commit_ts; }
  // One commits that found nobody tracked who may write: of those that began meanwhile some may have met what
  // it wrote, and nothing of it is kept (commit mutex).
  void commit_unseen(std::uint64_t commit_ts) noexcept { newest_unseen_ = commit_ts; }
  // One that is not tracked commits: what it has read with locks, and has written, is told (commit mutex, if
  // it wrote). Its locks go after that.
  void commit_untracked(Tracked& place);

  // ---- commit of one that wrote nothing ----

  // It is committed, and nothing more is to be looked at. False: with the commit mutex, `test` and `commit`.
  //
  // Kept first, under the latch that searches hold; then it looks whether anybody is suspected. Who is tested
  // raises the suspicion and then takes that latch: whichever was there first is seen by the other.
  //
  // Nobody will look for it where nobody who may write has an older snapshot: then all that began before it
  // and may be suspected have ended, and had raised the suspicion before.
  bool try_commit_reader(Tracked& tracked) {
    AccessSets& sets = *tracked.sets;
    sets.commit_ts = sets.snapshot;
    const bool is_wanted = oldest_.load(std::memory_order_seq_cst) < sets.snapshot &&
                           !base::is_mutant(base::Mutant::reader_not_kept);
    if (is_wanted) {
      prepare_reader(tracked);
      const std::lock_guard lock(tracked.recent.latch());
      tracked.recent.keep();
    }
    if (!sets.is_unmarked) mark_committed(tracked, sets.snapshot);
    if (is_unsuspicious(tracked) || base::is_mutant(base::Mutant::suspicion_unheeded)) [[likely]]
      return true;
    take_back_reader(tracked, is_wanted);
    return false;
  }

  // ---- ends ----

  // What it committed is published, or it is rolled back. The place is free.
  void end(Tracked& tracked, bool committed) {
    const AccessSets& sets = *tracked.sets;
    const bool is_unmarked = sets.is_unmarked;
    // Nobody waits for one that only reads.
    tracked.active.store(0, is_unmarked ? std::memory_order_release : std::memory_order_seq_cst);
    if (++tracked.ends % kLookEvery == 0) look_for_oldest();
    // Where it has written all that it read, no mark is left.
    const bool has_marks =
        !is_unmarked && (sets.reads.size() != tracked.written.size() || !sets.ranges.empty());
    if (has_marks) end_marks(tracked, committed);
    if (tracked.bytes != 0) {
      tracked.range_bytes = 0;
      count(tracked, -std::exchange(tracked.bytes, 0));
    }
    tracked.tables.clear();
    if (sets.has_rest) [[unlikely]]
      renew_lists(tracked);
    tracked.sets = &tracked.recent.next();
    if (is_unmarked) return;
    const std::uint64_t word = tracked.word.load(std::memory_order_relaxed);
    tracked.number.store(0, std::memory_order_relaxed);
    tracked.word.store((Tracked::number_of(word) + 1) * Tracked::kOne, std::memory_order_release);
    if (waiters_.load(std::memory_order_seq_cst) != 0) [[unlikely]]
      wake_waiters();
  }

  // ---- safe snapshots ----

  // Whether somebody is active whose end decides whether the snapshot of one that only reads is safe; all
  // their numbers are added, if asked for.
  bool has_pending(const Tracked& tracked, std::vector<std::uint64_t>* numbers = nullptr) const;
  // Where there is nobody any more: nobody is suspected, so it is safe; or else how they ended (commit
  // mutex).
  [[nodiscard]] bool is_unsuspicious(const Tracked& tracked) const noexcept {
    return newest_suspect_.load(std::memory_order_seq_cst) <= tracked.sets->snapshot;
  }
  [[nodiscard]] bool is_safe(const Tracked& tracked) const;
  // Whether there is no other place.
  [[nodiscard]] bool is_only_place() const noexcept;
  // Whoever waits for that says so; the word is raised, and they are woken, at each end from then on.
  void begin_waiting() noexcept { waiters_.fetch_add(1, std::memory_order_seq_cst); }
  void end_waiting() noexcept { waiters_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] const std::atomic<std::uint32_t>& turn() const noexcept { return turn_; }

  // How many are active.
  [[nodiscard]] std::uint64_t tracked() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    const std::int64_t bytes = bytes_.load(std::memory_order_relaxed) + room_.bytes();
    return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
  }
  [[nodiscard]] std::uint64_t folded() const noexcept { return folded_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t widened() const noexcept { return widened_.load(std::memory_order_relaxed); }

 private:
  // A commit whose transaction had read what others wrote over: it may be in the middle of three.
  struct Pivot {
    std::uint64_t out_ts = 0;
    std::uint64_t commit_ts = 0;
  };
  struct Readers {
    bool is_active = false;
    std::uint64_t newest = 0;  // the last commit of those that are not
  };
  // The sets of those that committed last, of all places, and the latches under which they stay.
  struct Kept {
    std::vector<std::unique_lock<SpinLatch>> locks;
    std::vector<const AccessSets*> sets;
    std::uint64_t complete_after = 0;
  };
  static constexpr std::uint32_t kLookEvery = 32;  // ends of one place
  static constexpr std::uint64_t kFirstLook = 64;  // reads, before one looks whether its snapshot is safe
  static constexpr std::size_t kPlacesMax = 65536;
  static constexpr std::size_t kPivotsMax = 65536;
  static constexpr std::size_t kOverwritersMax = 4096;
  // What a place may have without counting it in the sum of all; and what all of them may, about, as a part
  // of the budget.
  static constexpr std::uint64_t kTellBytesMin = 64;
  static constexpr std::uint64_t kTellBytesMax = 4096;
  static constexpr std::uint64_t kTellShare = 32;
  static constexpr std::uint64_t kFoldShare =
      8;                                        // the part of it that is to be free after marks were dropped
  static constexpr std::size_t kListMax = 256;  // a list of a place that was longer gives its room back
  static constexpr std::uint64_t kRoomShare = 4;  // the part of the budget for sets of those that committed

  template <typename Visit>
  void visit_readers(const AccessSets& writes, Tracked& own, std::uint64_t& newest, const Visit& visit) {
    const auto meet_other = [&](Tracked& reader) {
      if (&reader != &own) visit(reader);
    };
    if (writes.writes_all) [[unlikely]]
      return visit_all(newest, meet_other);
    for (const WrittenKey& write : writes.writes) {
      if (keys_->visit(write.hash, own, newest, meet_other)) own.written.push_back(write.hash);
      write.table->visit(writes.key_of(write), newest, meet_other);
    }
  }
  template <typename Visit>
  void visit_all(std::uint64_t& newest, const Visit& visit) const {
    newest = published_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < places_count_.load(std::memory_order_seq_cst); ++i) {
      Tracked& place = *places_[i].load(std::memory_order_acquire);
      const std::uint64_t active = place.active.load(std::memory_order_seq_cst);
      if (active != 0 && (Active::decode(active).may_write || test_ == ConflictTest::dangerous_structure))
        visit(place);
    }
  }
  static void meet(Tracked& reader, MetReaders& readers);
  template <typename Visit>
  void visit_marked(const Tracked& tracked, const Visit& visit) const;
  Kept look_at_kept(const Tracked& tracked);
  Readers look_for_readers(Tracked& tracked, const Kept& kept);
  std::uint64_t first_out_of(Tracked& tracked, std::uint64_t& bound, bool wrote) const;
  std::uint64_t first_out_before(const AccessSets& reader, const Kept* kept) const;
  Search search(const Tracked& tracked, Kept& kept, std::uint64_t bound, Circle& circle) const;
  static Circle unknown_circle(const Tracked& tracked, std::string_view rule);
  void note_table(TrackedRanges& table);
  static void use_table(Tracked& tracked, TrackedRanges& table);
  void remember_suspect(const Tracked& tracked, std::uint64_t commit_ts, bool wrote);
  void remember_pivot(const Pivot& pivot);
  void look_for_oldest();
  // Before it is kept. What the one that goes for it has read becomes marks, while somebody may ask for them.
  void prepare(Tracked& place) {
    const AccessSets* const victim = place.recent.victim();
    if (victim != nullptr && needs_marks(*victim)) [[unlikely]]
      leave_victim(place, *victim);
    if (place.sets->is_roomy()) [[unlikely]]
      claim_room(place);
    place.recent.prepare();
  }
  [[nodiscard]] bool needs_marks(const AccessSets& victim) const noexcept {
    return victim.is_unmarked && victim.snapshot > oldest_.load(std::memory_order_relaxed);
  }
  void prepare_reader(Tracked& tracked) {
    AccessSets& sets = *tracked.sets;
    sets.finish();
    prepare(tracked);
    if (sets.is_unmarked && sets.is_refused) [[unlikely]]
      leave_unmarked(tracked, sets, sets.snapshot);
  }
  void take_back_reader(Tracked& tracked, bool is_kept);
  void leave_victim(Tracked& place, const AccessSets& victim);
  void leave_unmarked(Tracked& place, const AccessSets& sets, std::uint64_t ts);
  // Its own thread alone changes its word.
  static void mark_committed(Tracked& tracked, std::uint64_t ts) noexcept {
    tracked.leaves.store(ts, std::memory_order_relaxed);
    const std::uint64_t word = tracked.word.load(std::memory_order_relaxed);
    tracked.word.store(word | Tracked::kCommitted, std::memory_order_release);
  }
  void end_marks(Tracked& tracked, bool committed);
  void leave_marks(Tracked& tracked, std::uint64_t ts);
  void give_up_marks(Tracked& tracked);
  void count(Tracked& tracked, std::int64_t bytes) {
    tracked.bytes_untold += bytes;
    if (has_much_untold(tracked)) [[unlikely]]
      tell_bytes(tracked);
  }
  [[nodiscard]] bool has_much_untold(const Tracked& tracked) const noexcept {
    const std::int64_t may_have = tell_bytes_.load(std::memory_order_relaxed);
    return tracked.bytes_untold > may_have || tracked.bytes_untold < -may_have;
  }
  // What it has until it ends.
  void count_own(Tracked& tracked, std::size_t bytes) {
    tracked.bytes += static_cast<std::int64_t>(bytes);
    count(tracked, static_cast<std::int64_t>(bytes));
  }
  // Of those that committed, maybe under the commit mutex: waits for nobody, and widens nobody.
  void count_committed(Tracked& place, std::int64_t bytes);
  void tell_bytes(Tracked& tracked);
  void wake_waiters();
  void save_memory(Tracked& tracked);
  void claim_room(Tracked& place);
  static void renew_lists(Tracked& tracked) noexcept;
  void widen(Tracked& tracked);
  // What is aimed at when marks are dropped; past it there was little to drop.
  [[nodiscard]] std::uint64_t fold_to() const noexcept { return bytes_max_ - bytes_max_ / kFoldShare; }
  enum class WhenBusy : std::uint8_t { wait, leave };  // where another thread is at it
  void fold(WhenBusy when_busy);
  void raise_all_read(std::uint64_t ts) noexcept;

  const ConflictTest test_;
  const std::uint64_t bytes_max_;
  WaitHook& hook_;
  const std::atomic<std::uint64_t>& published_;
  std::unique_ptr<KeyReads> keys_;  // made with the first place, as `places_`
  std::unique_ptr<std::atomic<Tracked*>[]> places_;
  std::atomic<std::uint32_t> places_count_{0};
  std::atomic<std::int64_t> tell_bytes_{0};  // of each place; written under `places_mutex_`

  alignas(64) std::mutex places_mutex_;
  std::vector<std::unique_ptr<Tracked>> owned_;  // under it
  std::vector<TrackedRanges*> tables_;           // with ranges; under it

  // Under the commit mutex.
  alignas(64) std::deque<Pivot> pivots_;  // in the order of their commits
  Pivot lost_pivots_{kNever, 0};          // the first and the last of those that are not listed
  std::uint64_t newest_unknown_ = 0;
  std::uint64_t newest_unseen_ = 0;
  // Commits up to this one may be part of a structure that was let pass, for it closed no circle then; the
  // circles that it can still be part of have no member that committed before `passed_bound_`.
  std::uint64_t passed_until_ = 0;
  std::uint64_t passed_bound_ = kNever;

  alignas(64) std::atomic<std::uint32_t> waiters_{0};
  std::atomic<std::uint32_t> turn_{0};
  alignas(64) std::atomic<std::uint64_t> oldest_{0};  // no active one that may write has an older snapshot
  std::atomic<std::uint64_t> oldest_of_all_{0};       // nor has any other
  // No commit after this one may be the middle of three or part of what was let pass; raised before whoever
  // commits is tested for it.
  std::atomic<std::uint64_t> newest_suspect_{0};
  std::atomic<std::uint64_t> all_read_ts_{0};  // who committed up to this may have read anything
  alignas(64) std::atomic<std::int64_t> bytes_{0};
  std::atomic<std::uint64_t> fold_at_{bytes_max_};  // bytes from which on marks are dropped again
  std::atomic<std::uint64_t> folded_{0};
  std::atomic<std::uint64_t> widened_{0};
  SharedRoom room_;
};

}  // namespace isolith::locking
