#include "tests/wal/wal_test_support.h"

namespace isolith::wal {

std::unique_ptr<base::SimulatedDisk> disk_with_directory() {
  auto disk = std::make_unique<base::SimulatedDisk>();
  EXPECT_TRUE(disk->create_directory(kDirectory).ok());
  EXPECT_TRUE(disk->sync_directory(".").ok());
  return disk;
}

LogWriterOptions small_log(base::FileSystem& disk, std::uint64_t segment_bytes) {
  LogWriterOptions options;
  options.file_system = &disk;
  options.directory = kDirectory;
  options.database_id = kDatabaseId;
  options.segment_bytes = segment_bytes;
  options.background_thread = false;
  options.ring_bytes = 1024;
  while (options.ring_bytes < 4 * segment_bytes && options.ring_bytes < (std::size_t{1} << 20))
    options.ring_bytes *= 2;
  return options;
}

Result<ReadLog> read_log(base::FileSystem& disk, Lsn start, Lsn synced_at_least) {
  const LogReaderOptions options{&disk, kDirectory, kDatabaseId, synced_at_least};
  Result<std::unique_ptr<LogReader>> reader = LogReader::open(options, start);
  if (!reader.ok()) return std::move(reader).status();
  ReadLog log;
  Unit unit;
  for (;;) {
    const Result<bool> more = (*reader)->next(unit);
    if (!more.ok()) return more.status();
    if (!*more) break;
    log.units.push_back({unit.kind, unit.timestamp, unit.transaction, std::string(unit.payload), unit.end});
  }
  const Result<bool> again = (*reader)->next(unit);
  EXPECT_TRUE(again.ok() && !*again) << "the end stays the end";
  log.end = (*reader)->end();
  log.torn_tail_bytes = (*reader)->torn_tail_bytes();
  return log;
}

Result<Lsn> append(LogWriter& writer, const Written& unit) {
  return writer.append(unit.kind, unit.timestamp, unit.transaction, unit.payload,
                       base::crc32c(unit.payload.data(), unit.payload.size()));
}

Written random_commit(base::Random& random, std::uint64_t number, std::size_t payload_bytes_max) {
  Written unit{UnitKind::commit, static_cast<Timestamp>(number), static_cast<TransactionId>(number), {}, {}};
  unit.payload.resize(random.chance(1, 4) ? random.below(payload_bytes_max + 1)
                                          : random.below(std::min<std::size_t>(payload_bytes_max, 100) + 1));
  for (char& byte : unit.payload) byte = static_cast<char>(random.next());
  return unit;
}

std::string read_file(base::FileSystem& disk, const std::string& path) {
  Result<std::unique_ptr<base::File>> file = disk.open(path, base::OpenMode::read_only);
  if (!file.ok()) {
    ADD_FAILURE() << file.status().to_string();
    return {};
  }
  std::string bytes((*file)->size().value_or(0), '\0');
  EXPECT_TRUE((*file)->read_at(0, bytes.data(), bytes.size()).ok());
  return bytes;
}

void write_file(base::FileSystem& disk, const std::string& path, std::uint64_t offset,
                const std::string& bytes) {
  Result<std::unique_ptr<base::File>> file = disk.open(path, base::OpenMode::create);
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  ASSERT_TRUE((*file)->write_at(offset, bytes.data(), bytes.size()).ok());
  ASSERT_TRUE((*file)->sync().ok());
}

}  // namespace isolith::wal
