#include "anomalies/explorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/judgement.h"
#include "anomalies/scenario_parser.h"
#include "random_scenario.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

const std::string kApart =
    "session A\n  put t/a = 1\n  x = get t/a\n  commit\n"
    "session B\n  put t/b = 1\n  y = scan t/b..\n  commit\n";

// Two transactions that can meet in a deadlock.
const std::string kCrossed =
    "session A\n  put t/a = 4\n  put t/b = 4\n  commit\n"
    "session B\n  put t/b = 5\n  put t/a = 5\n  commit\n";

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

Status pass_by(const Run& /*run*/) { return {}; }

Exploration explore_at(Lab& lab, const std::string& sessions, std::string_view level,
                       ExploreOptions options = {}) {
  const Scenario scenario = scenario_of(sessions);
  Execution execution(scenario, *lab.engine, lab.runner);
  Status status = execution.prepare(level);
  EXPECT_TRUE(status.ok()) << status.to_string();
  Exploration exploration;
  status = explore(execution, options, pass_by, exploration);
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
    line += " waits for " + holder_names(event, program.sessions) + " at " + event.table + "/" + event.key;
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

// The outcome that pruning lost; empty: none. `added` is how many orders there were and were run.
std::string lost_outcome(Execution& execution, Exploration& added) {
  const Outcomes all = outcomes_of(execution, Pruning::none);
  EXPECT_TRUE(all.status.ok()) << all.status.to_string();
  EXPECT_EQ(all.exploration.runs, all.exploration.orders);
  const Outcomes some = outcomes_of(execution, Pruning::commuting);
  EXPECT_TRUE(some.status.ok()) << some.status.to_string();
  EXPECT_TRUE(some.exploration.complete);
  EXPECT_LE(some.exploration.runs + some.exploration.repeats, all.exploration.runs);
  added.orders += all.exploration.runs;
  added.runs += some.exploration.runs;
  added.repeats += some.exploration.repeats;
  for (const std::string& outcome : all.texts) {
    if (!some.texts.contains(outcome)) return outcome;
  }
  EXPECT_EQ(some.texts.size(), all.texts.size());
  return "";
}

// isolith, of which the explorer is told only what `make_level` leaves, and whose rows a test may change.
class Disguise final : public Engine {
 public:
  Disguise(Engine& engine, void (*make_level)(EngineLevel& level))
      : engine_(engine), levels_(engine.levels()) {
    for (EngineLevel& level : levels_) make_level(level);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "disguise"; }
  [[nodiscard]] std::string_view version() const noexcept override { return engine_.version(); }
  [[nodiscard]] const std::vector<EngineLevel>& levels() const noexcept override { return levels_; }
  [[nodiscard]] Result<std::unique_ptr<EngineSession>> open_session() override {
    return engine_.open_session();
  }
  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    return engine_.contents(table, rows);
  }

  Status reset(const std::vector<TableContents>& tables) override {
    std::vector<TableContents> changed = tables;
    if (is_fickle && ++resets_ % 2 == 0) changed[0].rows[0].value[0] = '7';
    return engine_.reset(changed);
  }

  bool is_fickle = false;  // the first digit of the first row is another one in every second run

 private:
  Engine& engine_;
  std::vector<EngineLevel> levels_;
  int resets_ = 0;
};

TEST(Explorer, PruningLosesNoOutcome) {
  constexpr std::uint64_t kScenarios = 500;
  Lab lab;
  const std::uint64_t first = testing::test_seed();
  Exploration sum;
  for (std::uint64_t i = 0; i < kScenarios; ++i) {
    const std::string text = draw_scenario(first + i, 1000);
    const Result<Scenario> scenario = parse_scenario(text, "drawn");
    ASSERT_TRUE(scenario.ok()) << scenario.status().to_string() << "\n" << text;
    for (const EngineLevel& level : lab.engine->levels()) {
      Execution execution(*scenario, *lab.engine, lab.runner);
      ASSERT_TRUE(execution.prepare(level.name).ok());
      ASSERT_EQ(lost_outcome(execution, sum), "") << "seed " << first + i << " at " << level.name << "\n"
                                                  << text;
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << first + i << " at " << level.name << "\n"
                                                  << text;
    }
  }
  std::cout << sum.orders << " orders, " << sum.runs << " of them run when pruned, and " << sum.repeats
            << " repeats\n";
}

TEST(Explorer, PruningLosesNoOutcomeOfTheCatalogue) {
  Lab lab;
  Exploration sum;
  for (const CatalogueEntry& entry : catalogue()) {
    const Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
    ASSERT_TRUE(scenario.ok()) << scenario.status().to_string();
    if (count_orders(*scenario) > 1000) continue;
    for (const EngineLevel& level : lab.engine->levels()) {
      Execution execution(*scenario, *lab.engine, lab.runner);
      ASSERT_TRUE(execution.prepare(level.name).ok());
      EXPECT_EQ(lost_outcome(execution, sum), "") << entry.name << " at " << level.name;
    }
  }
  EXPECT_GT(sum.orders, sum.runs);
}

