// A disk that fails once, at every call in turn, or that is full: no crash, no acknowledged commit lost, no
// acknowledgement after a failed sync, and a later opening is clean.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/simulated_disk.h"
#include "isolith/isolith.h"
#include "tests/crash/fault_workload.h"
#include "tests/support/seed.h"

namespace isolith::crash {
namespace {

using base::Fault;
using base::SimulatedDisk;

constexpr unsigned kProblemsMax = 5;  // that a test tells

struct Counts {
  std::uint64_t faults = 0;
  std::uint64_t crashes = 0;
  std::uint64_t failed_sync_commits = 0;
};

// The workload with the n-th call failing. False once no call was left to fail.
bool run_with_fault(std::uint64_t n, Fault fault, Counts& counts, std::string& problem) {
  SimulatedDisk disk;
  std::uint64_t seed = testing::test_seed() + n;
  FaultWorkload workload(disk, base::splitmix64(seed), n % 4 == 0 || fault == Fault::sync_error);
  disk.fail_call(n, fault);
  problem = workload.first_life();
  if (problem.empty()) problem = workload.second_life();
  const bool happened = disk.fault_happened();
  disk.clear_faults();
  if (problem.empty()) {
    problem = workload.look_at(disk, workload.acknowledged());
    if (!problem.empty()) problem = "opened again: " + problem;
  }
  for (CrashedDisk& crashed : workload.crashed()) {
    if (!problem.empty()) break;
    ++counts.crashes;
    problem = workload.look_at(*crashed.disk, crashed.acknowledged);
    if (!problem.empty()) problem = "crashed " + crashed.when + ": " + problem;
  }
  counts.faults += happened ? 1 : 0;
  counts.failed_sync_commits += workload.failed_sync_commits();
  return happened;
}

Counts run_with_every_fault(Fault fault) {
  Counts counts;
  unsigned problems = 0;
  std::string problem;
  for (std::uint64_t n = 0; run_with_fault(n, fault, counts, problem) && problems < kProblemsMax; ++n) {
    EXPECT_EQ(problem, "") << "call " << n;
    problems += problem.empty() ? 0 : 1;
  }
  EXPECT_EQ(problem, "") << "without a fault";
  std::printf("%llu calls failed, %llu crashes\n", static_cast<unsigned long long>(counts.faults),
              static_cast<unsigned long long>(counts.crashes));
  ::testing::Test::RecordProperty("calls_failed", std::to_string(counts.faults));
  return counts;
}

TEST(Fault, AnIoErrorAtAnyCallLosesNothing) { run_with_every_fault(Fault::io_error); }

TEST(Fault, AFullDiskAtAnyCallLosesNothing) { run_with_every_fault(Fault::no_space); }

TEST(Fault, AShortWriteAtAnyCallLosesNothing) { run_with_every_fault(Fault::short_write); }

TEST(Fault, NothingIsAcknowledgedAfterAFailedSync) {
  const Counts counts = run_with_every_fault(Fault::sync_error);
  EXPECT_GT(counts.failed_sync_commits, 0U);
}

TEST(FullDisk, LosesNothingAndLeavesADatabaseThatOpensOnceThereIsRoom) {
  std::uint64_t answers = 0;
  for (std::uint64_t capacity = 64 << 10; capacity < (4 << 20); capacity += 96 << 10) {
    SCOPED_TRACE("capacity " + std::to_string(capacity));
    SimulatedDisk disk;
    FaultWorkload workload(disk, testing::test_seed() + capacity, false);
    disk.set_capacity(capacity);
    ASSERT_EQ(workload.first_life(), "");
    ASSERT_EQ(workload.second_life(), "");
    disk.set_capacity(0);
    ASSERT_EQ(workload.second_life(), "");
    ASSERT_EQ(workload.look_at(disk, workload.acknowledged()), "");
    answers += workload.no_space_answers();
  }
  EXPECT_GT(answers, 100U);
}

Status put_and_commit(Database& database, unsigned number) {
  Result<Transaction> transaction = database.begin();
  if (!transaction.ok()) return transaction.status();
  const Result<Table> table = transaction->ensure_table("rows");
  if (!table.ok()) return table.status();
  const Status status = transaction->put(*table, std::to_string(number), std::string(2'500, 'x'));
  return status.ok() ? transaction->commit() : status;
}

// The log and checkpoints wait for room. Where undo or collecting meets the full disk, writing stops until
// the database is opened again (txn/README.md), and says so.
TEST(FullDisk, OnceThereIsRoomTheDatabaseTakesWritesAgain) {
  unsigned databases = 0;
  unsigned opened_again = 0;
  for (std::uint64_t capacity = 600 << 10; capacity < (3 << 20); capacity += 100 << 10) {
    SCOPED_TRACE("capacity " + std::to_string(capacity));
    ++databases;
    SimulatedDisk disk;
    Result<Database> database = Database::open(kDatabase, small_database(disk));
    ASSERT_TRUE(database.ok());
    disk.set_capacity(capacity);
    unsigned count = 0;
    Status status;
    while ((status = put_and_commit(*database, count)).ok()) ++count;
    EXPECT_TRUE(is_disk_failure(status)) << status.to_string();
    EXPECT_NE(status.to_string().find("No space left"), std::string::npos) << status.to_string();
    disk.set_capacity(0);
    status = put_and_commit(*database, count);
    if (status.is(StatusCode::read_only)) {
      ++opened_again;
      (void)database->close().ok();
      database = Database::open(kDatabase, small_database(disk));
      ASSERT_TRUE(database.ok()) << database.status().to_string();
      status = put_and_commit(*database, count);
    }
    ASSERT_TRUE(status.ok()) << status.to_string();
    for (++count; (status = put_and_commit(*database, count)).ok() && count % 50 != 0;) ++count;
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_TRUE(database->checkpoint().ok());
    const Result<VerifyReport> report = database->verify();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->problems.empty()) << report->problems.front();
    EXPECT_EQ(report->rows, count + 1);
    EXPECT_TRUE(database->close().ok());
  }
  EXPECT_LT(opened_again, databases / 2);
}

}  // namespace
}  // namespace isolith::crash
