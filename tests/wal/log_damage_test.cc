// Damage is told from a torn tail: what was proven durable and is not there is reported with file and offset.
#include <gtest/gtest.h>

#include "tests/support/seed.h"
#include "tests/wal/wal_test_support.h"

namespace isolith::wal {
namespace {

// A log of several segments with a sync after every third unit, and its units.
struct Fixture {
  explicit Fixture(std::uint64_t units_wanted = 120, std::uint64_t sync_every = 3) {
    disk = disk_with_directory();
    auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
    EXPECT_TRUE(writer.ok());
    base::Random random(1);
    for (std::uint64_t i = 1; i <= units_wanted; ++i) {
      Written unit = random_commit(random, i, 200);
      unit.end = *append(**writer, unit);
      units.push_back(std::move(unit));
      if (i % sync_every != 0) continue;
      EXPECT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
    }
    EXPECT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
    durable = (*writer)->durable_lsn();
  }

  [[nodiscard]] Lsn begin_of(std::size_t index) const {
    return Lsn{raw(units[index].end) - units[index].payload.size() - kUnitHeaderBytes};
  }
  static std::string path_of(Lsn lsn) { return segment_path(kDirectory, Lsn{raw(lsn) / 4096 * 4096}); }

  void flip(Lsn lsn) const {
    std::string byte = read_file(*disk, path_of(lsn)).substr(raw(lsn) % 4096, 1);
    byte[0] = static_cast<char>(byte[0] ^ 1);
    write_file(*disk, path_of(lsn), raw(lsn) % 4096, byte);
  }

  std::unique_ptr<base::SimulatedDisk> disk;
  std::vector<Written> units;
  Lsn durable{};
};

void expect_corruption_at(const Status& status, const std::string& path, std::uint64_t offset) {
  EXPECT_TRUE(status.is(StatusCode::corruption)) << status.to_string();
  const std::string where = path + " at offset " + std::to_string(offset) + ":";
  EXPECT_EQ(status.message().substr(0, where.size()), where) << status.to_string();
}

TEST(LogDamage, AFlippedBitInTheMiddleIsReportedWithFileAndOffset) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 300; ++round) {
    const Fixture log(60);
    const std::size_t index = random.below(log.units.size() - 6);
    const Lsn begin = log.begin_of(index);
    log.flip(Lsn{raw(begin) + random.below(log.units[index].payload.size() + kUnitHeaderBytes)});
    const Status status = read_log(*log.disk).status();
    expect_corruption_at(status, Fixture::path_of(begin), raw(begin) % 4096);
    EXPECT_NE(status.message().find("expected a unit for LSN " + std::to_string(raw(begin))),
              std::string::npos);
    EXPECT_NE(status.message().find("the mark in wal/"), std::string::npos) << status.to_string();
  }
}

TEST(LogDamage, UnitsBeforeTheDamageAreReadFirst) {
  const Fixture log;
  log.flip(log.begin_of(50));
  auto reader = LogReader::open({log.disk.get(), kDirectory, kDatabaseId, Lsn{}}, Lsn{});
  ASSERT_TRUE(reader.ok());
  Unit unit;
  for (std::size_t i = 0; i < 50; ++i) {
    const Result<bool> more = (*reader)->next(unit);
    ASSERT_TRUE(more.ok() && *more) << i;
    EXPECT_EQ(unit.payload, log.units[i].payload);
  }
  EXPECT_TRUE((*reader)->next(unit).status().is(StatusCode::corruption));
  EXPECT_TRUE((*reader)->next(unit).status().is(StatusCode::corruption)) << "it stays so";
}

TEST(LogDamage, ATornTailIsTheEndAndItsBytesAreCounted) {
  const Fixture log(60);
  const std::size_t index = log.units.size() - 3;  // of the last group: no mark behind it
  log.flip(log.begin_of(index));
  const auto read = read_log(*log.disk);
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(read->units.size(), index);
  EXPECT_EQ(read->end, log.begin_of(index)) << "a mark before it is part of the log";
  EXPECT_EQ(read->torn_tail_bytes, raw(log.units.back().end) - raw(read->end));

  // Unless the checkpoint knows better.
  const Status status = read_log(*log.disk, Lsn{}, log.durable).status();
  expect_corruption_at(status, Fixture::path_of(log.begin_of(index)), raw(log.begin_of(index)) % 4096);
}

TEST(LogDamage, AMissingSegmentInTheMiddleIsReported) {
  const Fixture log;
  ASSERT_GT(log.disk->list(kDirectory)->size(), 3u);
  ASSERT_TRUE(log.disk->remove("wal/0000000000001000.log").ok());
  const Status status = read_log(*log.disk).status();
  EXPECT_TRUE(status.is(StatusCode::corruption)) << status.to_string();
  EXPECT_NE(status.message().find("wal/0000000000001000.log: expected a segment"), std::string::npos);
}

TEST(LogDamage, AMissingLastSegmentIsReportedIfTheCheckpointKnewOfIt) {
  const Fixture log;
  const std::string last = Fixture::path_of(log.durable);
  ASSERT_TRUE(log.disk->remove(last).ok());
  EXPECT_TRUE(read_log(*log.disk, Lsn{}, log.durable).status().is(StatusCode::corruption));
  EXPECT_TRUE(read_log(*log.disk).ok()) << "nothing else proves that there was one";
}

