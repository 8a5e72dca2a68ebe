// Owner: a transaction as the locks know it; a part of its slot, used by one transaction after another and
// never freed while the database lives.
//
// Invariants:
//   1. `epoch` counts the transactions that ended here, after all that they held was given up. A blocker
//      (wait_graph.h) names a transaction by its owner and epoch, so it never means a later one.
//   2. Who begins to wait raises `waiters` and then looks at the epoch; who ends raises the epoch and then
//      looks at `waiters`, both sequentially consistent: the waiter sees the end, or is seen.
//      `let_go` likewise.
//   3. `intends` has each table that the transaction wrote to or read with locks before it does so; past
//      their number `more_intends` has them, and `intends_more` says so.
//   4. `policy` and `label` stay as they are from before it locks or writes anything to behind its end here.
//      Who has it among his blockers may read them under the graph's mutex: until those are dropped, under
//      it, the end goes no farther.
//
// Threads: the first part by any; the rest by the transaction's own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "isolith/isolation.h"
#include "isolith/status.h"

namespace isolith::locking {

struct KeyMark;
struct Request;
class TableLocks;

// A range that a transaction has read, [lo, hi); an absent `hi` is the table's end.
struct HeldRange {
  TableLocks* table = nullptr;
  std::string lo;
  std::optional<std::string> hi;
};

// Numbers of transactions that only read begin behind this one: no writer's gets there.
inline constexpr std::uint64_t kReaderNumber = std::uint64_t{1} << 62;

struct Owner {
  static constexpr std::size_t kIntents = 8;

  std::atomic<std::uint64_t> epoch{0};
  std::atomic<std::uint64_t> let_go{0};   // times that it got out of somebody's way before its end
  std::atomic<std::uint32_t> waiters{0};  // blockers that name it, over all requests that wait
  std::atomic<std::uint32_t> word{0};     // it sleeps on it; raised by whoever wakes it
  std::atomic<std::uint64_t> number{0};   // as reports name it; 0: it neither wrote nor locked yet
  const IsolationPolicy* policy = nullptr;
  std::string_view label;  // for reports
  std::array<std::atomic<std::uint64_t>, kIntents>
      intends{};  // a table and a mode (lock_manager.cc); 0: none
  std::atomic<bool> intends_more{false};
  std::mutex more_mutex;
  std::vector<std::uint64_t> more_intends;  // changed by the transaction's own thread, under the mutex

  Request* request = nullptr;  // what it waits for; under the graph's mutex
  DeadlockReport deadlock;     // likewise; once it was chosen to fail, and waits no more, its own

  KeyMark* marks = nullptr;        // keys that it read with a lock, newest first
  KeyMark* spare_marks = nullptr;  // to be used again
  std::size_t spare_marks_count = 0;
  std::vector<HeldRange> ranges;
  std::vector<TableLocks*> tables;  // that it locked as a whole
  std::uint64_t bytes = 0;          // of memory for marks and ranges
  std::uint64_t bytes_told = 0;     // of them, counted in the manager's sum
  std::size_t intents = 0;          // places of `intends` in use
  bool is_locking = false;          // it is counted among those who hold marks
};

}  // namespace isolith::locking
