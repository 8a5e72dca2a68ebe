// TableDirectory: what is known of each table by its id: its tree's root, and whether it can still be used.
//
// Ids are never given out twice, so that an old handle never means another table.
//
// A dropped table's tree is freed when every transaction that began before the drop was published has ended:
// an operation checks `dropped` after its transaction announced its beginning (sequentially consistent), the
// collector looks at the beginnings after `dropped` was set; one of the two sees the other.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "locking/table_locks.h"

namespace isolith::txn {

struct TableInfo {
  TableId id{};
  PageId root{};
  std::string name;
  std::atomic<std::uint64_t> creator{0};  // the transaction that made it, in progress: its alone
  std::atomic<std::uint64_t> dropper{0};  // the transaction that dropped it and is in progress
  std::atomic<std::uint64_t> created_ts{0};  // set before `creator` is cleared; 0: before every snapshot
  std::atomic<std::uint64_t> dropped_ts{0};  // set before `dropped`; 0: it never was there for anybody
  std::atomic<bool> dropped{false};       // for everybody but older snapshots
  mutable locking::TableLocks locks;
};

class TableDirectory {
 public:
  TableDirectory() : chunks_(new std::atomic<Chunk*>[kChunks]()) {}
  ~TableDirectory() {
    for (std::uint32_t i = 0; i < kChunks; ++i) delete chunks_[i].load(std::memory_order_relaxed);
  }
  TableDirectory(const TableDirectory&) = delete;
  TableDirectory& operator=(const TableDirectory&) = delete;

  // Null for an id that no table has or had since the database was opened.
  [[nodiscard]] TableInfo* find(TableId id) const noexcept {
    const Chunk* chunk = chunks_[raw(id) / kChunkTables % kChunks].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : chunk->tables[raw(id) % kChunkTables].load(std::memory_order_acquire);
  }

  TableInfo& add(TableId id, PageId root, std::string_view name) {
    const std::lock_guard lock(mutex_);
    auto& place = chunks_[raw(id) / kChunkTables % kChunks];
    if (place.load(std::memory_order_relaxed) == nullptr) place.store(new Chunk, std::memory_order_release);
    auto info = std::make_unique<TableInfo>();
    info->id = id;
    info->root = root;
    info->name = name;
    TableInfo* added = info.release();
    delete place.load(std::memory_order_relaxed)
        ->tables[raw(id) % kChunkTables]
        .exchange(added, std::memory_order_acq_rel);
    return *added;
  }

 private:
  static constexpr std::uint32_t kChunkTables = 1024;
  static constexpr std::uint32_t kChunks = 65536;  // 64 million tables over the database's life
  struct Chunk {
    std::atomic<TableInfo*> tables[kChunkTables] = {};
    ~Chunk() {
      for (auto& table : tables) delete table.load(std::memory_order_relaxed);
    }
  };

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
  std::mutex mutex_;
};

}  // namespace isolith::txn
