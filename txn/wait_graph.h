// WaitGraph: who waits for whom, and the wait itself. A deadlock is found by whoever would close the circle,
// at once.
//
// A transaction waits for one other at a time (the writer of a row), so every node has at most one edge out
// and the search is a walk. Invariant: the graph has no circle, since an edge that would close one is refused
// under the mutex.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"
#include "isolith/status.h"
#include "isolith/wait_hook.h"
#include "mvcc/status_table.h"
#include "txn/transaction_state.h"

namespace isolith::txn {

class WaitGraph {
 public:
  WaitGraph(Slots& slots, mvcc::StatusTable& statuses, WaitHook& hook) noexcept
      : slots_(slots), statuses_(statuses), hook_(hook) {}

  // Waits until `holder` has ended. conflict/deadlock: it waits for `waiter`, directly or not;
  // conflict/lock_timeout.
  Status wait(TransactionState& waiter, TransactionId holder, std::string_view table, std::string_view key,
              std::uint64_t timeout_ms);

  [[nodiscard]] std::uint64_t waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t deadlocks() const noexcept {
    return deadlocks_.load(std::memory_order_relaxed);
  }

 private:
  struct Edge {
    TransactionId holder{};
    std::string where;  // table and key, for the report
  };
  Status enter(TransactionId waiter, TransactionId holder, std::string_view table, std::string_view key);
  void leave(TransactionId waiter);

  Slots& slots_;
  mvcc::StatusTable& statuses_;
  WaitHook& hook_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Edge> edges_;
  std::atomic<std::uint64_t> waits_{0};
  std::atomic<std::uint64_t> deadlocks_{0};
};

// "accounts/alice", with bytes that do not print as \xHH, at most 64 bytes of the key.
std::string describe_key(std::string_view table, std::string_view key);

}  // namespace isolith::txn
