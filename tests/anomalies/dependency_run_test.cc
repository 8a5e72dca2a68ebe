// Scenarios that are run on isolith: the phenomena that its levels allow, and random programs. Where no
// transaction comes before itself, the run gives what its transactions give one after the other in the order
// of the graph: an edge that is missing shows there.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "anomalies/dependency_graph.h"
#include "anomalies/execution.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/scenario_parser.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

// ---- scenarios ----

class DependencyRun : public ::testing::Test {
 protected:
  DependencyRun() : engine_(*open_isolith(runner_)) {}

  // "G1a: B read ...": of the first order.
  std::string words(const std::string& text, std::string_view level) {
    const Result<Scenario> scenario = parse_scenario(text, "test");
    if (!scenario.ok()) return std::string(scenario.status().message());
    Execution execution(*scenario, *engine_, runner_);
    anomalies::Run run;
    Status status = execution.prepare(level);
    if (status.ok()) status = execution.run(scenario->orders.front(), run);
    if (!status.ok()) return std::string(status.message());
    const Finding finding = DependencyGraph(*scenario, run).find();
    return std::string(to_string(finding.phenomenon)) + ": " + explain(finding, *scenario, run);
  }

  Runner runner_;
  std::unique_ptr<IsolithEngine> engine_;
};

constexpr std::string_view kTwoRows = "scenario s\ntable x\n  k = 0\n  l = 0\n";

std::string two_rows(std::string_view rest) { return std::string(kTwoRows).append(rest); }

TEST_F(DependencyRun, AbortedReadAtReadUncommitted) {
  const std::string text = two_rows(
      "session A\n  put x/k = 1\n  abort\n"
      "session B\n  v = get x/k\n  commit\n"
      "order A1 B1 A2 B2\n");
  EXPECT_EQ(words(text, "read_uncommitted"),
            "G1a: B read x/k (B1), which A wrote (A1) and then took back: B saw what never was.");
  EXPECT_EQ(words(text, "read_committed"), ": ");
}

TEST_F(DependencyRun, IntermediateReadAtReadUncommitted) {
  const std::string text = two_rows(
      "session A\n  put x/k = 1\n  put x/k = 2\n  commit\n"
      "session B\n  v = get x/k\n  commit\n"
      "order A1 B1 A2 A3 B2\n");
  EXPECT_EQ(words(text, "read_uncommitted"),
            "G1b: B read x/k (B1), which A wrote (A1) and wrote again (A2): B saw what A did not leave.");
  EXPECT_EQ(words(text, "read_committed"), ": ");
}

TEST_F(DependencyRun, CircularInformationFlowAtReadUncommitted) {
  const std::string text = two_rows(
      "session A\n  put x/k = 1\n  v = get x/l\n  commit\n"
      "session B\n  put x/l = 2\n  v = get x/k\n  commit\n"
      "order A1 B1 A2 B2 A3 B3\n");
  EXPECT_EQ(words(text, "read_uncommitted"),
            "G1c: A comes before B, because B read x/k (B2), which A wrote (A1); B comes before A, because A "
            "read x/l (A2), which B wrote (B1): no serial order (a circular information flow).");
  EXPECT_EQ(words(text, "read_committed").substr(0, 8), "G2-item:");
}

TEST_F(DependencyRun, LostUpdateAtReadCommitted) {
  const std::string text = two_rows(
      "session A\n  v = get x/k\n  put x/k = v + 1\n  commit\n"
      "session B\n  v = get x/k\n  put x/k = v + 1\n  commit\n"
      "order A1 B1 A2 B2 A3 B3\n");
  EXPECT_EQ(
      words(text, "read_committed"),
      "G-single: A comes before B, because A wrote x/k (A2) before B did (B2); B comes before A, because "
      "B read x/k (B1) before A changed it (A2): no serial order (a lost update).");
  EXPECT_EQ(words(text, "snapshot"), ": ");
}

TEST_F(DependencyRun, WriteSkewAtSnapshot) {
  const std::string text = two_rows(
      "session A\n  v = sum x\n  put x/k = v - 1\n  commit\n"
      "session B\n  v = sum x\n  put x/l = v - 1\n  commit\n"
      "order A1 B1 A2 B2 A3 B3\n");
  EXPECT_EQ(words(text, "snapshot"),
            "G2-item: A comes before B, because A read x/l (A1) before B changed it (B2); B comes before A, "
            "because B read x/k (B1) before A changed it (A2): no serial order (a write skew).");
}

TEST_F(DependencyRun, WriteSkewOfRangesAtSnapshot) {
  const std::string text = two_rows(
      "session A\n  v = count x where value >= 10\n  put x/k = v + 10\n  commit\n"
      "session B\n  v = count x/a..z where value >= 10\n  insert x/m = v + 10\n  commit\n"
      "order A1 B1 A2 B2 A3 B3\n");
  EXPECT_EQ(
      words(text, "snapshot"),
      "G2: A comes before B, because A counted x (A1) before B added x/m (B2); B comes before A, because "
      "B counted x/a..z (B1) before A changed x/k so that it fits (A2): no serial order (a phantom).");
}

