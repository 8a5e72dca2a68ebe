// What is appended is read back: over segment ends, the ring's end, reopening, recycling and changed options.
#include <gtest/gtest.h>

#include "tests/support/seed.h"
#include "tests/wal/wal_test_support.h"

namespace isolith::wal {
namespace {

// Appends `count` random commits after `units`, with a sync now and then.
void append_commits(LogWriter& writer, base::Random& random, std::size_t count, std::size_t payload_bytes_max,
                    std::vector<Written>& units) {
  for (std::size_t i = 0; i < count; ++i) {
    Written unit = random_commit(random, units.size() + 1, payload_bytes_max);
    const Result<Lsn> end = append(writer, unit);
    ASSERT_TRUE(end.ok()) << end.status().to_string();
    unit.end = *end;
    EXPECT_EQ(writer.appended_lsn(), *end);
    if (random.chance(1, 5)) {
      ASSERT_TRUE(writer.make_durable(*end, TransactionId{1}).ok());
      EXPECT_EQ(writer.durable_lsn(), *end);
      EXPECT_EQ(writer.durable_timestamp(), unit.timestamp);
    }
    units.push_back(std::move(unit));
  }
}

void sync(LogWriter& writer) {
  const Status status = writer.make_durable(writer.appended_lsn(), kNoTransaction);
  ASSERT_TRUE(status.ok()) << status.to_string();
}

TEST(Log, EmptyLogIsReadBackEmpty) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok()) << writer.status().to_string();
  EXPECT_EQ((*writer)->appended_lsn(), Lsn{});
  EXPECT_EQ((*writer)->durable_lsn(), Lsn{});
  EXPECT_EQ((*writer)->disk_bytes(), 4096u);
  const auto log = read_log(*disk->crash(1));
  ASSERT_TRUE(log.ok()) << log.status().to_string();
  EXPECT_TRUE(log->units.empty());
  EXPECT_EQ(log->end, Lsn{});
  EXPECT_EQ(log->torn_tail_bytes, 0u);
}

TEST(Log, AllKindsRoundTripAndPartsHaveNoTimestamp) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  std::vector<Written> units = {{UnitKind::part, Timestamp{}, TransactionId{4}, "part one", {}},
                                {UnitKind::commit, Timestamp{1}, TransactionId{5}, "whole", {}},
                                {UnitKind::part, Timestamp{}, TransactionId{4}, "part two", {}},
                                {UnitKind::part_commit, Timestamp{2}, TransactionId{4}, "", {}}};
  for (Written& unit : units) unit.end = *append(**writer, unit);
  EXPECT_EQ((*writer)->durable_timestamp(), Timestamp{});
  sync(**writer);
  EXPECT_EQ((*writer)->durable_timestamp(), Timestamp{2});
  EXPECT_EQ((*writer)->sync_count(), 1u);
  EXPECT_EQ(read_log(*disk)->units, units);
}

TEST(Log, RandomUnitsRoundTripOverSegmentsAndRing) {
  base::Random random(testing::test_seed());
  for (const std::uint64_t segment_bytes : {192u, 500u, 4096u, 10000u, 65536u, 1u << 18}) {
    const auto disk = disk_with_directory();
    const LogWriterOptions options = small_log(*disk, segment_bytes);
    auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
    ASSERT_TRUE(writer.ok()) << writer.status().to_string();
    std::vector<Written> units;
    const std::size_t payload_bytes_max =
        std::min<std::size_t>(kUnitPayloadBytesMax, segment_bytes - kSegmentHeaderBytes - kUnitHeaderBytes);
    append_commits(**writer, random, 400, payload_bytes_max, units);
    sync(**writer);
    const auto log = read_log(*disk);
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_EQ(log->units, units) << "segments of " << segment_bytes;
    EXPECT_EQ(log->end, (*writer)->appended_lsn());

    // From the end of any unit, as a checkpoint does.
    for (int i = 0; i < 20; ++i) {
      const std::size_t from = random.below(units.size());
      const auto rest = read_log(*disk, units[from].end, (*writer)->durable_lsn());
      ASSERT_TRUE(rest.ok()) << rest.status().to_string();
      EXPECT_EQ(rest->units,
                std::vector<Written>(units.begin() + static_cast<std::ptrdiff_t>(from) + 1, units.end()));
    }
  }
}

