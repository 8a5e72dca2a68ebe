// KeyReads: which transactions of the level serializable_ssi have read which keys.
//
// A mark says that an active transaction has read a key, there or not, or when the last of those committed
// that have: one mark for all of them. A key is known by 64 bits of its hash (access_sets.h).
//
// Invariants:
//   1. A mark is entered before its key is read; a writer writes the row and looks for marks before it
//   commits.
//      Both take the bucket's mutex: the later one sees the other (README.md).
//   2. When a transaction commits, its marks become those of committed ones in the same hold of the bucket's
//      mutex. They are dropped once everybody active has a snapshot that is as new.
//
// Threads: any. Nothing is taken under a bucket's mutex.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "locking/tracked.h"

namespace isolith::locking {

class KeyReads {
 public:
  static constexpr std::size_t kMarkBytes = 24;

  KeyReads();

  // All return how many marks there are more (or, below zero, fewer).

  // Enters a mark, if the reader has none there; `is_new` says so. Marks of those that committed up to
  // `oldest` are dropped.
  std::int64_t enter(Tracked& reader, std::uint64_t hash, std::uint64_t oldest, bool& is_new);
  // The reader is gone and leaves nothing.
  std::int64_t give_up(const Tracked& reader, std::uint64_t hash);
  // The reader, or one that had no mark (null), has committed at `ts`.
  std::int64_t leave(const Tracked* reader, std::uint64_t hash, std::uint64_t ts, std::uint64_t oldest);
  // Drops the marks of those that committed up to `oldest`; `newest` is raised to the last of the dropped
  // ones.
  std::int64_t drop(std::uint64_t oldest, std::uint64_t& newest);

  // Calls `visit(Tracked&)` for each active one; raises `newest` to the last commit of the others. Under the
  // bucket's mutex.
  template <typename Visit>
  void visit(std::uint64_t hash, std::uint64_t& newest, const Visit& visit) {
    Bucket& bucket = bucket_of(hash);
    const std::lock_guard lock(bucket.mutex);
    for (const Mark& mark : bucket.marks) {
      if (mark.hash != hash) continue;
      if (mark.reader != nullptr) {
        visit(*mark.reader);
      } else if (mark.ts > newest) {
        newest = mark.ts;
      }
    }
  }

 private:
  static constexpr std::size_t kBuckets = std::size_t{1} << 13;

  struct Mark {
    std::uint64_t hash = 0;
    Tracked* reader = nullptr;  // null: of those that committed, the last one at `ts`
    std::uint64_t ts = 0;
  };
  struct alignas(64) Bucket {
    std::mutex mutex;
    boost::container::small_vector<Mark, 2> marks;
  };

  [[nodiscard]] Bucket& bucket_of(std::uint64_t hash) const noexcept { return buckets_[hash % kBuckets]; }

  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace isolith::locking
