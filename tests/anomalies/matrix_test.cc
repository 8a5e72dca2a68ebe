#include "anomalies/matrix.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "anomalies/isolith_engine.h"
#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

MatrixRow row_of(const std::string& text) {
  Runner runner;
  const std::unique_ptr<IsolithEngine> engine = *open_isolith(runner);
  const Result<Scenario> scenario = parse_scenario(text, "test");
  EXPECT_TRUE(scenario.ok()) << scenario.status().to_string();
  MatrixRow row;
  const Status status = run_row(*scenario, *engine, runner, row);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(row.cells.size(), engine->levels().size());
  return row;
}

// By level, in the order of the engine: two read without a lock, then repeatable_read, snapshot,
// serializable_2pl, serializable_ssi, serial.
std::vector<Verdict> verdicts_of(const MatrixRow& row) {
  std::vector<Verdict> verdicts;
  for (const Cell& cell : row.cells) {
    EXPECT_TRUE(cell.status.ok()) << cell.status.to_string();
    verdicts.push_back(cell.verdict);
  }
  return verdicts;
}

const std::string kSkew =
    "scenario Skew\nshows write skew\n"
    "table t\n  a = 1\n  b = 1\n"
    "session A\n  n = count t where value = 1\n  if n = 2 then put t/a = 0\n  commit\n"
    "session B\n  n = count t where value = 1\n  if n = 2 then put t/b = 0\n  commit\n"
    "invariant (count t where value = 1) >= 1\n";

// Both have read both rows, so where reads lock somebody has to fail, or to come later.
const std::vector<Verdict> kSkewVerdicts = {Verdict::happens, Verdict::happens,  Verdict::aborting,
                                            Verdict::happens, Verdict::aborting, Verdict::aborting,
                                            Verdict::waiting};

TEST(Matrix, OneOrderIsRunAtEachLevel) {
  const MatrixRow row = row_of(kSkew + "order A1 B1 A2 B2 A3 B3\n");
  EXPECT_EQ(row.title, "Skew");
  EXPECT_EQ(row.shows, "write skew");
  EXPECT_EQ(verdicts_of(row), kSkewVerdicts);
  for (const Cell& cell : row.cells) {
    const bool happens = cell.verdict == Verdict::happens;
    EXPECT_EQ(cell.runs, 1U);
    EXPECT_EQ(cell.showing, happens ? 1U : 0U);
    EXPECT_EQ(cell.order, happens ? "A1 B1 A2 B2 A3 B3" : "");
    EXPECT_TRUE(cell.unmet.empty());
  }
}

TEST(Matrix, AScenarioWithoutOrdersIsRunInEveryOne) {
  const MatrixRow row = row_of(kSkew);
  EXPECT_EQ(verdicts_of(row), kSkewVerdicts);
  constexpr std::size_t kWatching = 5;  // serializable_ssi, at which no steps are known to commute
  for (const Cell& cell : row.cells) {
    const bool happens = cell.verdict == Verdict::happens;
    EXPECT_GT(cell.runs, 2U);
    // Of 20 orders, those that commuting steps do not make alike.
    EXPECT_EQ(cell.runs < 20U, &cell != &row.cells[kWatching]);
    EXPECT_EQ(cell.showing > 0, happens);
    EXPECT_EQ(cell.order.empty(), !happens);
  }
}

TEST(Matrix, TheOrderOfACellShowsTheAnomalyAgain) {
  const MatrixRow row = row_of(kSkew);
  for (std::size_t level = 0; level < row.cells.size(); ++level) {
    if (kSkewVerdicts[level] != Verdict::happens) continue;
    const std::string& order = row.cells[level].order;
    const MatrixRow again = row_of(kSkew + "order " + order + "\n");
    EXPECT_EQ(again.cells[level].verdict, Verdict::happens) << order;
  }
}

TEST(Matrix, EachLevelPreventsInItsOwnWay) {
  const std::string text =
      "scenario Lost update\n"
      "table t\n  n = 0\n"
      "session A\n  x = get t/n\n  put t/n = x + 1\n  commit\n"
      "session B\n  x = get t/n\n  put t/n = x + 1\n  commit\n"
      "anomaly A.x = B.x\n"
      "order A1 B1 A2 B2 A3 B3\n"
      "expect read_uncommitted read_committed\n  happens\n  B waits for A\n"
      "expect snapshot serializable_ssi\n  prevented by aborting\n"
      "  B fails with conflict/write_conflict\n"
      "expect repeatable_read serializable_2pl\n  prevented by aborting\n  B fails with conflict/deadlock\n"
      "expect serial\n  prevented by waiting\n  B waits for A\n";
  const MatrixRow row = row_of(text);
  EXPECT_EQ(verdicts_of(row),
            (std::vector<Verdict>{Verdict::happens, Verdict::happens, Verdict::aborting, Verdict::aborting,
                                  Verdict::aborting, Verdict::aborting, Verdict::waiting}));
  for (const Cell& cell : row.cells) {
    EXPECT_EQ(cell.order.empty(), cell.verdict != Verdict::happens);
    EXPECT_TRUE(cell.unmet.empty()) << cell.unmet.front().text;
  }
}

TEST(Matrix, WhatIsExpectedAndNotSeenIsInTheCell) {
  const MatrixRow row = row_of(kSkew + "order A1 B1 A2 B2 A3 B3\nexpect snapshot\n  prevented\n");
  constexpr std::size_t kSnapshot = 3;
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    EXPECT_EQ(row.cells[i].unmet.size(), i == kSnapshot ? 1U : 0U) << i;
  }
  EXPECT_EQ(row.cells[kSnapshot].unmet.at(0).place.line, 17U);
}

TEST(Matrix, ACellThatCannotBeRunSaysWhy) {
  const MatrixRow row = row_of(
      "scenario Safe\ntable t\n  a = 1\n"
      "session A deferrable\n  get t/a\n  commit\n"
      "session B\n  put t/a = 2\n  commit\n");
  for (const Cell& cell : row.cells) {
    EXPECT_TRUE(cell.status.is(StatusCode::invalid_argument));
    EXPECT_NE(cell.status.message().find("deferrable"), std::string_view::npos) << cell.status.to_string();
    EXPECT_NE(cell.status.message().find("5:3"), std::string_view::npos) << cell.status.to_string();
    EXPECT_EQ(cell.runs, 0U);
  }
}

}  // namespace
}  // namespace isolith::anomalies
