// LogReader: reads units in LSN order, tells a torn tail from damage.
//
// The log ends at the first position without a valid unit, if nothing behind it proves that this position was
// synced. It was synced when a valid unit behind it (same segment or a later one) is a `mark` whose LSN lies
// beyond the position, or when `synced_at_least` does: that is `corruption`, with file, offset, expected and
// found.
//
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "wal/unit.h"

namespace isolith::wal {

struct LogReaderOptions {
  base::FileSystem* file_system = nullptr;
  std::string directory;
  std::uint64_t database_id = 0;
  Lsn synced_at_least{};  // known from elsewhere (the checkpoint)
};

class LogReader {
 public:
  // `corruption` when the segment that holds `start` is missing though it must be there.
  static Result<std::unique_ptr<LogReader>> open(const LogReaderOptions& options, Lsn start);
  virtual ~LogReader() = default;

  // The next `commit`, `part` or `part_commit`; false at the end of the log.
  virtual Result<bool> next(Unit& unit) = 0;

  // Once next() gave false: the end of the last valid unit, and how many bytes of units behind it were
  // dropped.
  [[nodiscard]] virtual Lsn end() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t torn_tail_bytes() const noexcept = 0;
};

}  // namespace isolith::wal
