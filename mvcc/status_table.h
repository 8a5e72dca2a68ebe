// StatusTable: what became of each writing transaction, indexed by its id. Commit is one store into it.
//
// Ids below the horizon are settled: committed for everybody who may still ask, and durable, or rolled back
// without a trace. They are not looked up at all, and their entries are used again.
//
// Invariants:
//   1. An entry is in_progress until its one change, to a timestamp or to `aborted`; `aborted` is stored
//      after the last of its rows is gone from the pages.
//   2. The horizon is raised (release) before the entries below it are taken away. A reader that finds the
//      entry of a chunk that was taken away meanwhile, or of its successor, therefore sees the raised horizon
//      when it looks again (`find`).
//   3. Chunks are never given back to the system while the table lives, so a stale pointer reads an entry of
//      some chunk.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "isolith/status.h"

namespace isolith::mvcc {

enum class TransactionState : std::uint8_t { in_progress, committed, aborted };

struct TransactionStatus {
  TransactionState state = TransactionState::in_progress;
  Timestamp commit_ts{};  // when committed; 0: settled, before every snapshot
};

class StatusTable {
 public:
  // The first id to be given out; everything below is settled.
  explicit StatusTable(TransactionId first);
  ~StatusTable();

  // A new id, in progress. 0 when 2^28 ids are in use between the horizon and the newest.
  TransactionId begin();

  [[nodiscard]] TransactionId next_id() const noexcept {
    return TransactionId{next_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] TransactionId horizon() const noexcept {
    return TransactionId{horizon_.load(std::memory_order_acquire)};
  }

  [[nodiscard]] TransactionStatus find(TransactionId id) const noexcept;

  void set_committed(TransactionId id, Timestamp ts) noexcept {
    entry(id).store(raw(ts), std::memory_order_release);
  }
  void set_aborted(TransactionId id) noexcept { entry(id).store(kAborted, std::memory_order_release); }

  // Raises the horizon past every id that is aborted, or committed at or before `visible_to_all`. One thread
  // at a time.
  void advance(Timestamp visible_to_all);

 private:
  static constexpr std::uint64_t kAborted = ~std::uint64_t{0};
  static constexpr std::uint64_t kChunkIds = 4096;
  static constexpr std::uint64_t kChunks = 65536;
  struct Chunk {
    std::atomic<std::uint64_t> entries[kChunkIds];
  };

  [[nodiscard]] std::atomic<Chunk*>& place(std::uint64_t id) const noexcept {
    return chunks_[id / kChunkIds % kChunks];
  }
  [[nodiscard]] std::atomic<std::uint64_t>& entry(TransactionId id) const noexcept {
    return place(raw(id)).load(std::memory_order_acquire)->entries[raw(id) % kChunkIds];
  }

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
  alignas(64) std::atomic<std::uint64_t> next_;
  alignas(64) std::atomic<std::uint64_t> horizon_;
  std::mutex chunk_mutex_;
  std::vector<std::unique_ptr<Chunk>> owned_;
  std::vector<Chunk*> spare_;
};

}  // namespace isolith::mvcc