TEST_F(DependencyRun, AnUpdateThatWaitedReadsWhatItWaitedFor) {
  const std::string text = two_rows(
      "session A\n  update x/k = value + 1\n  commit\n"
      "session B\n  update x/k = value + 1\n  commit\n"
      "order A1 B1 A2 B2\n");
  EXPECT_EQ(words(text, "read_committed"), ": ");
}

TEST_F(DependencyRun, AnUpdateOfARangeReadsWhatItWaitedForAndNotWhatItLookedAtBefore) {
  const std::string text = two_rows(
      "session A\n  update x = value + 1\n  commit\n"
      "session B\n  update x = value * 10\n  commit\n"
      "order A1 B1 A2 B2\n");
  EXPECT_EQ(words(text, "read_committed"), ": ");
}

TEST_F(DependencyRun, AnEraseOfARangeReadsWhatItWaitedForAndNotWhatItLookedAtBefore) {
  const std::string text = two_rows(
      "session A\n  put x/k = 5\n  commit\n"
      "session B\n  erase_range x where value < 9\n  commit\n"
      "order A1 B1 A2 B2\n");
  EXPECT_EQ(words(text, "read_committed"), ": ");
}

// ---- random programs ----

class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::mt19937_64 random_;
};

// The text of a small scenario: few keys and values, so that sessions meet.
class ProgramText {
 public:
  explicit ProgramText(Drawing& drawing) : drawing_(drawing) {}

  std::string draw() {
    text_ = "scenario random\ntable x\n";
    for (const std::string_view key : kKeys) {
      if (drawing_.one_in(2)) text_.append("  ").append(key).append(" = ").append(number()) += '\n';
    }
    const std::size_t sessions = 2 + drawing_.below(2);
    for (std::size_t i = 0; i < sessions; ++i) {
      text_.append("session ").append(1, static_cast<char>('A' + i)) += '\n';
      add_transaction();
      if (!drawing_.one_in(4)) continue;
      text_ += "  begin\n";
      add_transaction();
    }
    return text_;
  }

 private:
  static constexpr std::string_view kKeys[] = {"a", "b", "c"};
  static constexpr std::string_view kRanges[] = {"x", "x", "x/a..c", "x/b.."};
  static constexpr std::string_view kConditions[] = {"", "", " where value >= 2", " where value % 2 = 1",
                                                     " where key != \"b\""};

  template <std::size_t kCount>
  std::string one_of(const std::string_view (&words)[kCount]) {
    return std::string(words[drawing_.below(kCount)]);
  }
  std::string key() { return "x/" + one_of(kKeys); }
  std::string number() { return std::to_string(drawing_.below(4)); }
  std::string rows() { return one_of(kRanges) + one_of(kConditions); }

  void add_transaction() {
    read_.clear();
    has_savepoint_ = false;
    const std::size_t steps = 1 + drawing_.below(4);
    for (std::size_t i = 0; i < steps; ++i) text_.append("  ").append(step()) += '\n';
    text_ += drawing_.one_in(8) ? "  abort\n" : "  commit\n";
  }

  std::string variable() {
    read_ = "v" + std::to_string(++variables_);
    return read_ + " = ";
  }

  std::string step() {
    switch (drawing_.below(14)) {
      case 0:
        return variable() + "get " + key();
      case 1:
        return variable() + "get_for_update " + key();
      case 2:
        return variable() + "count " + rows();
      case 3:
        return variable() + "sum " + rows();
      case 4:
        return "scan " + rows();
      case 5:
        return "exists " + rows();
      case 6:
        return "insert " + key() + " = " + number();
      case 7:
        return "erase " + key();
      case 8:
        return "update " + key() + " = value + 1" + one_of(kConditions);
      case 9:
        return "update " + one_of(kRanges) + " = value + 1" + one_of(kConditions);
      case 10:
        return "erase_range " + rows();
      case 11:
        if (!read_.empty()) return "if " + read_ + " != absent then put " + key() + " = " + read_ + " + 1";
        break;
      case 12:
        if (has_savepoint_) return "rollback to s";
        has_savepoint_ = true;
        return "savepoint s";
      default:
        break;
    }
    return "put " + key() + " = " + number();
  }

  Drawing& drawing_;
  std::string text_;
  std::string read_;  // the newest variable of the transaction
  std::size_t variables_ = 0;
  bool has_savepoint_ = false;
};

