#include "anomalies/judgement.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/explorer.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/needless_abort.h"
#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

// What came of a scenario's orders at a level.
struct Judged {
  Status status;
  Verdict verdict = Verdict::happens;
  std::vector<std::string> unmet;
  std::uint64_t runs = 0;
  std::uint64_t showing = 0;
  std::uint64_t waiting = 0;
  std::uint64_t aborting = 0;
  std::uint64_t aborts = 0;
  std::uint64_t needless = 0;
  std::string order;
};

Judged judge(const std::string& text, std::string_view level) {
  Judged judged;
  Runner runner;
  const std::unique_ptr<IsolithEngine> engine = *open_isolith(runner);
  const Result<Scenario> scenario = parse_scenario(text, "test");
  EXPECT_TRUE(scenario.ok()) << scenario.status().to_string();
  Execution execution(*scenario, *engine, runner);
  EXPECT_TRUE(execution.prepare(level).ok());
  SerialOutcomes serial(execution);
  Judgement judgement(*scenario, level, serial);
  NeedlessAborts aborts(execution, *engine, serial);
  Run run;
  const auto add = [&](const Run& one) -> Status {
    if (Status status = judgement.add(one); !status.ok()) return status;
    return aborts.add(one);
  };
  for (const Schedule& order : scenario->orders) {
    judged.status = execution.run(order, run);
    if (judged.status.ok()) judged.status = add(run);
    if (!judged.status.ok()) return judged;
  }
  if (scenario->all_orders) {
    Exploration exploration;
    judged.status = explore(execution, {Pruning::none}, add, exploration);
  }
  judged.verdict = judgement.verdict();
  for (const Unmet& unmet : judgement.unmet()) judged.unmet.push_back(unmet.text);
  judged.runs = judgement.runs();
  judged.showing = judgement.showing();
  judged.waiting = judgement.waiting();
  judged.aborting = judgement.aborting();
  judged.aborts = aborts.aborts();
  judged.needless = aborts.needless();
  if (judgement.first_showing()) judged.order = to_string(*judgement.first_showing(), execution.program());
  return judged;
}

// The one thing that is not met.
std::string complaint(const std::string& text, std::string_view level) {
  const Judged judged = judge(text, level);
  EXPECT_TRUE(judged.status.ok()) << judged.status.to_string();
  EXPECT_EQ(judged.unmet.size(), 1U);
  return judged.unmet.empty() ? "" : judged.unmet.front();
}

const std::string kLostUpdate =
    "scenario Lost update\n"
    "table t\n  n = 0\n"
    "session A\n  x = get t/n\n  put t/n = x + 1\n  commit\n"
    "session B\n  x = get t/n\n  put t/n = x + 1\n  commit\n";
const std::string kCrossed = "order A1 B1 A2 B2 A3 B3\n";
const std::string kInTurn = "order A1 A2 A3 B1 B2 B3\n";

// ---- what goes wrong ----

TEST(Judgement, ABrokenInvariantHappens) {
  const std::string text = kLostUpdate + kCrossed + "invariant get t/n = 2\n";
  const Judged judged = judge(text, "read_committed");
  EXPECT_EQ(judged.verdict, Verdict::happens);
  EXPECT_EQ(judged.showing, 1U);
  EXPECT_EQ(judged.order, "A1 B1 A2 B2 A3 B3");
  EXPECT_EQ(judge(kLostUpdate + kInTurn + "invariant get t/n = 2\n", "read_committed").verdict,
            Verdict::snapshot);
}

TEST(Judgement, AnAnomalyOfWhatCommittedTransactionsReadHappens) {
  EXPECT_EQ(judge(kLostUpdate + kCrossed + "anomaly A.x = B.x\n", "read_committed").verdict,
            Verdict::happens);
  // At snapshot B does not commit: what it read does not count.
  EXPECT_EQ(judge(kLostUpdate + kCrossed + "anomaly A.x = B.x\n", "snapshot").verdict, Verdict::aborting);
}

TEST(Judgement, WithNoConditionsOnlyOutcomesOfSerialOrdersAreRight) {
  EXPECT_EQ(judge(kLostUpdate + kCrossed, "read_committed").verdict, Verdict::happens);
  EXPECT_EQ(judge(kLostUpdate + kInTurn, "read_committed").verdict, Verdict::snapshot);
  EXPECT_EQ(judge(kLostUpdate + "order B1 B2 B3 A1 A2 A3\n", "read_committed").verdict, Verdict::snapshot);
  EXPECT_EQ(judge(kLostUpdate + kCrossed, "snapshot").verdict, Verdict::aborting);
}

