// Crash states: whatever the simulated disk leaves, the log reads back as a prefix of what was appended, with
// all that was acknowledged, and nothing that was once cut off ever comes back.
//
// One story is a disk's life over several processes. Each ends by a crash, by being killed (the system's
// cache stays), or by a failed sync and then either. While a process runs, crash states are drawn at its
// changes of the disk and read; so are they while open() mends the log.
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/seed.h"
#include "tests/wal/wal_test_support.h"

namespace isolith::wal {
namespace {

class Story {
 public:
  explicit Story(std::uint64_t seed) : random_(seed), seed_(seed), disk_(disk_with_directory()) {
    segment_bytes_ = std::uint64_t{192} << random_.below(7);
    EXPECT_TRUE(LogWriter::open(small_log(*disk_, segment_bytes_), Lsn{}, Timestamp{}).ok());
  }

  void run(int processes) {
    for (int i = 0; i < processes && !::testing::Test::HasFailure(); ++i) {
      live();
      if (::testing::Test::HasFailure()) break;
      die();
    }
    EXPECT_FALSE(::testing::Test::HasFailure()) << "story of seed " << seed_;
  }

  [[nodiscard]] std::uint64_t states_seen() const noexcept { return states_seen_; }

 private:
  void live();
  void die();
  void append_one(LogWriter& writer);
  void look_at_a_crash();
  void expect_prefix(const ReadLog& log, std::size_t units_min);

  base::Random random_;
  const std::uint64_t seed_;
  std::unique_ptr<base::SimulatedDisk> disk_;
  std::uint64_t segment_bytes_ = 0;

