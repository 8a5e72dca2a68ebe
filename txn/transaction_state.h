// TransactionState: all that the engine keeps of one running transaction; Slots: where they live.
//
// A state is a slot that is used again by one transaction after another and is never freed while the database
// object lives, so that others may look at its shared words at any time.
//
// Threads: the words of the first part by any thread, the rest by the transaction's own (one at a time), and
// by the checkpointer while the gate is closed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "btree/page_chain.h"
#include "isolith/options.h"
#include "locking/owner.h"
#include "locking/tracked.h"
#include "mvcc/version_store.h"
#include "mvcc/visibility.h"

namespace isolith::txn {

enum class Phase : std::uint8_t { active, committed, aborted };

// Where to roll back to.
struct SavepointMark {
  std::uint32_t number = 0;  // of this transaction's savepoints
  mvcc::Version* newest = nullptr;
  std::size_t redo_bytes = 0;
};

struct TableInfo;

// What a transaction has read last, by its key, and where no mark says so yet (core_read.cc).
struct LastRead {
  const TableInfo* table = nullptr;  // null: nothing
  std::string key;
  std::string value;      // room for one
  PageId leaf = kNoPage;  // where it was found without a latch
  std::uint64_t leaf_version = 0;
  bool is_expected = false;  // what is found next is it
  bool is_again = false;     // it is being read again: it has its mark, and observers were told

  [[nodiscard]] bool is_set() const noexcept { return table != nullptr; }
};

// A snapshot as its transaction announces it in one word: never 0.
struct SnapshotWord {
  Timestamp ts{};
  bool may_write = false;  // its transaction may write, and has to meet what was erased since

  [[nodiscard]] std::uint64_t encode() const noexcept { return (raw(ts) + 1) << 1 | (may_write ? 1U : 0U); }
  static SnapshotWord decode(std::uint64_t word) noexcept {
    return {Timestamp{(word >> 1) - 1}, (word & 1) != 0};
  }
};

struct alignas(64) TransactionState {
  // ---- shared words ----
  std::atomic<std::uint32_t> in_use{0};
  std::atomic<std::uint32_t> in_gate{0};
  std::atomic<std::uint64_t> id{0};           // 0: has not written
  std::atomic<std::uint64_t> start_ts{0};     // what was published when it began; 0: no transaction here
  std::atomic<std::uint64_t> snapshot{0};     // the oldest that it reads from, as a SnapshotWord; 0: none
  std::atomic<std::uint64_t> expired{0};      // the SnapshotWord that was failed: what it needs may be gone
  std::atomic<std::uint64_t> snapshot_ms{0};  // when it was taken, by the coarse clock
  std::atomic<std::uint64_t> start_ms{0};     // when it began, by the coarse clock
  std::atomic<const IsolationPolicy*> built_in{nullptr};  // its level, for reports; null: see `Description`
  std::atomic<bool> broken{
      false};  // its rollback failed: its rows stay in progress until the database is reopened

  // ---- the owner's ----
  alignas(64) std::atomic<std::uint32_t> handles{0};  // the Transaction and its cursors
  Phase phase = Phase::aborted;
  bool read_only = false;
  bool is_described = false;  // reports know more of it than is here
  Durability durability = Durability::sync;
  ReadView view = ReadView::newest_committed;
  ReadLocks read_locks = ReadLocks::none;
  std::uint64_t lock_timeout_ms = 0;
  std::uint64_t first_writes = 0;       // `writes` when it began
  const void* written_table = nullptr;  // the last one that it said it writes to (core_locks.cc)
  Timestamp as_of{};                    // what it reads from, where `view` is `snapshot`
  std::uint8_t tag = 0;                 // for the status table (snapshots.cc)
  std::uint64_t serial = 0;             // of this transaction among those of the slot
  mvcc::UndoLog* undo = nullptr;        // from its first write on
  std::string redo;                     // operations, what was spilled not counted
  bool spilled = false;
  Lsn first_part{};                        // where its first part is in the log, when spilled
  std::uint64_t writes = 0;                // rows changed so far: a cursor looks again after its own
  PageId pending_chain = kNoPage;          // a large value that no row refers to yet
  bool changes_tables = false;             // it made or dropped some
  std::optional<btree::ChainWriter> tail;  // of the large value that it appended to last
  Timestamp seen_ts{};                     // newest commit that it read and that may not be durable yet
  std::vector<SavepointMark> savepoints;
  std::uint32_t savepoints_made = 0;
  std::vector<TransactionState*> cursor_slots;  // that announce snapshots of its cursors
  std::uint32_t index = 0;                      // of the slot
  locking::Owner owner;                         // what it holds and waits for
  locking::Tracked* tracked = nullptr;          // where what it reads is remembered
  locking::Tracked* place = nullptr;  // for that, and for what others are to see of one at another level
  LastRead last_read;

  [[nodiscard]] bool is_tracking() const noexcept { return tracked != nullptr; }

  [[nodiscard]] TransactionId own_id() const noexcept {
    return TransactionId{id.load(std::memory_order_relaxed)};
  }
};

class Slots {
 public:
  static constexpr std::uint32_t kSlotsMax = 65536;

  Slots() : places_(new std::atomic<TransactionState*>[kSlotsMax]()) {}
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // A free slot, the one that this thread had last if it can; null when all are in use.
  TransactionState* acquire();
  static void release(TransactionState& state) noexcept { state.in_use.store(0, std::memory_order_release); }

  // Slots that were ever used; `at(i)` for i below it.
  [[nodiscard]] std::uint32_t count() const noexcept { return count_.load(std::memory_order_seq_cst); }
  [[nodiscard]] TransactionState& at(std::uint32_t index) const noexcept {
    return *places_[index].load(std::memory_order_acquire);
  }

 private:
  std::unique_ptr<std::atomic<TransactionState*>[]> places_;
  std::atomic<std::uint32_t> count_{0};
  std::mutex grow_mutex_;
};

}  // namespace isolith::txn
