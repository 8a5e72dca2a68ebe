// WaitGraph: who waits for whom, the wait itself, and deadlocks.
//
// A request names the transactions that are in its way. It waits until all of them have ended or got out of
// the way, and then looks again. Before it begins to wait the graph is searched from it: a circle is found by
// whoever would close it, at once, and one of its members is failed with a report of the whole circle.
//
// Edges are hard (the blocker holds what is wanted) or soft (the blocker waits for the same and came first).
// A circle with a soft edge in it is no deadlock: the one who stands in line passes the other.
//
// Invariants (README.md argues for them):
//   1. Among the requests that wait there is no circle of hard edges that nobody was failed for.
//   2. While a request waits its blockers only get fewer. What else comes into its way meanwhile is found
//      when it looks again.
//
// Threads: any. One mutex: it is taken by those who wait and by those who end while somebody waits for them.
#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolith/options.h"
#include "isolith/status.h"
#include "isolith/wait_hook.h"
#include "locking/modes.h"
#include "locking/owner.h"

namespace isolith::locking {

// How a blocker is in the way.
enum class Hold : std::uint8_t {
  wrote_key,   // and has not ended
  read_key,    // with a lock
  read_range,  // that has the key in it
  locked_table,
  uses_table,  // wrote to it, or read with locks
  locked_database,
  writes,      // anywhere
  came_first,  // it waits for the same key or table: soft
};

struct Blocker {
  Owner* owner = nullptr;
  std::uint64_t epoch = 0;
  Hold hold = Hold::wrote_key;
  std::uint64_t let_go = 0;  // the owner's, from before it was seen in the way

  // As the owner is now: to be called before it is looked whether it is in the way, or under the mutex.
  static Blocker of(Owner& owner, Hold hold) noexcept {
    return {&owner, owner.epoch.load(std::memory_order_seq_cst), hold,
            owner.let_go.load(std::memory_order_seq_cst)};
  }
};

// What is wanted: "accounts/alice", "accounts from a up to c", "the table accounts", "the database".
struct Wanted {
  std::string_view table;
  bool is_whole = false;
  std::string_view key;
  bool is_range = false;
  std::optional<std::string_view> hi;
};

// Where a transaction stands in a queue, and what reports say of it. Lives as long as the call that waits.
struct Request {
  Owner* owner = nullptr;
  WaitKind kind = WaitKind::write_lock;
  Mode mode = Mode::write;
  TableLocks* table_locks = nullptr;  // null: the database as a whole
  std::string_view table;
  std::string_view key;  // of a range: where it begins
  bool is_range = false;
  std::optional<std::string_view> hi;
  bool never_waits = false;  // `busy` instead
  bool is_holder = false;    // it holds a lock there already: it goes before those who do not
  bool may_pass = false;     // a deadlock would come of its place in line: it need not keep it
  // A write, of what its transaction sees as of then: a later commit on the key fails it, once it is awake.
  std::uint64_t fails_above = std::numeric_limits<std::uint64_t>::max();
  std::chrono::steady_clock::time_point began{};                  // the wait
  std::optional<std::chrono::steady_clock::time_point> deadline;  // from its first wait on
  bool was_rechecked = false;  // who uses the table has been looked at twice

  // For choosing a victim.
  std::uint64_t started = 0;  // the greater, the younger
  std::uint64_t writes = 0;

  // Under the graph's mutex.
  boost::container::small_vector<Blocker, 2> blockers;
  std::size_t victim_of =
      0;  // members of the circle that it was chosen from (`Owner::deadlock`); 0: it was not
  bool looks_again = false;
  std::uint64_t seen_in = 0;  // a search

  // In a queue of key_locks.h or table_locks.h; under its mutex.
  Request* next_in_queue = nullptr;
  bool is_queued = false;
  std::uint64_t hash = 0;

  void add_blocker(const Blocker& blocker);
  [[nodiscard]] Wanted wanted() const noexcept {
    return {table, kind == WaitKind::table_lock, key, is_range, hi};
  }
};

class WaitGraph {
 public:
  WaitGraph(WaitHook& hook, DeadlockVictim victim) noexcept : hook_(hook), victim_(victim) {}

  // Waits for all of the request's blockers. Ok: look again. conflict/deadlock; conflict/lock_timeout after
  // `timeout_ms` (0: no limit).
  Status wait(Request& request, std::uint64_t timeout_ms);

  // The owner holds nothing any more: who waited for it goes on. Called last when a transaction ends.
  void ended(Owner& owner);

  // The owner has left a line without what it wanted, or has taken back a lock or that it uses a table: who
  // waits for that looks again.
  void left_line(Owner& owner);

  // The owner has taken back a lock on a whole table and keeps its place: who waits for the lock looks again,
  // and who waits for the place does not. Two that took turns at looking would never wait, and their circle
  // would not be seen.
  void took_back_whole(Owner& owner);

  // The one that stood in line has written the key: who stood behind it now waits for its end.
  void got_lock(const Request& got);

  [[nodiscard]] std::uint64_t waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t deadlocks() const noexcept {
    return deadlocks_.load(std::memory_order_relaxed);
  }

  // Calls `look(const Request&)` for each that waits, with the mutex held.
  template <typename Look>
  void visit_waiting(const Look& look) {
    const std::lock_guard lock(mutex_);
    for (const Request* request : waiting_) look(*request);
  }

 private:
  struct Edge {
    Request* request;
    const Blocker* blocker;
  };
  struct Visit {
    Request* request;
    std::size_t next;  // of its blockers
  };

  std::unique_lock<std::mutex> hold();
  void let_go(Owner& owner, bool (*is_about)(Hold));
  static bool register_blockers(Request& request);
  static void drop_blocker(Request& request, std::size_t at);
  void withdraw(Request& request);
  void wake(Request& request);
  void wake_all(std::unique_lock<std::mutex>& lock);
  static std::string in_the_way(const Request& request);
  static std::string names_of_blockers(const Request& request);
  Status timed_out(const Request& request, std::uint64_t timeout_ms) const;
  bool passes_its_own_line(Request& request);
  bool opens_softly(Request& request);
  bool find_circle(Request& from);
  void break_circles(Request& request);
  Request& choose_victim() const;
  void report_to(const Request& victim) const;
  static Status failed_by(DeadlockReport& kept, std::size_t members);

  WaitHook& hook_;
  const DeadlockVictim victim_;
  std::mutex mutex_;
  std::vector<Request*> waiting_;
  std::uint64_t searches_ = 0;
  std::vector<Visit> path_;                           // of the search
  std::vector<Edge> circle_;                          // that it found
  std::vector<std::atomic<std::uint32_t>*> to_wake_;  // words that were raised
  std::atomic<std::uint64_t> waits_{0};
  std::atomic<std::uint64_t> deadlocks_{0};
};

// "T7", or "R3" for a transaction that has only read; with a label "T7 (payroll)".
std::string name_of(std::uint64_t number, std::string_view label = {});
// As reports have it; under the graph's mutex, but for the transaction's own (owner.h).
ConflictReport::Party party_of(const Owner& owner, std::string_view state);

// "accounts/alice", with bytes that do not print as \xHH, at most 64 bytes of the key.
std::string describe_key(std::string_view table, std::string_view key);

std::string describe(const Wanted& wanted);

// One readable paragraph.
std::string describe(const DeadlockReport& report);
ConflictReport conflict_of(const DeadlockReport& deadlock);

}  // namespace isolith::locking
