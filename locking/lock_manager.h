// LockManager: all read locks of a database, the lines for locks, and deadlocks. What the engine calls.
//
// The fast path: while no transaction holds a mark, a range or a table and nobody waits, a writer looks at
// one word (`is_in_use`) and at nothing else here.
//
// Invariants (README.md argues for each):
//   1. No latch is held while anything waits here.
//   2. `in_use_` is raised before the first mark is entered or the first request stands in line.
//   3. What a transaction holds is given up when it ends, and never before: not at a savepoint.
//
// Threads: any; one at a time for one owner.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "isolith/options.h"
#include "isolith/status.h"
#include "isolith/wait_hook.h"
#include "locking/key_locks.h"
#include "locking/table_locks.h"
#include "locking/wait_graph.h"

namespace isolith::locking {

class LockManager {
 public:
  // Calls its argument for each owner that there may be.
  using ForEachOwner = std::function<void(const std::function<void(Owner&)>&)>;

  LockManager(WaitHook& hook, const LockOptions& options, ForEachOwner for_each_owner);

  [[nodiscard]] bool is_in_use() const noexcept { return in_use_.load(std::memory_order_seq_cst) != 0; }
  [[nodiscard]] TableLocks& database() noexcept { return database_; }
  [[nodiscard]] WaitGraph& graph() noexcept { return graph_; }

  // ---- intentions: before the first write to a table, or its first read with locks ----

  // The common case; false: somebody has locked the whole, and `intend` has to wait.
  bool try_intend(Owner& owner, TableLocks& table, Mode intention, Request* request = nullptr);
  Status intend(Request& request, TableLocks& table, std::uint64_t timeout_ms);

  // ---- reading: the mark is entered; then the key or the range is read ----

  // The common case; false: a write stands in line.
  bool try_read_key(Owner& owner, const KeyPlace& place);
  Status read_key(Request& request, const KeyPlace& place, std::uint64_t timeout_ms);
  // Where `read_key` entered the lock and the key's row turned out to be another's: as if it had not.
  void take_back_key(Owner& owner, const KeyPlace& place);
  bool try_read_range(Owner& owner, TableLocks& table, std::string_view lo,
                      const std::optional<std::string>& hi);
  Status read_range(Request& request, TableLocks& table, const std::optional<std::string>& hi,
                    std::uint64_t timeout_ms);
  // Waits for the writer of a row that was met.
  Status wait_for(Request& request, const Blocker& writer, std::uint64_t timeout_ms);

  // ---- writing ----

  // With the leaf latched: whether no lock and nobody in line is in the way. `request`: the owner's, where it
  // stands in line. `newest`: when the row was committed that is there; 0: nobody fails for it.
  bool may_write(const Owner& owner, const KeyPlace& place, const Request* request, std::uint64_t newest);
  // Without a latch: stands in line, the first time, and waits for what is in the way, `writer` too.
  Status wait_to_write(Request& request, const KeyPlace& place, const std::optional<Blocker>& writer,
                       std::uint64_t timeout_ms);
  // To be called once for a request that `wait_to_write` was called for.
  void leave_line(Request& request, const KeyPlace& place, bool is_written);

  // ---- a table, or the database, as a whole ----
  Status lock_whole(Request& request, TableLocks& table, std::uint64_t timeout_ms);

  // What transactions hold and wait for: of one moment for each part.
  struct Listed {
    std::uint64_t transaction = 0;
    Mode mode = Mode::read;
    const TableLocks* table = nullptr;  // null: the database
    bool is_whole = false;
    std::string key;
    bool is_range = false;
    std::optional<std::string> hi;
    bool is_waiting = false;
    std::vector<std::uint64_t> waits_for;
  };
  // `tables`: those whose ranges and locks are listed.
  std::vector<Listed> list(const std::vector<TableLocks*>& tables);

  // The marks and ranges, as a part of the end. Before it only a fault does so (base/mutant.h).
  void give_up_reads(Owner& owner);

  // The transaction has ended: gives everything up and wakes who waited for it.
  void end(Owner& owner);

  // Lock memory, in bytes, about; and how often locks were widened to keep to the budget.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t escalations() const noexcept {
    return escalations_.load(std::memory_order_relaxed);
  }

 private:
  void begin_use(Owner& owner);
  void account(Owner& owner);
  void escalate(Owner& owner);
  bool find_users(Request& request, const TableLocks& table);

  const LockOptions options_;
  const std::uint64_t tell_bytes_;
  const ForEachOwner for_each_owner_;
  WaitGraph graph_;
  KeyLocks keys_;
  TableLocks database_;
  alignas(64) std::atomic<std::uint64_t> in_use_{0};  // owners that hold marks, and requests that wait
  alignas(64) std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> escalations_{0};
  std::atomic<std::uint64_t> readers_{0};  // numbers given to transactions that only read
};

}  // namespace isolith::locking