// Where nothing is known of an engine, every order of the sessions' choices is run.
TEST(Explorer, NothingIsPrunedWhereNothingIsKnown) {
  Lab lab;
  const Scenario scenario = scenario_of(kApart);
  const auto hide = [](EngineLevel& level) { level.reach = {}; };
  const auto watch = [](EngineLevel& level) { level.watches_conflicts = true; };
  for (void (*make_level)(EngineLevel&) : {+hide, +watch}) {
    Disguise engine(*lab.engine, make_level);
    Execution execution(scenario, engine, lab.runner);
    ASSERT_TRUE(execution.prepare("snapshot").ok());
    Exploration seen;
    ASSERT_TRUE(explore(execution, {}, pass_by, seen).ok());
    EXPECT_EQ(seen.runs, 20U);
    EXPECT_EQ(seen.repeats, 0U);
  }
}

TEST(Explorer, LittleIsPrunedWhereLittleIsKnown) {
  Lab lab;
  const std::uint64_t first = testing::test_seed();
  const auto know_rows = [](EngineLevel& level) {
    level.reach = {level.reach.is_rows, false, View::unknown};
  };
  Disguise engine(*lab.engine, know_rows);
  Exploration sum;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::string text = draw_scenario(first + i, 200);
    const Result<Scenario> scenario = parse_scenario(text, "drawn");
    ASSERT_TRUE(scenario.ok()) << scenario.status().to_string() << "\n" << text;
    Execution execution(*scenario, engine, lab.runner);
    ASSERT_TRUE(execution.prepare("snapshot").ok());
    ASSERT_EQ(lost_outcome(execution, sum), "") << "seed " << first + i << "\n" << text;
  }
  EXPECT_GT(sum.orders, sum.runs);
}

TEST(Explorer, SessionsThatShareNoRowHaveOneOrder) {
  // Where one runs at a time: either may be first, and the other may come before, between or after its steps.
  constexpr std::uint64_t kSerialRuns = 6;
  Lab lab;
  for (const EngineLevel& level : lab.engine->levels()) {
    const Exploration seen = explore_at(lab, kApart, level.name);
    EXPECT_EQ(seen.orders, 20U);
    // Where conflicts are watched nothing is known to commute.
    const std::uint64_t runs = level.watches_conflicts ? 20 : level.name == "serial" ? kSerialRuns : 1;
    EXPECT_EQ(seen.runs, runs) << level.name;
    EXPECT_EQ(seen.repeats, 0U) << level.name;
    EXPECT_EQ(seen.pruned(), 20U - runs) << level.name;
  }
}

TEST(Explorer, ReadersHaveOneOrder) {
  Lab lab;
  const std::string sessions = "session A\n  x = get t/a\n  commit\nsession B\n  y = scan t\n  commit\n";
  for (const EngineLevel& level : lab.engine->levels()) {
    if (level.name == "serial") continue;  // whoever is first makes the other one wait
    if (level.watches_conflicts) continue;
    EXPECT_EQ(explore_at(lab, sessions, level.name).runs, 1U) << level.name;
  }
}

// Their marks commute; their ends do not, for whoever ends last wakes the writer.
TEST(Explorer, AWriterWaitsForAllWhoHaveReadWithLocks) {
  Lab lab;
  const Scenario scenario = scenario_of(
      "session A\n  get t/a\n  commit\nsession B\n  get t/a\n  commit\n"
      "session C\n  put t/a = 5\n  commit\n");
  for (const std::string_view level : {"repeatable_read", "serializable_2pl"}) {
    Execution execution(scenario, *lab.engine, lab.runner);
    ASSERT_TRUE(execution.prepare(level).ok());
    std::set<std::vector<std::size_t>> holders;
    const auto visit = [&](const anomalies::Run& run) -> Status {
      for (const Event& event : run.trace.events) {
        if (event.kind == EventKind::blocked && event.session == 2) holders.insert(event.holder_sessions);
      }
      return {};
    };
    Exploration seen;
    ASSERT_TRUE(explore(execution, {}, visit, seen).ok());
    EXPECT_EQ(holders, (std::set<std::vector<std::size_t>>{{0}, {1}, {0, 1}})) << level;
  }
}

// At each level the writer's steps that make a difference to the reader are others.
TEST(Explorer, AReadIsTakenOnEachSideOfWhatItSees) {
  Lab lab;
  const std::string one_read =
      "session A\n  put t/a = 5\n  commit\nsession B\n  begin\n  x = get t/a\n  commit\n";
  EXPECT_EQ(explore_at(lab, one_read, "read_uncommitted").runs,
            3U);  // before and after the write, after the end
  EXPECT_EQ(explore_at(lab, one_read, "read_committed").runs, 2U);  // before and after the commit
  EXPECT_EQ(explore_at(lab, one_read, "snapshot").runs, 2U);        // begun before and after the commit
  const std::string two_reads =
      "session A\n  put t/a = 5\n  commit\nsession B\n  x = get t/a\n  y = get t/a\n  commit\n";
  EXPECT_EQ(explore_at(lab, two_reads, "read_committed").runs, 3U);
  EXPECT_EQ(explore_at(lab, two_reads, "snapshot").runs, 2U);
}