// The committed transactions, each after those that come before it and after earlier ones of its session;
// none: there is no such order.
std::optional<std::vector<std::uint32_t>> serial_order(const DependencyGraph& graph, const Run& run) {
  std::vector<std::uint32_t> open;
  for (std::uint32_t i = 0; i < run.transactions.size(); ++i) {
    if (run.committed(i)) open.push_back(i);
  }
  std::vector<std::uint32_t> order;
  while (!open.empty()) {
    const auto is_next = [&](std::uint32_t candidate) {
      for (const std::uint32_t other : open) {
        if (other < candidate && run.transactions[other].session == run.transactions[candidate].session) {
          return false;
        }
        for (const Edge& edge : graph.edges()) {
          if (edge.from == other && edge.to == candidate) return false;
        }
      }
      return true;
    };
    const auto next = std::find_if(open.begin(), open.end(), is_next);
    if (next == open.end()) return std::nullopt;
    order.push_back(*next);
    open.erase(next);
  }
  return order;
}

class RandomDependencies : public DependencyRun {
 protected:
  static constexpr std::size_t kPrograms = 4000;
  static constexpr std::size_t kOrders = 4;

  // Calls `check(execution, run, what)` for random orders of random programs; `what` is for messages.
  template <typename Check>
  void for_each_run(std::string_view level, const Check& check) {
    const std::uint64_t seed = testing::test_seed();
    anomalies::Run run;
    for (std::size_t i = 0; i < kPrograms; ++i) {
      Drawing drawing(seed + i);
      const std::string text = ProgramText(drawing).draw();
      const Result<Scenario> scenario = parse_scenario(text, "random");
      ASSERT_TRUE(scenario.ok()) << scenario.status().message() << '\n' << text;
      Execution execution(*scenario, *engine_, runner_);
      ASSERT_TRUE(execution.prepare(level).ok());
      for (std::size_t j = 0; j < kOrders; ++j) {
        const Status status = execution.run(
            [&](std::span<const std::uint32_t> ready) { return drawing.below(ready.size()); }, run);
        ASSERT_TRUE(status.ok()) << status.message() << '\n' << text;
        const std::string what = text + "order " + to_string(run.trace.schedule, execution.program()) +
                                 "\nat " + std::string(level) + ", seed " + std::to_string(seed) + "\n" +
                                 to_string(run.trace, execution.program());
        ASSERT_NO_FATAL_FAILURE(check(execution, run, what));
      }
    }
  }

  // What a level allows is the number of the first phenomenon that it does.
  void expect_nothing_before(Phenomenon first_allowed, std::string_view level) {
    std::map<Phenomenon, int> counts;
    for_each_run(level, [&](Execution& execution, const anomalies::Run& run, const std::string& what) {
      const Finding finding = DependencyGraph(execution.scenario(), run).find();
      ++counts[finding.phenomenon];
      ASSERT_TRUE(finding.phenomenon == Phenomenon::none || finding.phenomenon >= first_allowed)
          << to_string(finding.phenomenon) << ": " << explain(finding, execution.scenario(), run) << '\n'
          << what;
    });
    for (const auto& [phenomenon, count] : counts) {
      RecordProperty(std::string("shows_") + std::string(to_string(phenomenon)), count);
    }
  }

  void expect_serial_where_acyclic(std::string_view level) {
    std::size_t tried = 0;
    anomalies::Run serial;
    for_each_run(level, [&](Execution& execution, const anomalies::Run& run, const std::string& what) {
      const DependencyGraph graph(execution.scenario(), run);
      if (graph.find().phenomenon != Phenomenon::none) return;
      const auto order = serial_order(graph, run);
      if (!order) return;  // against the order of a session
      ASSERT_TRUE(execution.run_serially(*order, serial).ok());
      std::string names;
      for (const std::uint32_t i : *order) names += " " + transaction_name(execution.scenario(), run, i);
      ASSERT_TRUE(same_outcome(run, serial)) << "not as one after the other:" << names << '\n' << what;
      ++tried;
    });
    EXPECT_GT(tried, kPrograms);
  }
};

TEST_F(RandomDependencies, SnapshotShowsNothingBeforeG2Item) {
  expect_nothing_before(Phenomenon::g2_item, "snapshot");
}

TEST_F(RandomDependencies, ReadCommittedShowsNothingBeforeGSingle) {
  expect_nothing_before(Phenomenon::g_single, "read_committed");
}

TEST_F(RandomDependencies, ReadUncommittedShowsNoDirtyWrites) {
  expect_nothing_before(Phenomenon::g1a, "read_uncommitted");
}

TEST_F(RandomDependencies, WithoutACycleASnapshotRunIsSerial) { expect_serial_where_acyclic("snapshot"); }

TEST_F(RandomDependencies, WithoutACycleAReadCommittedRunIsSerial) {
  expect_serial_where_acyclic("read_committed");
}

TEST_F(RandomDependencies, WithoutACycleAReadUncommittedRunIsSerial) {
  expect_serial_where_acyclic("read_uncommitted");
}

}  // namespace
}  // namespace isolith::anomalies