  std::vector<Written> units_;        // of the log as this process knows it, from `start_` on
  std::size_t acknowledged_ = 0;      // so many of them must survive
  Lsn start_{};                       // the checkpoint
  Lsn synced_{};                      // what the checkpoint knows
  std::uint64_t last_timestamp_ = 0;  // never goes back, so that no two units are equal
  std::uint64_t states_seen_ = 0;
  bool looking_ = true;
};

void Story::expect_prefix(const ReadLog& log, std::size_t units_min) {
  ASSERT_LE(log.units.size(), units_.size()) << "something came back";
  for (std::size_t i = 0; i < log.units.size(); ++i) {
    ASSERT_EQ(log.units[i], units_[i]) << "unit " << i << ": something came back, or was changed";
  }
  ASSERT_GE(log.units.size(), units_min) << "an acknowledged unit is gone";
}

void Story::look_at_a_crash() {
  if (!looking_ || !random_.chance(1, 3) || ::testing::Test::HasFailure()) return;
  ++states_seen_;
  const auto after = disk_->crash(random_.next());
  const auto log = read_log(*after, start_, synced_);
  ASSERT_TRUE(log.ok()) << log.status().to_string();
  expect_prefix(*log, acknowledged_);
}

void Story::append_one(LogWriter& writer) {
  Written unit =
      random_commit(random_, ++last_timestamp_, segment_bytes_ - kSegmentHeaderBytes - kUnitHeaderBytes);
  // Often up to a sector's end, with a mark before it or not: what follows is then torn apart from it.
  if (random_.chance(1, 3)) {
    const std::uint64_t begin =
        raw(writer.appended_lsn()) + kUnitHeaderBytes * (random_.chance(1, 2) ? 2 : 1);
    const std::size_t payload_bytes = 512 - begin % 512;
    if (payload_bytes <= segment_bytes_ - kSegmentHeaderBytes - kUnitHeaderBytes)
      unit.payload.resize(payload_bytes);
  }
  if (random_.chance(1, 10)) {
    unit.kind = UnitKind::part;
    unit.timestamp = Timestamp{};
  }
  units_.push_back(unit);  // a crash during the call may keep it
  const Result<Lsn> end = append(writer, unit);
  if (end.ok()) {
    units_.back().end = *end;
  } else {
    units_.pop_back();  // not one byte of it was handed to the disk
  }
}

void Story::live() {
  disk_->on_change([this](std::uint64_t) { look_at_a_crash(); });
  const auto log = read_log(*disk_, start_, synced_);
  ASSERT_TRUE(log.ok()) << log.status().to_string();
  ASSERT_NO_FATAL_FAILURE(expect_prefix(*log, acknowledged_));
  units_.resize(log->units.size());
  auto writer = LogWriter::open(small_log(*disk_, segment_bytes_), log->end, Timestamp{last_timestamp_});
  ASSERT_TRUE(writer.ok()) << writer.status().to_string();
  acknowledged_ = units_.size();  // open has synced what was read
  synced_ = (*writer)->durable_lsn();

  const std::uint64_t steps = random_.below(60);
  if (random_.chance(1, 4)) disk_->fail_call(random_.below(12), base::Fault::sync_error);
  for (std::uint64_t step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
    append_one(**writer);
    if (random_.chance(1, 4) && (*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok()) {
      ASSERT_EQ((*writer)->durable_lsn(), (*writer)->appended_lsn());
      acknowledged_ = units_.size();
      synced_ = random_.chance(1, 2) ? (*writer)->durable_lsn() : synced_;
    }
    if (random_.chance(1, 12) && acknowledged_ > 0) {
      const std::size_t count = random_.below(acknowledged_) + 1;
      start_ = units_[count - 1].end;
      units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(count));
      acknowledged_ -= count;
      if ((*writer)->health().ok()) (void)(*writer)->release_before(start_);
    }
  }
  looking_ = false;
}

void Story::die() {
  disk_->on_change({});
  disk_->clear_faults();
  if (random_.chance(2, 3)) disk_ = disk_->crash(random_.next());  // else only the process ends
  if (random_.chance(1, 5)) segment_bytes_ = std::uint64_t{192} << random_.below(7);
  looking_ = true;
}

TEST(LogCrash, KeepsAPrefixWithAllThatWasAcknowledgedOverManyLives) {
  std::uint64_t seed = testing::test_seed();
  std::uint64_t states = 0;
  for (int i = 0; i < 400 && !HasFailure(); ++i) {
    Story story(base::splitmix64(seed));
    story.run(6);
    states += story.states_seen();
  }
  EXPECT_GT(states, 5000u);
  RecordProperty("states", std::to_string(states));
}

// The danger that open() wipes: A is lost, B behind it survives; A' of A's length is written, and B would
// follow.
TEST(LogCrash, AUnitBehindATornOneDoesNotFollowOnItsReplacement) {
  // A ends with a page, so that the write of its replacement does not reach B at all.
  const auto disk = disk_with_directory();
  const LogWriterOptions options = small_log(*disk, 16384);
  const auto unit_of = [](std::uint64_t n, char fill, std::size_t size_bytes) {
    return Written{UnitKind::commit,
                   Timestamp{n},
                   TransactionId{n},
                   std::string(size_bytes - kUnitHeaderBytes, fill),
                   {}};
  };
  Lsn begin_of_a{};
  std::size_t size_of_a = 0;
  {
    auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
    begin_of_a = *append(**writer, unit_of(1, 'x', 232));
    size_of_a = 4096 - static_cast<std::size_t>(raw(begin_of_a));
    ASSERT_EQ(*append(**writer, unit_of(2, 'A', size_of_a)), Lsn{4096});
    ASSERT_EQ(*append(**writer, unit_of(3, 'B', 232)), Lsn{4096 + 232});
    ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  }
  write_file(*disk, "wal/0000000000000000.log", raw(begin_of_a), std::string(232, '\0'));  // A is lost
  const auto cut = read_log(*disk);
  ASSERT_TRUE(cut.ok());
  ASSERT_EQ(cut->end, begin_of_a);
  EXPECT_EQ(cut->torn_tail_bytes, size_of_a + 232);
  {
    // A mark comes before the first unit, so that the two together are as long as A was.
    auto writer = LogWriter::open(options, cut->end, Timestamp{1});
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(*append(**writer, unit_of(2, 'C', size_of_a - kUnitHeaderBytes)), Lsn{4096});
    ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  }
  const auto log = read_log(*disk);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(log->units.size(), 2u);
  EXPECT_EQ(log->torn_tail_bytes, 0u) << "B is gone for good";
}

TEST(LogCrash, LaterSegmentsOfACutLogAreGone) {
  const auto disk = disk_with_directory();
  base::Random random(testing::test_seed());
  std::vector<Written> units;
  {
    auto writer = LogWriter::open(small_log(*disk, 1024), Lsn{}, Timestamp{});
    for (std::uint64_t i = 1; i <= 40; ++i) {
      units.push_back(random_commit(random, i, 400));
      units.back().end = *append(**writer, units.back());
    }
    ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  }
  ASSERT_GT(raw(units[39].end), 2 * 1024u);
  write_file(*disk, "wal/0000000000000000.log", raw(units[1].end), std::string(32, '\0'));
  const auto cut = read_log(*disk);
  ASSERT_TRUE(cut.ok()) << cut.status().to_string();
  ASSERT_EQ(cut->units.size(), 2u);
  auto writer = LogWriter::open(small_log(*disk, 1024), cut->end, Timestamp{2});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(disk->list(kDirectory)->size(), 1u);
  for (std::uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(disk->crash(seed)->list(kDirectory)->size(), 1u);
}

// After a failed sync the system's cache shows units that are not on the disk, and says "done" to the next
// sync.
TEST(LogCrash, WhatAFailedSyncLeftInTheCacheIsWrittenAgainBeforeItCounts) {
  const auto disk = disk_with_directory();
  std::vector<Written> units;
  {
    auto writer = LogWriter::open(small_log(*disk, 512), Lsn{}, Timestamp{});
    for (std::uint64_t i = 1; i <= 12; ++i) {
      units.push_back({UnitKind::commit, Timestamp{i}, TransactionId{i}, std::string(100, 'x'), {}});
      units.back().end = *append(**writer, units.back());
      if (i != 2) continue;
      ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
    }
    disk->fail_call(0, base::Fault::sync_error);
    EXPECT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).is(StatusCode::io_error));
  }
  const auto log = read_log(*disk);
  ASSERT_TRUE(log.ok());
  ASSERT_EQ(log->units, units) << "the cache still has all of it";
  auto writer = LogWriter::open(small_log(*disk, 512), log->end, Timestamp{12});
  ASSERT_TRUE(writer.ok());
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto after = read_log(*disk->crash(seed));
    ASSERT_TRUE(after.ok()) << after.status().to_string();
    ASSERT_EQ(after->units, units) << seed;
  }
}

