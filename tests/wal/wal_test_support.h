// What the tests of the log share: options for small logs, reading a whole log, and a log with a model of it.
//
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/random.h"
#include "base/simulated_disk.h"
#include "wal/log_reader.h"
#include "wal/log_writer.h"
#include "wal/segment.h"

namespace isolith::wal {

inline constexpr char kDirectory[] = "wal";
inline constexpr std::uint64_t kDatabaseId = 0x1122334455667788;

struct Written {
  UnitKind kind = UnitKind::commit;
  Timestamp timestamp{};
  TransactionId transaction{};
  std::string payload;
  Lsn end{};

  friend bool operator==(const Written& a, const Written& b) {
    return a.kind == b.kind && a.timestamp == b.timestamp && a.transaction == b.transaction &&
           a.payload == b.payload && (a.end == b.end || a.end == Lsn{} || b.end == Lsn{});
  }
};

inline std::ostream& operator<<(std::ostream& out, const Written& unit) {
  return out << "unit of T" << raw(unit.transaction) << " at " << raw(unit.timestamp) << " with "
             << unit.payload.size() << " bytes that ends at " << raw(unit.end);
}

struct ReadLog {
  std::vector<Written> units;
  Lsn end{};
  std::uint64_t torn_tail_bytes = 0;
};

// A disk with the durable, empty directory kDirectory.
std::unique_ptr<base::SimulatedDisk> disk_with_directory();

// Small segments, a small ring, no background thread.
LogWriterOptions small_log(base::FileSystem& disk, std::uint64_t segment_bytes = 4096);

Result<ReadLog> read_log(base::FileSystem& disk, Lsn start = Lsn{}, Lsn synced_at_least = Lsn{});

Result<Lsn> append(LogWriter& writer, const Written& unit);

// A commit that no other one is equal to, of 0 to `payload_bytes_max` bytes.
Written random_commit(base::Random& random, std::uint64_t number, std::size_t payload_bytes_max);

std::string read_file(base::FileSystem& disk, const std::string& path);
void write_file(base::FileSystem& disk, const std::string& path, std::uint64_t offset,
                const std::string& bytes);

}  // namespace isolith::wal