TEST(Log, UnitsFillSegmentsUpToTheLastByte) {
  // What is left of a segment of 256 bytes after the first unit: 0 to 40 bytes, so skipped, a bare pad, a
  // pad.
  for (std::size_t rest = 0; rest <= 40; ++rest) {
    const auto disk = disk_with_directory();
    auto writer = LogWriter::open(small_log(*disk, 256), Lsn{}, Timestamp{});
    ASSERT_TRUE(writer.ok());
    std::vector<Written> units = {
        {UnitKind::commit, Timestamp{1}, TransactionId{1}, std::string(256 - 64 - 32 - rest, 'a'), {}},
        {UnitKind::commit, Timestamp{2}, TransactionId{2}, std::string(50, 'b'), {}}};
    units[0].end = *append(**writer, units[0]);
    EXPECT_EQ(units[0].end, Lsn{256 - rest});
    sync(**writer);

    // A crash or a clean end right here: reading and going on must work at the segment's very end.
    const auto after = disk->crash(rest);
    const auto first = read_log(*after, Lsn{}, units[0].end);
    ASSERT_TRUE(first.ok()) << first.status().to_string();
    EXPECT_EQ(first->end, units[0].end);
    const auto nothing = read_log(*after, units[0].end, units[0].end);
    ASSERT_TRUE(nothing.ok()) << nothing.status().to_string();
    EXPECT_TRUE(nothing->units.empty());
    auto again = LogWriter::open(small_log(*after, 256), first->end, Timestamp{1});
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    units[1].end = *append(**again, units[1]);
    sync(**again);
    (void)(*again)->release_before(units[0].end);
    const auto log = read_log(*after);
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_EQ(log->units, units) << rest << " bytes left";
  }
}

TEST(Log, LargestUnitFitsAndALargerOneIsRefused) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk, 1 << 18), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  std::vector<Written> units;
  for (std::uint64_t i = 1; i <= 30; ++i) {
    units.push_back(
        {UnitKind::commit, Timestamp{i}, TransactionId{i}, std::string(kUnitPayloadBytesMax, 'x'), {}});
    const auto end = append(**writer, units.back());
    ASSERT_TRUE(end.ok()) << end.status().to_string();
    units.back().end = *end;
  }
  const Written larger{
      UnitKind::commit, Timestamp{31}, TransactionId{31}, std::string(kUnitPayloadBytesMax + 1, 'x'), {}};
  EXPECT_TRUE(append(**writer, larger).status().is(StatusCode::too_large));
  sync(**writer);
  EXPECT_EQ(read_log(*disk)->units, units);
}

TEST(Log, OneMarkFollowsEachSyncIfMoreIsAppended) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  const auto add = [&](std::uint64_t n) {
    return *append(**writer, {UnitKind::commit, Timestamp{n}, TransactionId{n}, "", {}});
  };
  EXPECT_EQ(add(1), Lsn{64 + 32});
  EXPECT_EQ(add(2), Lsn{64 + 64}) << "no sync, no mark";
  sync(**writer);
  sync(**writer);
  EXPECT_EQ((*writer)->sync_count(), 1u);
  EXPECT_EQ((*writer)->appended_lsn(), Lsn{64 + 64}) << "a mark comes with the next unit only";
  EXPECT_EQ(add(3), Lsn{64 + 64 + 32 + 32});
  EXPECT_EQ(add(4), Lsn{64 + 64 + 32 + 32 + 32});
}

TEST(Log, GoesOnAfterReopeningWithOtherSegmentSizes) {
  base::Random random(testing::test_seed());
  const auto disk = disk_with_directory();
  std::vector<Written> units;
  Lsn end{};
  for (const std::uint64_t segment_bytes : {4096u, 1000u, 65536u, 65536u, 2048u, 4096u}) {
    auto writer = LogWriter::open(small_log(*disk, segment_bytes), end, Timestamp{units.size()});
    ASSERT_TRUE(writer.ok()) << writer.status().to_string();
    EXPECT_EQ((*writer)->durable_timestamp(), Timestamp{units.size()});
    append_commits(**writer, random, 60, 900, units);
    sync(**writer);
    const auto log = read_log(*disk, Lsn{}, (*writer)->durable_lsn());
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_EQ(log->units, units);
    end = log->end;
  }
}

TEST(Log, ANewLogMayBeginAnywhere) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{123456789}, Timestamp{7});
  ASSERT_TRUE(writer.ok());
  std::vector<Written> units = {{UnitKind::commit, Timestamp{8}, TransactionId{1}, "x", {}}};
  units[0].end = *append(**writer, units[0]);
  sync(**writer);
  EXPECT_EQ(read_log(*disk, Lsn{123456789})->units, units);
  EXPECT_TRUE(read_log(*disk, Lsn{123456788}).status().is(StatusCode::corruption));
}

