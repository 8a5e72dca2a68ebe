// TableLocks: the locks of one table: which ranges were read, which writes stand in line in it, and who has
// locked it as a whole. One more stands for the database.
//
// Invariants:
//   1. A range is entered before its rows are read; a writer latches the leaf and then looks (README.md).
//   2. A range is not extended over a key for which somebody else's write stands in line, unless the owner
//      is in that one's way already, or may pass. Both are decided under the mutex.
//   3. `is_locked` is set before a lock on the whole table looks for those who use the table; who begins to
//      use it says so and then looks at `is_locked`: one of the two sees the other.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "locking/modes.h"
#include "locking/owner.h"
#include "locking/range_set.h"
#include "locking/tracked_ranges.h"
#include "locking/wait_graph.h"

namespace isolith::locking {

class TableLocks {
 public:
  TableLocks() = default;
  TableLocks(const TableLocks&) = delete;
  TableLocks& operator=(const TableLocks&) = delete;

  // ---- ranges ----

  // Whether a writer need look at ranges at all.
  [[nodiscard]] bool has_ranges() const noexcept { return ranges_held_.load(std::memory_order_seq_cst) != 0; }

  // Extends what the owner has read by [lo, hi). False, and the blockers added to `blocked` where that is
  // given: writes stand in line there.
  bool enter_range(Owner& owner, std::string_view lo, const std::optional<std::string>& hi, bool may_pass,
                   Request* blocked);
  // One of the owner's ranges as a whole, at its end.
  void release_range(Owner& owner, std::string_view lo, const std::optional<std::string>& hi);

  // A range has become part of another one of the same owner.
  void forget_range() noexcept { ranges_held_.fetch_sub(1, std::memory_order_seq_cst); }

  // Whether ranges of others have the key in them.
  [[nodiscard]] bool may_write(const Owner& owner, std::string_view key);
  [[nodiscard]] bool covers(const Owner& owner, std::string_view key);
  void find_blockers(Request& request);

  // ---- ranges that are remembered and keep nobody out (conflict_tracker.h) ----

  [[nodiscard]] TrackedRanges& tracked() noexcept { return tracked_; }

  // A write that stands in line for `request.key`, for readers of ranges to see.
  void note_waiting(Request& request);
  void forget_waiting(Request& request);

  // ---- the table as a whole ----

  [[nodiscard]] bool is_locked() const noexcept { return whole_.load(std::memory_order_seq_cst) != 0; }

  // Whether it is the owner's turn to have this mode too, as far as the locks on the whole go; then it is
  // entered, and is the owner's with `grant`, once nobody uses the table against it. Otherwise the blockers
  // are added to the request.
  bool enter_whole(Request& request);
  // Whether what was entered is the owner's now: nobody has got a lock against it meanwhile.
  bool grant(const Owner& owner);
  // The owner has again what it had before `enter_whole`: somebody uses the table; its turn stays.
  void take_back_grant(const Owner& owner, std::optional<Mode> before);
  // Whether an intention goes together with the locks on the whole.
  bool admits(const Owner& owner, Mode intention, Request* blocked);
  void leave_whole(Request& request);  // the line, without what it wanted

  void release_whole(Owner& owner);
  // What the owner has of the whole; and to have that again, after more was entered.
  std::optional<Mode> mode_of(const Owner& owner);
  void restore_whole(Owner& owner, std::optional<Mode> before);

  // For reports: `visit(const Owner&, lo, hi)` for each owner of each segment; `visit(const Owner&, Mode)`.
  template <typename Visit>
  void visit_ranges(const Visit& visit) {
    const std::lock_guard lock(mutex_);
    ranges_.visit(visit);
  }
  template <typename Visit>
  void visit_whole(const Visit& visit) {
    const std::lock_guard lock(mutex_);
    for (const Whole& whole : holders_) {
      if (whole.granted) visit(*whole.owner, *whole.granted);
    }
  }

 private:
  // Who has its turn stands in the way of others as one in line does; who was granted it, as a holder.
  struct Whole {
    Owner* owner;
    Mode mode;
    std::optional<Mode> granted;
  };
  static Hold hold_of(const Whole& whole, const Request& blocked, Mode wanted);
  void find_whole_blockers(Request& request) const;
  void unlink(Request& request);

  std::mutex mutex_;
  RangeSet<Owner> ranges_;
  TrackedRanges tracked_;
  std::multimap<std::string, Request*, std::less<>> waiting_writes_;
  std::vector<Whole> holders_;
  Request* line_ = nullptr;
  std::atomic<std::uint64_t> ranges_held_{0};  // ranges of all owners
  std::atomic<std::uint32_t> whole_{0};        // holders and requests in line
};

}  // namespace isolith::locking
