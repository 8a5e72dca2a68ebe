// A scenario on isolith: what a run says of reads, versions, waits, failures and ends.
#include "anomalies/execution.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "anomalies/isolith_engine.h"
#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

class ExecutionTest : public ::testing::Test {
 protected:
  void open(const std::string& text, const std::string& level) {
    Result<Scenario> parsed = parse_scenario("scenario test\n" + text, "test");
    ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
    scenario = *std::move(parsed);
    Result<std::unique_ptr<IsolithEngine>> opened = open_isolith(runner);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    engine = *std::move(opened);
    execution = std::make_unique<Execution>(scenario, *engine, runner);
    const Status status = execution->prepare(level);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  Status run_order(const std::string& order) {
    Result<Schedule> schedule = parse_schedule(order, execution->program());
    if (!schedule.ok()) return schedule.status();
    return execution->run(*schedule, run);
  }

  void take(const std::string& order) {
    const Status status = run_order(order);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  const Operation& operation(std::uint32_t session, std::uint32_t step) {
    for (const Operation& one : run.operations) {
      if (one.session == session && one.step == step) return one;
    }
    ADD_FAILURE() << "no operation " << session << "." << step;
    return run.operations.front();
  }

  std::string result(std::uint32_t session, std::uint32_t step) {
    return to_text(operation(session, step).result);
  }

  Scenario scenario;
  Runner runner;
  std::unique_ptr<IsolithEngine> engine;
  std::unique_ptr<Execution> execution;
  anomalies::Run run;
};

constexpr const char* kReadAndAdd = R"(
table t
  a = 1
  b = 2
session A
  x = get t/a
  put t/a = x + 10
  commit
session B
  x = get t/a
  put t/a = x + 100
  commit
)";

TEST_F(ExecutionTest, ReadsNameTheVersionThatTheySaw) {
  open(kReadAndAdd, "read_committed");
  take("A1 A2 A3 B1 B2 B3");
  EXPECT_EQ(operation(0, 1).reads.at(0).write, 0U);  // the first row
  const Read& read = operation(1, 1).reads.at(0);
  EXPECT_EQ(run.writes.at(read.write).session, 0U);
  EXPECT_EQ(run.writes.at(read.write).step, 2U);
  EXPECT_EQ(run.writes.at(read.write).value, "11");
  EXPECT_EQ(to_text(run.tables.at(0)), "a=111, b=2");
  EXPECT_EQ(run.writes.at(run.versions.at(0).at(0).write).session, 1U);
  EXPECT_EQ(run.variables.at(1).at(0), Value(std::int64_t{11}));
}

TEST_F(ExecutionTest, ADirtyReadNamesTheVersionOfWhoAborts) {
  open(R"(
table t
  a = 1
session A
  put t/a = 2
  abort
session B
  x = get t/a
  commit
)",
       "read_uncommitted");
  take("A1 B1 A2 B2");
  EXPECT_EQ(result(1, 1), "2");
  EXPECT_EQ(run.writes.at(operation(1, 1).reads.at(0).write).transaction, 0U);
  EXPECT_EQ(run.transactions.at(0).end, TransactionEnd::aborted);
  EXPECT_EQ(run.transactions.at(1).end, TransactionEnd::committed);
  EXPECT_EQ(to_text(run.tables.at(0)), "a=1");
}

TEST_F(ExecutionTest, AWaitIsSeenAndEndsWithTheHolder) {
  open(kReadAndAdd, "read_committed");
  take("A1 B1 A2 B2 A3 B3");
  EXPECT_TRUE(operation(1, 2).waited);
  EXPECT_FALSE(operation(0, 2).waited);
  EXPECT_EQ(to_text(run.tables.at(0)), "a=101, b=2");
}

TEST_F(ExecutionTest, AConflictEndsTheTransactionAndNamesTheOther) {
  open(kReadAndAdd, "snapshot");
  take("A1 B1 A2 A3 B2 B3");
  const Operation& failed = operation(1, 2);
  EXPECT_EQ(failed.end, OperationEnd::failed);
  EXPECT_EQ(failed.status.reason(), ConflictReason::write_conflict);
  EXPECT_EQ(failed.status.message(), "t/a was changed by A, which committed after the snapshot of B");
  EXPECT_EQ(operation(1, 3).end, OperationEnd::passed_over);
  EXPECT_EQ(run.transactions.at(1).end, TransactionEnd::failed);
  EXPECT_EQ(run.variables.at(1).at(0), Value(Unread()));
}