TEST(Judgement, SerialOrdersKeepTheOrderOfASession) {
  // B reads what was there before A's first and after A's second: no order has that.
  const std::string text =
      "scenario Two transactions\n"
      "table t\n  a = 1\n  b = 1\n"
      "session A\n  put t/a = 2\n  commit\n  begin\n  put t/b = 2\n  commit\n"
      "session B\n  x = get t/a\n  y = get t/b\n  commit\n";
  EXPECT_EQ(judge(text + "order B1 A1 A2 A3 A4 A5 B2 B3\n", "read_committed").verdict, Verdict::happens);
  EXPECT_EQ(judge(text + "order A1 A2 B1 B2 B3 A3 A4 A5\n", "read_committed").verdict, Verdict::snapshot);
  EXPECT_EQ(judge(text + "order B1 A1 A2 A3 A4 A5 B2 B3\n", "snapshot").verdict, Verdict::snapshot);
}

TEST(Judgement, WithManyTransactionsTheDependenciesDecide) {
  std::string text = "scenario Many\ntable t\n  n = 0\n";
  std::string steps;
  for (const char name : {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'}) {
    text.append("session ").append(1, name).append("\n  x = get t/n\n  put t/n = x + 1\n  commit\n");
    if (name > 'B') steps.append(" ").append(1, name).append(" ").append(1, name).append(" ").append(1, name);
  }
  EXPECT_EQ(judge(text + "order A A A B B B" + steps + "\n", "read_committed").verdict, Verdict::snapshot);
  EXPECT_EQ(judge(text + "order A B A B A B" + steps + "\n", "read_committed").verdict, Verdict::happens);
}

TEST(Judgement, AConditionThatCannotBeEvaluatedIsAnErrorWithItsPlace) {
  const Judged judged = judge(kLostUpdate + kInTurn + "invariant 1 / get t/n = 1 / 0\n", "snapshot");
  EXPECT_TRUE(judged.status.is(StatusCode::invalid_argument));
  EXPECT_NE(judged.status.message().find("13:"), std::string_view::npos) << judged.status.to_string();
}

TEST(Judgement, OrdersAreCountedByWhatTheyShow) {
  const Judged judged = judge(kLostUpdate + "order all\n", "snapshot");
  EXPECT_EQ(judged.runs, 20U);
  EXPECT_EQ(judged.showing, 0U);
  EXPECT_GT(judged.waiting, 0U);
  EXPECT_EQ(judged.aborting, 18U);  // all but the two in turn
  EXPECT_EQ(judged.verdict, Verdict::aborting);
  const Judged committed = judge(kLostUpdate + "order all\n", "read_committed");
  EXPECT_EQ(committed.showing, 18U);
  EXPECT_EQ(committed.aborting, 0U);
}

TEST(Judgement, WaitingIsHowItIsPreventedWhereNobodyFails) {
  const std::string text =
      "scenario Locked\ntable t\n  n = 0\n"
      "session A\n  x = get_for_update t/n\n  put t/n = x + 1\n  commit\n"
      "session B\n  x = get_for_update t/n\n  put t/n = x + 1\n  commit\n";
  const Judged judged = judge(text + kCrossed, "read_committed");
  EXPECT_EQ(judged.verdict, Verdict::waiting);
  EXPECT_EQ(judged.waiting, 1U);
}

// ---- what is expected ----

TEST(Judgement, NothingIsUnmetWhereAllIsSeen) {
  const Judged judged = judge(kLostUpdate + kCrossed +
                                  "anomaly A.x = B.x\n"
                                  "expect snapshot\n  prevented\n  prevented by aborting\n  B waits for A\n"
                                  "  B fails with conflict/write_conflict\n  B fails with conflict\n"
                                  "  A commits\n  A.x = 0\n  get t/n = 1\n"
                                  "expect read_committed\n  happens\n",
                              "snapshot");
  EXPECT_TRUE(judged.unmet.empty()) << judged.unmet.front();
}

TEST(Judgement, SaysWhatHappenedInsteadOfBeingPrevented) {
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + "invariant get t/n = 2\nexpect read_committed\n  prevented\n",
                "read_committed"),
      "expected `prevented` at read_committed; it happens in A1 B1 A2 B2 A3 B3: the invariant `get t/n = 2` "
      "does not hold (get t/n is 1)");
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + kInTurn + "anomaly A.x = B.x\nexpect snapshot\n  happens\n",
                "snapshot"),
      "expected `happens` at snapshot; it is prevented by aborting, in A1 B1 A2 B2 A3 B3: B2 fails with "
      "conflict/write_conflict");
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + kInTurn + "anomaly A.x = B.x\nexpect read_committed\n  prevented\n",
                "read_committed"),
      "expected `prevented` at read_committed; it happens in 1 of 2 orders, as in A1 B1 A2 B2 A3 B3: the "
      "anomaly `A.x = B.x` holds (A.x is 0, B.x is 0)");
  EXPECT_EQ(
      complaint(kLostUpdate + kInTurn + "expect snapshot\n  prevented by waiting\n", "snapshot"),
      "expected `prevented by waiting` at snapshot; it does not happen, and nobody waits or fails with a "
      "conflict");
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + "expect read_committed\n  prevented\n", "read_committed"),
      "expected `prevented` at read_committed; it happens in A1 B1 A2 B2 A3 B3: no serial order gives what "
      "was read and what is stored at the end");
}

