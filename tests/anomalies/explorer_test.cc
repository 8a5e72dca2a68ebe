#include "anomalies/explorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <string>

#include "anomalies/isolith_engine.h"
#include "anomalies/judgement.h"
#include "anomalies/scenario_parser.h"
#include "random_scenario.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

// isolith with a runner of its own.
struct Lab {
  Runner runner;
  std::unique_ptr<IsolithEngine> engine = *open_isolith(runner);
};

// `sessions` behind a table t with the rows a, b and c.
Scenario scenario_of(const std::string& sessions) {
  Result<Scenario> scenario =
      parse_scenario("scenario s\ntable t\n  a = 1\n  b = 2\n  c = 3\n" + sessions, "s");
  EXPECT_TRUE(scenario.ok()) << scenario.status().to_string();
  return scenario.ok() ? *std::move(scenario) : Scenario();
}

Exploration explore_at(Lab& lab, const std::string& sessions, std::string_view level,
                       ExploreOptions options = {}) {
  const Scenario scenario = scenario_of(sessions);
  Execution execution(scenario, *lab.engine, lab.runner);
  Status status = execution.prepare(level);
  EXPECT_TRUE(status.ok()) << status.to_string();
  Exploration exploration;
  status = explore(
      execution, options, [](const Run& /*run*/) { return Status(); }, exploration);
  EXPECT_TRUE(status.ok()) << status.to_string();
  return exploration;
}

// All that the sessions saw and did, whatever the order between them was.
std::string outcome_of(const Run& run, const Program& program, bool is_anomaly) {
  std::vector<std::string> lines;
  for (const Operation& operation : run.operations) {
    std::string& line = lines.emplace_back();
    append_step(line, program.sessions[operation.session], operation.step);
    line += " " + std::to_string(static_cast<int>(operation.end)) + " " + status_name(operation.status) +
            " " + to_text(operation.result) + (operation.waited ? " waited" : "");
    for (const Row& row : operation.rows) line += " " + row.key + "=" + row.value;
  }
  for (const Event& event : run.trace.events) {
    if (event.kind != EventKind::blocked) continue;
    std::string& line = lines.emplace_back();
    append_step(line, program.sessions[event.session], event.step);
    line += " waits for " + std::to_string(event.holder_session) + " at " + event.table + "/" + event.key;
  }
  std::sort(lines.begin(), lines.end());
  std::string text = is_anomaly ? "anomaly\n" : "";
  for (const std::string& line : lines) text += line + "\n";
  for (const TransactionRecord& record : run.transactions) {
    text += std::to_string(static_cast<int>(record.end)) + " " + status_name(record.status) + "\n";
  }
  for (const std::vector<Row>& rows : run.tables) text += to_text(rows) + "\n";
  return text;
}

struct Outcomes {
  Status status;
  std::set<std::string> texts;
  Exploration exploration;
};

Outcomes outcomes_of(Execution& execution, Pruning pruning) {
  Outcomes outcomes;
  SerialOutcomes serial(execution);
  const auto visit = [&](const Run& run) -> Status {
    const Result<bool> is_anomaly = shows_anomaly(execution.scenario(), run, serial);
    if (!is_anomaly.ok()) return is_anomaly.status();
    outcomes.texts.insert(outcome_of(run, execution.program(), *is_anomaly));
    return {};
  };
  outcomes.status = explore(execution, {pruning, UINT64_MAX}, visit, outcomes.exploration);
  return outcomes;
}

TEST(Explorer, PruningLosesNoOutcome) {
  Lab lab;
  constexpr std::uint64_t kScenarios = 1000;
  const std::uint64_t first = testing::test_seed();
  std::uint64_t runs = 0;
  std::uint64_t repeats = 0;
  std::uint64_t orders = 0;
  for (std::uint64_t i = 0; i < kScenarios; ++i) {
    const std::string text = draw_scenario(first + i, 1000);
    const Result<Scenario> scenario = parse_scenario(text, "drawn");
    ASSERT_TRUE(scenario.ok()) << scenario.status().to_string() << "\n" << text;
    for (const EngineLevel& level : lab.engine->levels()) {
      Execution execution(*scenario, *lab.engine, lab.runner);
      ASSERT_TRUE(execution.prepare(level.name).ok());
      const Outcomes all = outcomes_of(execution, Pruning::none);
      ASSERT_TRUE(all.status.ok()) << all.status.to_string() << "\n" << text;
      ASSERT_EQ(all.exploration.runs, all.exploration.orders);
      const Outcomes some = outcomes_of(execution, Pruning::commuting);
      ASSERT_TRUE(some.status.ok()) << some.status.to_string() << "\n" << text;
      ASSERT_TRUE(some.exploration.complete);
      ASSERT_LE(some.exploration.runs, all.exploration.runs);
      std::string lost;
      for (const std::string& outcome : all.texts) {
        if (lost.empty() && !some.texts.contains(outcome)) lost = outcome;
      }
      ASSERT_EQ(lost, "") << "seed " << first + i << " at " << level.name << "\n" << text;
      ASSERT_EQ(some.texts.size(), all.texts.size()) << "seed " << first + i;
      orders += all.exploration.runs;
      runs += some.exploration.runs;
      repeats += some.exploration.repeats;
    }
  }
  std::cout << orders << " orders, " << runs << " of them run when pruned, and " << repeats << " repeats\n";
}

TEST(Explorer, SessionsThatShareNoRowHaveOneOrder) {
  Lab lab;
  const std::string sessions =
      "session A\n  put t/a = 1\n  x = get t/a\n  commit\n"
      "session B\n  put t/b = 1\n  y = scan t/b..\n  commit\n";
  for (const EngineLevel& level : lab.engine->levels()) {
    const Exploration seen = explore_at(lab, sessions, level.name);
    EXPECT_EQ(seen.runs, 1) << level.name;
    EXPECT_EQ(seen.repeats, 0) << level.name;
    EXPECT_EQ(seen.orders, 20);
    EXPECT_EQ(seen.pruned(), 19) << level.name;
  }
}

}  // namespace
}  // namespace isolith::anomalies
