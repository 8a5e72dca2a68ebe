// SegmentPool: the segments of a log's directory: those in use, the next one, and a few to recycle.
//
// Invariants:
//   1. Segments in use are in ascending order; each but the first begins where the one before ended, or later
//      (after the log was begun anew at a higher LSN, or where one between them has been released).
//   2. The last segment in use, the one that is appended to, is never released.
//   3. The next segment is ready (segment.h, invariant 1) before anyone is given it.
//
// Threads: any, apart from the part for opening. Latch order: prepare mutex > list mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file.h"
#include "wal/segment.h"

namespace isolith::wal {

inline constexpr std::size_t kSpareSegmentsMax = 2;

class SegmentPool {
 public:
  SegmentPool(base::FileSystem& file_system, std::string directory, std::uint64_t database_id,
              std::uint64_t segment_bytes);

  // ---- opening: one thread, before all else ----

  // Takes every segment of the directory into use; removes half made ones.
  Status load();

  // Removes the segments that begin behind `end`, and syncs the directory. The one that follows on the
  // segment with `end` becomes the next one instead if `may_keep` says that no unit in it is one for its
  // place.
  Status drop_after(Lsn end, const std::function<Result<bool>(Segment&)>& may_keep);

  // Makes a first segment, which begins at `start`.
  Status begin_at(Lsn start);

  // The segments in use, ascending; valid until the next call of any member.
  [[nodiscard]] const std::vector<std::unique_ptr<Segment>>& in_use() const noexcept { return in_use_; }

  // ---- in use ----

  // The segment with `lsn`; null if there is none. Valid until it is released.
  [[nodiscard]] Segment* holding(Lsn lsn) const;

  // Takes the next segment into use, and makes it first where that has not been done. An error changes
  // nothing.
  Result<Segment*> take_next();

  // Makes the next segment if there is none.
  Status prepare_next();

  // Keeps a few of the segments that end at or before `lsn` to recycle them, and removes the others.
  Status release_before(Lsn lsn);

  [[nodiscard]] std::uint64_t disk_bytes() const noexcept {
    return disk_bytes_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] base::FileSystem& file_system() const noexcept { return *file_system_; }
  [[nodiscard]] std::uint64_t database_id() const noexcept { return database_id_; }

 private:
  Status load_file(const std::string& name, Lsn start);
  Status remove(std::unique_ptr<Segment> segment);
  Result<std::unique_ptr<Segment>> make(Lsn start);
  Status prepare_next_locked();  // prepare mutex held

  base::FileSystem* file_system_;
  const std::string directory_;
  const std::uint64_t database_id_;
  const std::uint64_t segment_bytes_;

  std::mutex prepare_mutex_;       // held while a segment is made
  mutable std::mutex list_mutex_;  // held for moments; protects what follows
  std::vector<std::unique_ptr<Segment>> in_use_;
  std::unique_ptr<Segment> next_;
  std::vector<std::unique_ptr<Segment>> spares_;
  std::atomic<std::uint64_t> disk_bytes_{0};
};

}  // namespace isolith::wal