TEST_F(ExecutionTest, ADeadlockIsToldInNames) {
  open(R"(
table t
  a = 1
  b = 2
session A
  put t/a = 10
  put t/b = 20
  commit
session B
  put t/b = 200
  put t/a = 100
  commit
)",
       "read_committed");
  take("A1 B1 A2 B2 A3 B3");
  EXPECT_EQ(operation(1, 2).status.reason(), ConflictReason::deadlock);
  EXPECT_EQ(operation(1, 2).status.message(),
            "B waits for A at t/a (A wrote it), A waits for B at t/b (B wrote it); B gives way: run it "
            "again");
  EXPECT_EQ(to_text(run.tables.at(0)), "a=10, b=20");
}

TEST_F(ExecutionTest, RangesCountSumAndFilter) {
  open(R"(
table t
  a = 1
  b = 2
  c = 3
session A
  rows = scan t
  n = count t where value > 1
  s = sum t/a..c
  e = exists t/x..
  p = scan t/b*
  commit
)",
       "snapshot");
  take("A A A A A A");
  EXPECT_EQ(result(0, 1), "a=1, b=2, c=3");
  EXPECT_EQ(result(0, 2), "2");
  EXPECT_EQ(result(0, 3), "3");
  EXPECT_EQ(result(0, 4), "false");
  EXPECT_EQ(result(0, 5), "b=2");
  EXPECT_EQ(operation(0, 2).reads.size(), 3U);
  EXPECT_FALSE(operation(0, 2).reads.at(0).fits);
}

TEST_F(ExecutionTest, UpdateLocksReadsAgainAndLooksAgain) {
  open(R"(
table t
  a = 1
  b = 2
session A
  put t/a = 5
  commit
session B
  update t = value * 10 where value < 3
  commit
)",
       "read_committed");
  take("A1 B1 A2 B2");
  EXPECT_EQ(to_text(run.tables.at(0)), "a=5, b=20");
  EXPECT_EQ(result(1, 1), "1");
  EXPECT_TRUE(operation(1, 1).waited);
}

TEST_F(ExecutionTest, ARollbackToASavepointUndoesItsWrites) {
  open(R"(
table t
  a = 1
session A
  put t/a = 2
  savepoint s
  put t/a = 3
  insert t/b = 4
  rollback to s
  x = get t/a
  y = get t/b
  commit
)",
       "snapshot");
  take("A A A A A A A A");
  EXPECT_EQ(result(0, 6), "2");
  EXPECT_EQ(result(0, 7), "absent");
  EXPECT_EQ(run.writes.at(1).state, WriteState::stored);
  EXPECT_EQ(run.writes.at(2).state, WriteState::undone);
  EXPECT_EQ(run.writes.at(3).state, WriteState::undone);
}

TEST_F(ExecutionTest, StepsThatFailAloneLeaveTheTransactionInProgress) {
  open(R"(
table t
  a = 1
session A
  insert t/a = 2
  erase t/x
  put t/b = 3
  commit
)",
       "read_committed");
  take("A A A A");
  EXPECT_TRUE(operation(0, 1).status.is(StatusCode::already_exists));
  EXPECT_TRUE(operation(0, 2).status.is(StatusCode::not_found));
  EXPECT_EQ(run.writes.at(1).state, WriteState::failed);
  EXPECT_EQ(run.transactions.at(0).end, TransactionEnd::committed);
  EXPECT_EQ(to_text(run.tables.at(0)), "a=1, b=3");
}

TEST_F(ExecutionTest, IfSkipsAndRequireAborts) {
  open(R"(
table t
  a = 1
session A
  x = get t/a
  if x > 1 then put t/a = 9
  require x > 1
  put t/a = 8
  commit
)",
       "read_committed");
  take("A A A A A");
  EXPECT_EQ(operation(0, 2).end, OperationEnd::skipped);
  EXPECT_EQ(operation(0, 3).end, OperationEnd::refused);
  EXPECT_EQ(operation(0, 4).end, OperationEnd::passed_over);
  EXPECT_EQ(run.transactions.at(0).end, TransactionEnd::aborted);
  EXPECT_EQ(to_text(run.tables.at(0)), "a=1");
}

