// VersionStore: the older versions of rows, in memory; and UndoLog, the ones that one transaction replaced.
//
// A transaction that changes a row puts the old one here first. The same object is the undo of the
// transaction and the version that older readers see: rolling back puts it into the leaf again, collecting
// drops it. (Neumann, Mühlbauer, Kemper, "Fast Serializable Multi-Version Concurrency Control for Main-Memory
// Database Systems", 2015; Freitag, Kemper, Neumann, "Memory-Optimized Multi-Version Concurrency Control for
// Disk-Based Database Systems", 2022.)
//
// Once its transaction has committed, a version that some snapshot needs moves to memory of its own
// (`held_versions.h`), and the undo log is used again.
//
// Invariants:
//   1. For one key, versions are found newest first; the row in the leaf is newer than all of them.
//   2. A version is entered and rolled back under the exclusive latch of the key's leaf, and looked up under
//      a shared one: leaf and store are seen at one moment. Collecting needs no leaf latch, it drops what
//      nobody may ask for. It does not drop in order: what is older may be there longer, for an old snapshot.
//   3. A version's contents do not change while it is in the store; but for `shares_value`, under the leaf's
//      latch or, once it is committed, by the collector, and `is_purged`.
//   4. Memory of an UndoLog is used again only after its versions left the store and no checkpoint is saving
//      undo.
//
// Latch order: leaf > shard.
//
// Threads: the store by any; an UndoLog by its transaction, then by the collector.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "btree/node.h"

namespace isolith::mvcc {

enum class VersionKind : std::uint8_t {
  row,           // what the key had
  absent,        // the key was not there
  create_table,  // no key: the table was made; undone by freeing its tree
  drop_table,    // no key: its tree goes when nobody can use the table any more
};

struct Version {
  Version* next_in_bucket = nullptr;
  Version** from_in_bucket =
      nullptr;  // what points to it there: the oldest of many versions of a hot key goes in one step
  Version* older_in_log = nullptr;  // what the same transaction replaced before
  TransactionId superseder{};       // who replaced it
  TransactionId writer{};           // who had written it
  TableId table{};
  PageId root{};
  std::uint64_t hash = 0;
  std::uint32_t value_size = 0;
  std::uint16_t key_size = 0;
  VersionKind kind = VersionKind::row;
  btree::RowFlags flags = btree::RowFlags::none;
  bool erases = false;  // the row that replaced it may be a tombstone: to be removed when this is collected
  bool shares_value = false;  // the row that replaced it refers to the same large value
  bool is_in_store =
      false;               // changed by who enters it, then by the collector; `from_in_bucket` by neighbours
  bool is_purged = false;  // of a tombstone: nobody will come for it again, so it must not come back;
                           // under the exclusive latch of the key's leaf

  [[nodiscard]] std::string_view key() const noexcept { return {bytes(), key_size}; }
  [[nodiscard]] std::string_view value() const noexcept { return {bytes() + key_size, value_size}; }
  [[nodiscard]] bool is_own_older() const noexcept { return writer == superseder; }
  // A value, not a tombstone and not nothing: only that is ever needed by a snapshot.
  [[nodiscard]] bool has_value() const noexcept {
    return kind == VersionKind::row && !btree::has(flags, btree::RowFlags::erased);
  }
  [[nodiscard]] const char* bytes() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
};

// The versions that one transaction replaced, newest first, in memory of its own.
class UndoLog {
 public:
  Version* newest = nullptr;
  Timestamp commit_ts{};  // once committed
  UndoLog* next_committed = nullptr;

  // A version with room for key and value behind it, not yet in any list.
  Version* make(std::string_view key, std::string_view value);
  void link(Version* version) noexcept {
    version->older_in_log = newest;
    newest = version;
    ++count;
  }
  // Empties it; keeps one small block.
  void reset() noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  std::uint64_t count = 0;

 private:
  static constexpr std::size_t kBlockBytesMin = 2048;
  static constexpr std::size_t kBlockBytesMax = std::size_t{1} << 20;
  struct Block {
    std::unique_ptr<char[]> memory;
    std::size_t size = 0;
  };
  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // of the last block
  std::uint64_t bytes_ = 0;
};

class VersionStore {
 public:
  VersionStore();
  ~VersionStore();

  static std::uint64_t hash_of(TableId table, std::string_view key) noexcept;

  void insert(Version* version);
  void remove(Version* version);
  // `copy`, which says the same, takes the place of `version`.
  void replace(Version* version, Version* copy);

  // Calls `visit(const Version&)` for the key's versions, newest first, until it returns true. Under the
  // shard's latch.
  template <typename Visit>
  bool find(TableId table, std::string_view key, Visit&& visit) {
    const std::uint64_t hash = hash_of(table, key);
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.latch);
    for (Version* v = shard.buckets[bucket_of(hash, shard)]; v != nullptr; v = v->next_in_bucket) {
      if (v->hash == hash && v->table == table && v->key() == key && visit(*v)) return true;
    }
    return false;
  }

  // Calls `visit(Version&)` likewise, to change what the collector may.
  template <typename Visit>
  bool find_to_change(TableId table, std::string_view key, Visit&& visit) {
    return find(table, key, [&](const Version& version) { return visit(const_cast<Version&>(version)); });
  }

  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept;

 private:
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kBucketsMin = 64;

  class SpinLatch {
   public:
    void lock() noexcept;
    void unlock() noexcept { held_.store(false, std::memory_order_release); }

   private:
    std::atomic<bool> held_{false};
  };

  struct alignas(64) Shard {
    SpinLatch latch;
    std::vector<Version*> buckets;
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> bytes{0};
  };

  Shard& shard_of(std::uint64_t hash) noexcept { return shards_[hash >> 58]; }
  static std::size_t bucket_of(std::uint64_t hash, const Shard& shard) noexcept {
    return hash & (shard.buckets.size() - 1);
  }
  static std::uint64_t bytes_of(const Version& v) noexcept {
    return sizeof(Version) + v.key_size + v.value_size;
  }
  void grow(Shard& shard);

  std::unique_ptr<Shard[]> shards_;
};

}  // namespace isolith::mvcc
