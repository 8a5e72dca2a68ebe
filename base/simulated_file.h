// SimulatedFile: the contents of one file of the simulated disk: what is read, what is durable, and the
// changes between.
//
// Invariants:
//   1. `durable_` with all of `changes_` applied in order is `cached_`. So nothing is pending after a good
//      sync unless one failed before it.
//   2. A change that met a failed sync is never moved to `durable_` by a later good one, unless it is a cut
//      or a discard: those are the file system's own records, not the file's bytes. Later changes of the same
//      bytes have taken them out of it.
//
// After a crash (the model of file.h's first promise): the lengths, cuts and discards of the first n changes
// hold, n drawn. Each sector that was written is as it stood in the cache right after one of its writes,
// drawn, or as it was durable.
//
// Threads: the disk's mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/crash_draw.h"
#include "base/sparse_image.h"

namespace isolith::base {

class SimulatedFile {
 public:
  // `tracked` false: nothing but the cached bytes is kept.
  explicit SimulatedFile(bool tracked, SparseImage contents = {})
      : tracked_(tracked), cached_(contents), durable_(tracked ? contents : SparseImage()) {}

  [[nodiscard]] const SparseImage& contents() const noexcept { return cached_; }

  void write(std::uint64_t offset, const void* data, std::size_t size);
  void resize(std::uint64_t size);
  void discard(std::uint64_t offset, std::uint64_t size);

  void sync();
  void fail_sync();

  // What might be found after a crash now.
  [[nodiscard]] SparseImage after_crash(CrashDraw& draw) const;

 private:
  struct Change {
    bool is_write = false;  // otherwise [begin, end) became zero, and may be empty
    bool met_failed_sync = false;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t size_after = 0;  // of the file
    std::string bytes;             // of a write
  };

  // One sector that a pending write touched, and that write's place in changes_.
  struct Touch {
    std::uint64_t sector;
    std::size_t change;
    friend auto operator<=>(const Touch&, const Touch&) = default;
  };

  void note_zeros(std::uint64_t begin, std::uint64_t end);
  void sync_after_failure();
  static void take_out(std::vector<Change>& writes, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::vector<Touch> touches(std::size_t sector_bytes) const;
  [[nodiscard]] std::string sector_after(std::span<const Touch> writes, std::size_t sector_bytes,
                                         const std::vector<std::size_t>& zeros, std::size_t kept_first) const;

  bool tracked_;
  SparseImage cached_;
  SparseImage durable_;
  std::vector<Change> changes_;
};

}  // namespace isolith::base