TEST_F(ExecutionTest, ASerialRunPassesOverWhoIsNotNamed) {
  open(kReadAndAdd, "snapshot");
  ASSERT_TRUE(execution->run_serially(std::vector<std::uint32_t>{1}, run).ok());
  EXPECT_EQ(to_text(run.tables.at(0)), "a=101, b=2");
  EXPECT_EQ(run.transactions.at(0).end, TransactionEnd::not_begun);
  anomalies::Run both;
  ASSERT_TRUE(execution->run_serially(std::vector<std::uint32_t>{1, 0}, both).ok());
  EXPECT_EQ(to_text(both.tables.at(0)), "a=111, b=2");
  EXPECT_FALSE(same_outcome(run, both));
  anomalies::Run again;
  ASSERT_TRUE(execution->run_serially(std::vector<std::uint32_t>{1, 0}, again).ok());
  EXPECT_TRUE(same_outcome(again, both));
}

TEST_F(ExecutionTest, TransactionsOfOneSessionHaveNamesOfTheirOwn) {
  open(R"(
table t
  a = 1
session A
  put t/a = 2
  commit
  begin
  x = get t/a
  abort
session B
  x = get t/a
  commit
)",
       "read_committed");
  take("A A A A A B B");
  ASSERT_EQ(run.transactions.size(), 3U);
  EXPECT_EQ(transaction_name(scenario, run, 0), "A's first");
  EXPECT_EQ(transaction_name(scenario, run, 1), "A's second");
  EXPECT_EQ(transaction_name(scenario, run, 2), "B");
  EXPECT_EQ(run.transactions.at(1).end, TransactionEnd::aborted);
}

TEST_F(ExecutionTest, AnErrorOfTheScenarioNamesItsPlaceAndLeavesNobodyWaiting) {
  open(R"(
table t
  a = 1
  b = "text"
session A
  put t/a = 2
  s = sum t
  commit
session B
  put t/a = 3
  commit
)",
       "read_committed");
  const Status status = run_order("A1 B1 A2 B2 A3");
  EXPECT_TRUE(status.is(StatusCode::invalid_argument));
  EXPECT_EQ(status.message().substr(0, 3), "8:3") << status.to_string();
  EXPECT_EQ(run_order("B1 A1 B2 A2 A3").message(), status.message());
}

TEST_F(ExecutionTest, WhatTheEngineDoesNotOfferIsSaidWithItsPlace) {
  open(R"(
table t
  a = 1
session A deferrable
  x = get t/a
  commit
)",
       "read_committed");
  const Status status = run_order("A A");
  EXPECT_TRUE(status.is(StatusCode::invalid_argument));
  EXPECT_EQ(status.message().substr(0, 3), "6:3") << status.to_string();
  EXPECT_NE(status.message().find("deferrable"), std::string_view::npos);
}

TEST_F(ExecutionTest, LevelsThatAreNotThereAreNamedWithThoseThatAre) {
  Result<Scenario> parsed = parse_scenario(R"(scenario test
table t
session A at snapshoot
  x = get t/a
  commit
)",
                                           "test");
  ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
  Result<std::unique_ptr<IsolithEngine>> opened = open_isolith(runner);
  ASSERT_TRUE(opened.ok());
  Execution one(*parsed, **opened, runner);
  EXPECT_EQ(one.prepare("read_comitted").message(),
            "isolith has no level 'read_comitted'; it has read_uncommitted, read_committed, repeatable_read, "
            "snapshot, serializable_2pl, serializable_ssi and serial");
  EXPECT_EQ(
      one.prepare("read_committed").message(),
      "3:9: isolith has no level 'snapshoot'; it has read_uncommitted, read_committed, repeatable_read, "
      "snapshot, serializable_2pl, serializable_ssi and serial");
}

// The whole of a run in text.
std::string text_of(const Run& run, const Program& program) {
  std::string text = to_string(run.trace.schedule, program) + "\n" + to_string(run.trace, program);
  for (const Operation& one : run.operations) {
    text += std::to_string(one.session) + "." + std::to_string(one.step) + " " + to_text(one.result) + " " +
            one.status.to_string() + " " + std::to_string(one.began_at) + "-" + std::to_string(one.ended_at);
    for (const Read& read : one.reads) text += " r" + read.key + "@" + std::to_string(read.write);
    text += "\n";
  }
  for (const std::vector<Row>& rows : run.tables) text += to_text(rows) + "\n";
  return text;
}

TEST_F(ExecutionTest, TheSameOrderGivesTheSameRunTenThousandTimes) {
  open(kReadAndAdd, "snapshot");
  take("A1 B1 A2 B2 A3 B3");
  const std::string first = text_of(run, execution->program());
  for (int i = 0; i < 10'000; ++i) {
    take("A1 B1 A2 B2 A3 B3");
    ASSERT_EQ(text_of(run, execution->program()), first) << "in run " << i;
  }
}

}  // namespace
}  // namespace isolith::anomalies
