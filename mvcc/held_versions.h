// HeldVersions: what is kept of committed transactions for snapshots that still live, sorted by who holds it
// back.
//
// An item is a version that the snapshot needs, or a tombstone that it keeps in its leaf, or both. It is with
// the newest snapshot before the item's end. When that one ends, the item goes on to the next older snapshot
// that needs it, or is dropped. So an item is looked at once for each snapshot that ends, never for each
// commit, and for each key and snapshot there is one version at most.
//
// (Böttcher et al., "Scalable Garbage Collection for In-Memory MVCC Systems", 2019, prune chains against the
// list of snapshots, too, but at each update; with the items sorted by their holder nobody walks a chain.)
//
// Threads: the collector's turn.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "mvcc/live_snapshots.h"
#include "mvcc/version_store.h"

namespace isolith::mvcc {

// A version in memory of its own, with its value or without.
Version* make_held(const Version& version, bool with_value);
void free_held(Version* version) noexcept;

// Of one snapshot. Linked by `older_in_log`.
struct HeldList {
  Version* first = nullptr;
  Version* unspillable = nullptr;  // tombstones without a value, and large values
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

class HeldVersions {
 public:
  HeldVersions() = default;
  ~HeldVersions();
  HeldVersions(const HeldVersions&) = delete;
  HeldVersions& operator=(const HeldVersions&) = delete;

  void hold(Timestamp snapshot, Version* version);

  // Takes out what a snapshot holds that lives no longer, one at a time; null: there is none.
  Version* take_ended(const LiveSnapshots& live) noexcept;
  // Takes out one that can be spilled.
  Version* take_spillable(Timestamp snapshot) noexcept;

  [[nodiscard]] const std::map<Timestamp, HeldList>& by_snapshot() const noexcept { return by_snapshot_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  using Lists = std::map<Timestamp, HeldList>;
  Version* take(Lists::iterator at, Version*& from) noexcept;

  Lists by_snapshot_;  // without empty ones
  std::uint64_t bytes_ = 0;
};

}  // namespace isolith::mvcc
