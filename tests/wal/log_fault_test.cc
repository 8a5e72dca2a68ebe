// A fault at every n-th call of the disk: errors are told, nothing is acknowledged after a failed write or
// sync, and what was acknowledged before survives.
#include <gtest/gtest.h>

#include "tests/support/seed.h"
#include "tests/wal/wal_test_support.h"

namespace isolith::wal {
namespace {

struct Outcome {
  std::vector<Written> appended;
  std::size_t acknowledged = 0;
  std::size_t errors = 0;
};

// The same life each time: appends, syncs, releases. Checks the rules of failure on its way.
void live(base::SimulatedDisk& disk, Outcome& outcome) {
  auto opened = LogWriter::open(small_log(disk, 1024), Lsn{}, Timestamp{});
  if (!opened.ok()) {
    ++outcome.errors;
    return;
  }
  LogWriter& writer = **opened;
  base::Random random(7);
  bool sick = false;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    Written unit = random_commit(random, i, 600);
    const Result<Lsn> end = append(writer, unit);
    if (sick) {
      ASSERT_TRUE(end.status().is(StatusCode::read_only)) << end.status().to_string();
      ASSERT_NE(end.status().message().find("the log can not be written any more: "), std::string::npos);
    }
    if (end.ok()) {
      unit.end = *end;
      outcome.appended.push_back(unit);
    } else {
      ++outcome.errors;
    }
    sick = sick || !writer.health().ok();
    if (i % 4 != 0) continue;

    const Lsn before = writer.durable_lsn();
    const Lsn wanted = writer.appended_lsn();
    const Status status = writer.make_durable(wanted, kNoTransaction);
    if (sick) {
      ASSERT_TRUE(status.is(StatusCode::read_only) || before >= wanted);
      ASSERT_EQ(writer.durable_lsn(), before) << "nothing becomes durable after a failure";
    }
    if (status.ok()) {
      ASSERT_GE(writer.durable_lsn(), wanted);
      outcome.acknowledged = outcome.appended.size();
    } else {
      ASSERT_EQ(writer.durable_lsn(), before);
      ASSERT_TRUE(status.is(StatusCode::io_error) || status.is(StatusCode::no_space) ||
                  status.is(StatusCode::read_only));
      ASSERT_NE(status.system_error(), 0);
      ++outcome.errors;
    }
    sick = sick || !writer.health().ok();
  }
}

void fault_at_every_call(base::Fault fault) {
  std::uint64_t n = 0;
  for (bool happened = true; happened && !::testing::Test::HasFailure(); ++n) {
    const auto disk = disk_with_directory();
    disk->fail_call(n, fault);
    Outcome outcome;
    ASSERT_NO_FATAL_FAILURE(live(*disk, outcome)) << "fault at call " << n;
    happened = disk->fault_happened();
    disk->clear_faults();
    if (!happened) {
      EXPECT_EQ(outcome.errors, 0u);
      EXPECT_EQ(outcome.acknowledged, 60u);
      break;
    }
    if (outcome.appended.empty()) continue;  // the log was never opened
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const auto after = disk->crash(seed);
      const auto log = read_log(*after);
      ASSERT_TRUE(log.ok()) << "fault at call " << n << ": " << log.status().to_string();
      ASSERT_GE(log->units.size(), outcome.acknowledged) << "fault at call " << n;
      ASSERT_LE(log->units.size(), outcome.appended.size());
      ASSERT_TRUE(std::equal(log->units.begin(), log->units.end(), outcome.appended.begin()));
      ASSERT_TRUE(LogWriter::open(small_log(*after, 1024), log->end, Timestamp{60}).ok());
    }
  }
  EXPECT_GT(n, 10u) << "the fault has met many calls";
}

TEST(LogFault, IoErrorAtEveryCall) { fault_at_every_call(base::Fault::io_error); }
TEST(LogFault, NoSpaceAtEveryCall) { fault_at_every_call(base::Fault::no_space); }
TEST(LogFault, ShortWriteAtEveryCall) { fault_at_every_call(base::Fault::short_write); }
TEST(LogFault, SyncErrorAtEveryCall) { fault_at_every_call(base::Fault::sync_error); }

TEST(LogFault, TheFirstFailureIsToldAndKept) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  const Written unit{UnitKind::commit, Timestamp{1}, TransactionId{1}, "x", {}};
  const Lsn end = *append(**writer, unit);
  disk->fail_call(0, base::Fault::sync_error);
  const Status first = (*writer)->make_durable(end, kNoTransaction);
  EXPECT_TRUE(first.is(StatusCode::io_error)) << first.to_string();
  const std::uint64_t changes = disk->change_count();
  const Status second = (*writer)->make_durable(end, kNoTransaction);
  EXPECT_TRUE(second.is(StatusCode::read_only));
  EXPECT_EQ(second.system_error(), first.system_error());
  EXPECT_NE(second.message().find(std::string(first.message())), std::string::npos) << second.to_string();
  EXPECT_TRUE((*writer)->health().is(StatusCode::read_only));
  EXPECT_EQ(disk->change_count(), changes) << "a failed sync is never tried again";
  EXPECT_EQ((*writer)->durable_lsn(), Lsn{});
}

TEST(LogFault, AFullDiskFailsTheAppendAndLaterOnesSucceed) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  disk->set_capacity(2 * 4096 + 100);
  std::vector<Written> units;
  Status failure;
  for (std::uint64_t i = 1; failure.ok() && i < 1000; ++i) {
    Written unit{UnitKind::commit, Timestamp{i}, TransactionId{i}, std::string(300, 'x'), {}};
    const auto end = append(**writer, unit);
    failure = end.status();
    if (!end.ok()) break;
    unit.end = *end;
    units.push_back(unit);
    ASSERT_TRUE((*writer)->make_durable(*end, kNoTransaction).ok());
  }
  EXPECT_TRUE(failure.is(StatusCode::no_space)) << failure.to_string();
  EXPECT_TRUE((*writer)->health().ok());
  EXPECT_GT(raw((*writer)->appended_lsn()), 2 * 4096u - 400);
  EXPECT_EQ(read_log(*disk)->units, units);

  disk->set_capacity(0);
  Written unit{UnitKind::commit, Timestamp{2000}, TransactionId{1}, std::string(300, 'y'), {}};
  const auto end = append(**writer, unit);
  ASSERT_TRUE(end.ok()) << end.status().to_string();
  units.push_back(unit);
  ASSERT_TRUE((*writer)->make_durable(*end, kNoTransaction).ok());
  EXPECT_EQ(read_log(*disk)->units, units);
}

}  // namespace
}  // namespace isolith::wal
