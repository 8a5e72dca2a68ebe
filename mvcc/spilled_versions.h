// SpilledVersions: old versions that moved from memory to the data file: a B+tree for each snapshot and
// table, whose rows are what that snapshot holds, and no newer one.
//
// A reader looks here when the version store has no answer. What its snapshot needs is with that snapshot or
// with a newer one that lives, so it looks at those, oldest first; a tree has one version of a key at most.
// The trees are pages like others: in the cache, in checkpoints. No log tells of them; a checkpoint names
// their roots, and recovery frees them, for no snapshot outlives a crash.
//
// Row: writer and flags are the version's; its value is the superseder u64, then the value.
//
// Latch order: a leaf of a table > `mutex_` > pages of these trees. A version is added before it leaves the
// store, and moves from tree to tree under the mutex, so that a reader finds it in one place at least.
//
// Threads: `find` by any; the rest by the collector in its turn, within the checkpoint gate.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "btree/btree.h"
#include "mvcc/version_store.h"

namespace isolith::mvcc {

struct SpilledRow {
  TransactionId superseder{};
  TransactionId writer{};
  btree::RowFlags flags = btree::RowFlags::none;
  std::string key;
  std::string value;
};

class SpilledVersions {
 public:
  struct Totals {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;  // of keys and values
  };

  // Whether the version can be here: large values stay where their reference is.
  static bool takes(const Version& version) noexcept {
    return version.has_value() && !btree::has(version.flags, btree::RowFlags::large);
  }

  Status add(btree::PageCache& cache, Timestamp snapshot, const Version& version);

  // The key's versions that are with snapshots at or after `from`, until `is_it` says yes. Latches nothing
  // but pages of its own.
  Status find(btree::PageCache& cache, TableId table, std::string_view key, Timestamp from,
              const std::function<bool(const SpilledRow&)>& is_it);

  // `ended` lives no longer: each of its rows for which `is_needed` says so goes to `older`, the others go.
  // Without `older` all go.
  Status end_snapshot(btree::PageCache& cache, Timestamp ended, const Timestamp* older,
                      const std::function<bool(const SpilledRow&)>& is_needed);

  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  [[nodiscard]] std::vector<Timestamp> snapshots() const;
  [[nodiscard]] Totals totals(Timestamp snapshot) const;
  [[nodiscard]] std::vector<PageId> roots() const;

 private:
  struct Held {
    std::map<TableId, PageId> roots;
    Totals totals;
  };

  Status put(btree::PageCache& cache, Timestamp snapshot, TableId table, const SpilledRow& row);
  Status move(btree::PageCache& cache, TableId table, PageId root, Timestamp older,
              const std::function<bool(const SpilledRow&)>& is_needed);

  std::map<Timestamp, Held> by_snapshot_;  // changed under the mutex, by the collector alone
  mutable std::shared_mutex mutex_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace isolith::mvcc