TEST(LogDamage, TheSegmentWhereReadingBeginsMustBeThereWithItsHeader) {
  const Fixture log;
  const Lsn start = log.units[60].end;
  log.flip(Lsn{raw(start) / 4096 * 4096 + 20});
  const Status damaged = read_log(*log.disk, start).status();
  EXPECT_TRUE(damaged.is(StatusCode::corruption)) << damaged.to_string();
  EXPECT_NE(damaged.message().find(Fixture::path_of(start) + " at offset 0"), std::string::npos);
  ASSERT_TRUE(log.disk->remove(Fixture::path_of(start)).ok());
  const Status missing = read_log(*log.disk, start).status();
  EXPECT_TRUE(missing.is(StatusCode::corruption)) << missing.to_string();
  EXPECT_TRUE(read_log(*disk_with_directory()).status().is(StatusCode::corruption)) << "no segment at all";
}

TEST(LogDamage, ADamagedHeaderBeforeUnitsIsReportedAndBeforeNoneIsTheEnd) {
  const Fixture log(150, 1000);  // one sync at the very end: no mark anywhere
  const std::size_t segments = log.disk->list(kDirectory)->size();
  ASSERT_GT(segments, 2u);
  log.flip(Lsn{4096 + 9});
  const Status status = read_log(*log.disk).status();
  expect_corruption_at(status, "wal/0000000000001000.log", 0);
  EXPECT_NE(status.message().find("proves that the header was written"), std::string::npos);

  const Fixture short_log(5);
  write_file(*short_log.disk, "wal/0000000000001000.log", 0, std::string(4096, '\0'));
  const auto first = read_log(*short_log.disk);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(first->units, short_log.units);
}

TEST(LogDamage, ATornHeaderOfTheNextSegmentIsTheEndOfAFullOne) {
  const auto disk = disk_with_directory();
  {
    auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(
        append(**writer, {UnitKind::commit, Timestamp{1}, TransactionId{1}, std::string(4000, 'x'), {}})
            .ok());
    ASSERT_TRUE((*writer)->make_durable(Lsn{4096}, kNoTransaction).ok());
  }
  for (const char* contents :
       {"", "isolith", "garbage that is longer than the header of a segment, which has 64 bytes"}) {
    write_file(*disk, "wal/0000000000001000.log", 0, contents);
    const auto log = read_log(*disk, Lsn{}, Lsn{4096});
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_EQ(log->end, Lsn{4096});
    auto writer = LogWriter::open(small_log(*disk), Lsn{4096}, Timestamp{1});
    ASSERT_TRUE(writer.ok()) << writer.status().to_string();
    EXPECT_EQ(read_log(*disk, Lsn{4096})->end, Lsn{4096});
    ASSERT_TRUE(disk->remove("wal/0000000000001000.log").ok());
  }
}

TEST(LogDamage, AnotherDatabasesSegmentIsReported) {
  const Fixture log;
  const LogReaderOptions options{log.disk.get(), kDirectory, kDatabaseId + 1, Lsn{}};
  const auto reader = LogReader::open(options, Lsn{});
  expect_corruption_at(reader.status(), "wal/0000000000000000.log", 16);
}

TEST(LogDamage, TimestampsThatDoNotGrowAreReported) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(append(**writer, {UnitKind::commit, Timestamp{9}, TransactionId{1}, "", {}}).ok());
  ASSERT_TRUE((*writer)->make_durable(Lsn{96}, kNoTransaction).ok());
  writer = LogWriter::open(small_log(*disk), Lsn{96}, Timestamp{3});  // the caller forgot the newest one
  ASSERT_TRUE(append(**writer, {UnitKind::commit, Timestamp{4}, TransactionId{1}, "", {}}).ok());
  ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  const Status status = read_log(*disk).status();
  EXPECT_TRUE(status.is(StatusCode::corruption)) << status.to_string();
  EXPECT_NE(status.message().find("expected a commit timestamp above 9, found 4"), std::string::npos);
}

TEST(LogDamage, RandomDamageNeverGivesWrongUnitsAndNeverCrashes) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 1500; ++round) {
    const Fixture log(40, 1 + random.below(10));
    const auto names = *log.disk->list(kDirectory);
    for (std::uint64_t i = 0; i <= random.below(4); ++i) {
      const std::string path = std::string(kDirectory) + "/" + names[random.below(names.size())];
      const std::string bytes = read_file(*log.disk, path);
      const std::uint64_t offset = random.chance(1, 3) ? random.below(64) : random.below(bytes.size());
      std::string damage(1 + random.below(random.chance(1, 4) ? 600 : 2), '\0');
      for (char& byte : damage) byte = static_cast<char>(random.chance(1, 3) ? 0 : random.next());
      write_file(*log.disk, path, offset, damage);
    }
    const auto read = read_log(*log.disk);
    if (!read.ok()) {
      EXPECT_TRUE(read.status().is(StatusCode::corruption)) << read.status().to_string();
      continue;
    }
    ASSERT_LE(read->units.size(), log.units.size());
    EXPECT_TRUE(std::equal(read->units.begin(), read->units.end(), log.units.begin()));
    EXPECT_TRUE(LogWriter::open(small_log(*log.disk), read->end, Timestamp{read->units.size()}).ok());
  }
}

}  // namespace
}  // namespace isolith::wal