TEST(Explorer, WithoutPruningEachOrderIsRunOnceInOrder) {
  Lab lab;
  const Scenario scenario = scenario_of("session A\n  get t/a\n  commit\nsession B\n  get t/a\n  commit\n");
  Execution execution(scenario, *lab.engine, lab.runner);
  ASSERT_TRUE(execution.prepare("snapshot").ok());
  std::string orders;
  const auto visit = [&](const auto& run) -> Status {
    orders += to_string(run.trace.schedule, execution.program()) + "\n";
    return {};
  };
  Exploration seen;
  ASSERT_TRUE(explore(execution, {Pruning::none}, visit, seen).ok());
  EXPECT_EQ(orders, "A1 A2 B1 B2\nA1 B1 A2 B2\nA1 B1 B2 A2\nB1 A1 A2 B2\nB1 A1 B2 A2\nB1 B2 A1 A2\n");
  EXPECT_EQ(seen.pruned(), 0U);
}

TEST(Explorer, TheScheduleOfARunGivesItAgain) {
  Lab lab;
  const Scenario scenario = scenario_of(kCrossed);
  Execution execution(scenario, *lab.engine, lab.runner);
  ASSERT_TRUE(execution.prepare("read_committed").ok());
  anomalies::Run again;
  std::set<std::string> orders;
  const auto visit = [&](const auto& run) -> Status {
    orders.insert(to_string(run.trace.schedule, execution.program()));
    if (Status status = execution.run(run.trace.schedule, again); !status.ok()) return status;
    EXPECT_EQ(outcome_of(again, execution.program(), false), outcome_of(run, execution.program(), false));
    return {};
  };
  Exploration seen;
  const Status status = explore(execution, {}, visit, seen);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(orders.size(), seen.runs);
  EXPECT_GT(seen.runs, 2U);
}

TEST(Explorer, ItStopsAtItsLimit) {
  Lab lab;
  for (const Pruning pruning : {Pruning::commuting, Pruning::none}) {
    const Exploration seen = explore_at(lab, kCrossed, "read_committed", {pruning, 2});
    EXPECT_EQ(seen.runs + seen.repeats, 2U);
    EXPECT_FALSE(seen.complete);
    EXPECT_EQ(seen.pruned(), 0U);
  }
}

TEST(Explorer, AnErrorOfTheVisitorEndsIt) {
  Lab lab;
  const Scenario scenario = scenario_of(kCrossed);
  Execution execution(scenario, *lab.engine, lab.runner);
  ASSERT_TRUE(execution.prepare("snapshot").ok());
  for (const Pruning pruning : {Pruning::commuting, Pruning::none}) {
    Exploration seen;
    const auto refuse = [](const auto& /*run*/) { return Status(StatusCode::aborted, "enough"); };
    EXPECT_EQ(explore(execution, {pruning}, refuse, seen).message(), "enough");
    EXPECT_EQ(seen.runs, 1U);
  }
}

TEST(Explorer, AnErrorOfAStepEndsItWithItsPlace) {
  Lab lab;
  const Scenario scenario = scenario_of("session A\n  x = get t/d\n  put t/a = x + 1\n  commit\n");
  Execution execution(scenario, *lab.engine, lab.runner);
  ASSERT_TRUE(execution.prepare("snapshot").ok());
  Exploration seen;
  const Status status = explore(execution, {}, pass_by, seen);
  EXPECT_TRUE(status.is(StatusCode::invalid_argument));
  EXPECT_TRUE(status.message().starts_with("8:")) << status.to_string();
}

TEST(Explorer, AnEngineThatDoesNotRepeatItselfIsFoundOut) {
  Lab lab;
  const Scenario scenario = scenario_of(
      "session A\n  x = get t/a\n  if x = 1 then put t/b = 5\n  commit\n"
      "session B\n  put t/b = 6\n  commit\n");
  Disguise engine(*lab.engine, [](EngineLevel& level) { level.reach = {}; });
  engine.is_fickle = true;
  Execution execution(scenario, engine, lab.runner);
  ASSERT_TRUE(execution.prepare("read_committed").ok());
  Exploration seen;
  const Status status = explore(execution, {}, pass_by, seen);
  EXPECT_TRUE(status.is(StatusCode::internal)) << status.to_string();
}

TEST(CountOrders, IsTheMultinomialOfTheSteps) {
  const auto orders_of = [](std::initializer_list<std::size_t> sizes) {
    Scenario scenario;
    for (const std::size_t size : sizes) scenario.sessions.emplace_back().steps.resize(size);
    return count_orders(scenario);
  };
  EXPECT_EQ(orders_of({}), 1U);
  EXPECT_EQ(orders_of({5}), 1U);
  EXPECT_EQ(orders_of({3, 3}), 20U);
  EXPECT_EQ(orders_of({4, 4, 4}), 34650U);
  EXPECT_EQ(orders_of({33, 33}), 7219428434016265740U);
  EXPECT_EQ(orders_of({34, 34}), UINT64_MAX);
  EXPECT_EQ(orders_of({64, 64, 64, 64}), UINT64_MAX);
}

}  // namespace
}  // namespace isolith::anomalies
