// StatusTable: what became of each writing transaction, indexed by its id. Commit is one store into it.
//
// Ids below the horizon are settled: committed for everybody who may still ask, and durable, or rolled back
// without a trace. They are not looked up at all, and their entries are used again.
//
// Behind a long-lived snapshot the horizon stands still. There, a chunk whose transactions have all ended,
// and whose commits are the same to every snapshot, shrinks to one timestamp (`compact`): 8 bytes for 4,096
// transactions.
//
// Invariants:
//   1. An entry is in_progress until its one change, to a timestamp or to `aborted`; `aborted` is stored
//      after the last of its rows is gone from the pages.
//   2. What a place says of its ids changes before the chunk that it held is used again: the horizon is
//      raised, or the place is shrunk. A reader looks at the place once more after it read the entry, so it
//      never takes an entry of the chunk's next life for its own (`find`).
//   3. Chunks are never given back to the system while the table lives, so a stale pointer reads an entry of
//      some chunk.
//
// Threads: any; `advance` and `compact` by one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "isolith/status.h"
#include "mvcc/live_snapshots.h"

namespace isolith::mvcc {

enum class TransactionState : std::uint8_t { in_progress, committed, aborted };

struct TransactionStatus {
  TransactionState state = TransactionState::in_progress;
  Timestamp commit_ts{};  // when committed; 0: settled, before every snapshot. Of a chunk that was shrunk: of
                          // the newest in it
};

class StatusTable {
 public:
  static constexpr std::uint8_t kTags = 16;

  // The first id to be given out; everything below is settled.
  explicit StatusTable(TransactionId first);
  ~StatusTable();

  // A new id, in progress. 0 when 2^34 ids are in use between the horizon and the newest.
  TransactionId begin();

  [[nodiscard]] TransactionId next_id() const noexcept {
    return TransactionId{next_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] TransactionId horizon() const noexcept {
    return TransactionId{horizon_.load(std::memory_order_acquire)};
  }

  [[nodiscard]] TransactionStatus find(TransactionId id) const noexcept;
  // Whether the time that `find` has answered may be of another one in its chunk, which was shrunk.
  [[nodiscard]] bool is_of_chunk(TransactionId id) const noexcept {
    return is_shrunk(place(raw(id)).load(std::memory_order_acquire));
  }

  // `tag`: below `kTags`, for `tag_of`.
  void set_committed(TransactionId id, Timestamp ts, std::uint8_t tag = 0) noexcept {
    entry(id).store(raw(ts) << kTagBits | tag, std::memory_order_release);
  }
  // Of one that committed; 0 where that is not known any more: it is settled, or its chunk was shrunk.
  [[nodiscard]] std::uint8_t tag_of(TransactionId id) const noexcept;
  void set_aborted(TransactionId id) noexcept { entry(id).store(kAborted, std::memory_order_release); }

  // Raises the horizon past every id that is aborted, or committed at or before `visible_to_all`.
  void advance(Timestamp visible_to_all);

  // Shrinks chunks above the horizon.
  void compact(const LiveSnapshots& live);

  [[nodiscard]] std::uint64_t chunks_in_use() const noexcept;

 private:
  // An entry: 0, in progress; a timestamp and a tag; or this.
  static constexpr std::uint64_t kAborted = ~std::uint64_t{0};
  static constexpr unsigned kTagBits = 4;
  static constexpr std::uint64_t kChunkIds = 4096;
  static constexpr std::uint64_t kPlaces = std::uint64_t{1} << 22;
  static constexpr std::size_t kRetriesMax = 8;
  struct Chunk {
    std::atomic<std::uint64_t> entries[kChunkIds];
  };
  // A place: 0, nothing; a pointer to a chunk; or, odd, what a chunk shrank to: its newest commit.
  using Place = std::atomic<std::uint64_t>;
  static bool is_shrunk(std::uint64_t word) noexcept { return (word & 1) != 0; }
  static Chunk* chunk_of(std::uint64_t word) noexcept { return reinterpret_cast<Chunk*>(word); }

  [[nodiscard]] Place& place(std::uint64_t id) const noexcept { return places_[id / kChunkIds % kPlaces]; }
  [[nodiscard]] std::atomic<std::uint64_t>& entry(TransactionId id) const noexcept {
    return chunk_of(place(raw(id)).load(std::memory_order_acquire))->entries[raw(id) % kChunkIds];
  }
  bool shrink(std::uint64_t base, const LiveSnapshots& live);
  void take_away(std::uint64_t base, std::uint64_t word);

  struct Free {
    void operator()(Place* places) const noexcept { std::free(places); }
  };
  std::unique_ptr<Place[], Free> places_;  // zero pages of the system until they are used
  alignas(64) std::atomic<std::uint64_t> next_;
  alignas(64) std::atomic<std::uint64_t> horizon_;
  std::uint64_t compacted_;              // whole chunks below it have been tried
  std::vector<std::uint64_t> stubborn_;  // of them, those that could not be shrunk then
  mutable std::mutex chunk_mutex_;
  std::vector<std::unique_ptr<Chunk>> owned_;
  std::vector<Chunk*> spare_;
};

}  // namespace isolith::mvcc
