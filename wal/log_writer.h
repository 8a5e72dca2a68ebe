// LogWriter: appends units and makes them durable, many commits with one sync.
//
// Invariants:
//   1. Bytes are written in LSN order; `durable_lsn` only grows, and only to an end that was written before
//      the sync which proved it began (no commit is acknowledged by a group whose sync began before its bytes
//      were written).
//   2. After a failed write or sync nothing is written again: every later call fails with that first reason.
//   3. A segment is ready (written once over its whole length, named, directory synced) before a unit goes
//      into it.
//
// Threads: `append` by one thread at a time (the caller's commit mutex); everything else from any thread.
// Latch order: caller's commit mutex > write mutex; sync mutex > write mutex > the pool's list mutex;
// caller's commit mutex > the pool's prepare mutex > its list mutex. No mutex is held during the wait for a
// group.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/ids.h"
#include "isolith/wait_hook.h"
#include "wal/unit.h"

namespace isolith::wal {

struct LogWriterOptions {
  base::FileSystem* file_system = nullptr;
  std::string directory;          // exists; holds nothing but log segments
  std::uint64_t database_id = 0;  // written into each segment's header, checked by the reader
  std::uint64_t segment_bytes = 0;
  std::uint32_t async_interval_ms = 50;
  WaitHook* wait_hook = nullptr;
  std::function<void()> on_durable;  // after each growth of durable_lsn, no mutex held; may be empty
  bool background_thread = true;     // false: nobody syncs by the clock (deterministic tests)
  std::size_t ring_bytes = std::size_t{4} << 20;  // power of two, at least four of the largest units
};

class LogWriter {
 public:
  // Goes on at `end`, the end of the last valid unit that a LogReader found (or a first LSN of a new log).
  // What lies behind it is made invalid; segments after it are removed. `durable` is `end`: the caller's
  // reader has read it back, and open writes and syncs what no mark proves once more before it returns.
  static Result<std::unique_ptr<LogWriter>> open(const LogWriterOptions& options, Lsn end,
                                                 Timestamp last_timestamp);
  virtual ~LogWriter() = default;  // writes nothing; make_durable(appended_lsn()) does

  // Appends one unit and returns the LSN behind it. `payload_crc` is crc32c(payload), taken outside the
  // mutex. At most kUnitPayloadBytesMax of payload. Copies into the ring; writes (without sync) when the ring
  // is full. Where a new segment is needed and can not be made (`no_space`, `io_error`), nothing was appended
  // and a later call may succeed; after a failed write see invariant 2.
  virtual Result<Lsn> append(UnitKind kind, Timestamp timestamp, TransactionId transaction,
                             std::string_view payload, std::uint32_t payload_crc) = 0;

  // Returns once `durable_lsn() >= lsn`: leads a group, or waits for its leader through the hook.
  virtual Status make_durable(Lsn lsn, TransactionId waiter) = 0;

  // The background thread makes what is appended durable within `async_interval_ms` of the first such call
  // (one relaxed load where it has been asked already).
  virtual void request_async() noexcept = 0;

  // The end of what was appended; of what is durable; the timestamp of the newest durable commit.
  [[nodiscard]] virtual Lsn appended_lsn() const noexcept = 0;
  [[nodiscard]] virtual Lsn durable_lsn() const noexcept = 0;
  [[nodiscard]] virtual Timestamp durable_timestamp() const noexcept = 0;

  // ok, or the first reason why nothing more can be written.
  [[nodiscard]] virtual Status health() const = 0;

  // Segments that end at or before `lsn` are not needed any more: recycled (a few) or removed.
  virtual Status release_before(Lsn lsn) = 0;

  [[nodiscard]] virtual std::uint64_t disk_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t sync_count() const noexcept = 0;
};

// Removes all segments of a directory and syncs it: for a database that was never made to its end, whose log
// nobody needs. (LogWriter::open refuses segments with another database id.)
Status remove_log(base::FileSystem& file_system, const std::string& directory);

}  // namespace isolith::wal