// A released segment whose header page was being replaced for recycling: of its sectors some are new, and
// none is needed.
TEST(LogCrash, AReleasedSegmentTornByRecyclingDoesNotStopTheNextOpening) {
  const auto disk = disk_with_directory();
  Lsn end{};
  {
    auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
    for (std::uint64_t i = 1; i <= 12; ++i) {
      end = *append(**writer, {UnitKind::commit, Timestamp{i}, TransactionId{i}, std::string(500, 'x'), {}});
    }
    ASSERT_GT(end, Lsn{4096 + 64});
    ASSERT_LT(end, Lsn{8192});
    ASSERT_TRUE((*writer)->make_durable(end, kNoTransaction).ok());
  }
  write_file(*disk, "wal/0000000000000000.log", 512, std::string(1024, '\0'));
  const auto log = read_log(*disk, Lsn{4096}, end);
  ASSERT_TRUE(log.ok()) << log.status().to_string();
  auto writer = LogWriter::open(small_log(*disk), log->end, Timestamp{12});
  ASSERT_TRUE(writer.ok()) << writer.status().to_string();
}

TEST(LogCrash, TheUntouchedNextSegmentIsKept) {
  const auto disk = disk_with_directory();
  LogWriterOptions options = small_log(*disk);
  options.background_thread = true;
  { ASSERT_TRUE(LogWriter::open(options, Lsn{}, Timestamp{}).ok()); }
  if (disk->list(kDirectory)->size() == 1) {  // the thread had no time to make it
    auto file = disk->open("wal/0000000000001000.log.tmp", base::OpenMode::create);
    std::string bytes(4096, '\0');
    encode_segment_header(bytes.data(), {Lsn{4096}, 4096, kDatabaseId});
    write_file(*disk, "wal/0000000000001000.log", 0, bytes);
  }
  options.background_thread = false;
  auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(disk->list(kDirectory)->size(), 2u) << "kept, and what was half made is removed";
  EXPECT_EQ((*writer)->disk_bytes(), 8192u);
  for (std::uint64_t i = 1; i <= 30; ++i) {
    ASSERT_TRUE(
        append(**writer, {UnitKind::commit, Timestamp{i}, TransactionId{i}, std::string(200, 'x'), {}}).ok());
  }
  ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  EXPECT_EQ(read_log(*disk)->units.size(), 30u);
  EXPECT_EQ(disk->list(kDirectory)->size(), 2u);
}

}  // namespace
}  // namespace isolith::wal