TEST(Judgement, SaysWhoWaitedForWhomInstead) {
  EXPECT_EQ(complaint(kLostUpdate + kInTurn + "expect snapshot\n  B waits for A\n", "snapshot"),
            "expected `B waits for A` at snapshot; in A1 A2 A3 B1 B2 B3: B waits for nobody: B commits");
  EXPECT_EQ(complaint(kLostUpdate + kCrossed + "expect snapshot\n  A waits for B\n", "snapshot"),
            "expected `A waits for B` at snapshot; in A1 B1 A2 B2 A3 B3: A waits for nobody: A commits");
  EXPECT_EQ(
      complaint(kLostUpdate + "order A1 B1 A2 A3 B2 B3\nexpect snapshot\n  B waits for A\n", "snapshot"),
      "expected `B waits for A` at snapshot; in A1 B1 A2 A3 B2 B3: B waits for nobody: B2 fails with "
      "conflict/write_conflict");
  EXPECT_EQ(complaint(kLostUpdate + kCrossed + "expect snapshot\n  nobody waits\n", "snapshot"),
            "expected `nobody waits` at snapshot; in A1 B1 A2 B2 A3 B3: B2 waits for A");
}

TEST(Judgement, SaysWhoFailedInstead) {
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + "expect snapshot\n  B fails with conflict/deadlock\n", "snapshot"),
      "expected `B fails with conflict/deadlock` at snapshot; in A1 B1 A2 B2 A3 B3: B2 fails with "
      "conflict/write_conflict");
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + "expect snapshot\n  nobody fails\n", "snapshot"),
      "expected `nobody fails` at snapshot; in A1 B1 A2 B2 A3 B3: B2 fails with conflict/write_conflict");
  EXPECT_EQ(complaint(kLostUpdate + kInTurn + kCrossed + "expect snapshot\n  B commits\n", "snapshot"),
            "expected `B commits` at snapshot; in A1 B1 A2 B2 A3 B3: B2 fails with conflict/write_conflict");
  EXPECT_EQ(
      complaint(kLostUpdate + kInTurn + "order B1 B2 B3 A1 A2 A3\nexpect snapshot\n  B fails with conflict\n",
                "snapshot"),
      "expected `B fails with conflict` at snapshot; that is so in none of 2 orders; in A1 A2 A3 B1 B2 B3: "
      "B commits");
}

TEST(Judgement, SaysWhichValuesThereWereInstead) {
  EXPECT_EQ(
      complaint(kLostUpdate + kCrossed + "expect read_committed\n  A.x = 0 and get t/n = 2\n",
                "read_committed"),
      "expected `A.x = 0 and get t/n = 2` at read_committed; in A1 B1 A2 B2 A3 B3: A.x is 0, get t/n is 1");
  EXPECT_EQ(complaint(kLostUpdate + kCrossed + "expect snapshot\n  B.x = 0\n", "snapshot"),
            "expected `B.x = 0` at snapshot; in A1 B1 A2 B2 A3 B3: B.x is unread");
}

TEST(Judgement, ExpectationsOfOtherLevelsDoNotCount) {
  EXPECT_TRUE(
      judge(kLostUpdate + kCrossed + "expect read_committed\n  prevented\n", "snapshot").unmet.empty());
}

// ---- needless aborts ----

TEST(NeedlessAborts, ALostUpdateIsRefusedForAReason) {
  const Judged judged = judge(kLostUpdate + "order all\n", "snapshot");
  EXPECT_EQ(judged.aborts, 18U);
  EXPECT_EQ(judged.needless, 0U);
}

TEST(NeedlessAborts, BlindWritesAreRefusedNeedlessly) {
  const std::string text =
      "scenario Blind\ntable t\n  a = 0\n  b = 0\n"
      "session A\n  put t/a = 1\n  commit\n"
      "session B\n  x = get t/b\n  put t/a = 2\n  commit\n";
  const Judged judged = judge(text + "order B1 A1 A2 B2 B3\n", "snapshot");
  EXPECT_EQ(judged.aborting, 1U);
  EXPECT_EQ(judged.aborts, 1U);
  EXPECT_EQ(judged.needless, 1U);
}

TEST(NeedlessAborts, ADeadlockIsNeverNeedless) {
  const std::string text =
      "scenario Deadlock\ntable t\n  a = 0\n  b = 0\n"
      "session A\n  put t/a = 1\n  put t/b = 1\n  commit\n"
      "session B\n  put t/b = 2\n  put t/a = 2\n  commit\n";
  const Judged judged = judge(text + kCrossed, "read_committed");
  EXPECT_EQ(judged.aborting, 1U);
  EXPECT_EQ(judged.aborts, 0U);
  EXPECT_EQ(judged.needless, 0U);
}

}  // namespace
}  // namespace isolith::anomalies