TEST(Log, ReleasedSegmentsAreRecycledAndOthersRemoved) {
  base::Random random(testing::test_seed());
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  std::vector<Written> units;
  append_commits(**writer, random, 600, 300, units);
  sync(**writer);
  const std::size_t before = disk->list(kDirectory)->size();
  ASSERT_GT(before, 6u);
  const Lsn start = units[units.size() / 2].end;
  ASSERT_TRUE((*writer)->release_before(start).ok());
  EXPECT_LT(disk->list(kDirectory)->size(), before);
  EXPECT_EQ((*writer)->disk_bytes(), disk->list(kDirectory)->size() * 4096);

  // The two spares are used first: no new file, and stale units are never taken for new ones.
  const std::size_t files = disk->list(kDirectory)->size();
  const Lsn position = (*writer)->appended_lsn();
  while (raw((*writer)->appended_lsn()) / 4096 < raw(position) / 4096 + 2) {
    append_commits(**writer, random, 1, 100, units);
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    const auto log = read_log(*disk, start);
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_LE(log->end, (*writer)->appended_lsn());
  }
  EXPECT_EQ(disk->list(kDirectory)->size(), files);
  sync(**writer);
  const auto log = read_log(*disk, start, (*writer)->durable_lsn());
  ASSERT_TRUE(log.ok()) << log.status().to_string();
  EXPECT_EQ(log->units,
            std::vector<Written>(
                units.begin() + static_cast<std::ptrdiff_t>(units.size() - log->units.size()), units.end()));
  EXPECT_EQ(log->units.front().end > start, true);
}

TEST(Log, NothingThatIsNotDurableIsReleased) {
  base::Random random(testing::test_seed());
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  for (std::uint64_t i = 1; i <= 400; ++i) ASSERT_TRUE(append(**writer, random_commit(random, i, 300)).ok());
  const std::size_t files = disk->list(kDirectory)->size();
  ASSERT_TRUE((*writer)->release_before((*writer)->appended_lsn()).ok());
  EXPECT_EQ(disk->list(kDirectory)->size(), files);
  sync(**writer);
  ASSERT_TRUE((*writer)->release_before((*writer)->appended_lsn()).ok());
  EXPECT_LT(disk->list(kDirectory)->size(), files);
  EXPECT_TRUE(read_log(*disk, (*writer)->appended_lsn(), (*writer)->durable_lsn()).ok());
}

TEST(Log, ReadingFromAReleasedPlaceIsCorruption) {
  base::Random random(testing::test_seed());
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  std::vector<Written> units;
  append_commits(**writer, random, 300, 300, units);
  sync(**writer);
  ASSERT_TRUE((*writer)->release_before((*writer)->durable_lsn()).ok());
  append_commits(**writer, random, 100, 300, units);  // recycles what is left of the beginning
  sync(**writer);
  const Status status = read_log(*disk, Lsn{}).status();
  EXPECT_TRUE(status.is(StatusCode::corruption)) << status.to_string();
}

TEST(Log, ImpossibleOptionsAreRefused) {
  const auto disk = disk_with_directory();
  LogWriterOptions options = small_log(*disk, 100);
  EXPECT_TRUE(LogWriter::open(options, Lsn{}, Timestamp{}).status().is(StatusCode::invalid_argument));
  options = small_log(*disk);
  options.ring_bytes = 3000;
  EXPECT_TRUE(LogWriter::open(options, Lsn{}, Timestamp{}).status().is(StatusCode::invalid_argument));
  options.ring_bytes = 4096;
  EXPECT_TRUE(LogWriter::open(options, Lsn{}, Timestamp{}).status().is(StatusCode::invalid_argument));
}

TEST(Log, RemoveLogMakesRoomForAnotherDatabase) {
  const auto disk = disk_with_directory();
  ASSERT_TRUE(LogWriter::open(small_log(*disk), Lsn{}, Timestamp{}).ok());
  LogWriterOptions other = small_log(*disk);
  other.database_id = kDatabaseId + 1;
  const Status refused = LogWriter::open(other, Lsn{}, Timestamp{}).status();
  EXPECT_TRUE(refused.is(StatusCode::corruption)) << refused.to_string();
  EXPECT_NE(refused.message().find("another database"), std::string::npos);
  ASSERT_TRUE(remove_log(*disk, kDirectory).ok());
  EXPECT_TRUE(disk->list(kDirectory)->empty());
  EXPECT_TRUE(LogWriter::open(other, Lsn{}, Timestamp{}).ok());
}

}  // namespace
}  // namespace isolith::wal
