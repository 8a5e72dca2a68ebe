// How often serializable_ssi fails somebody who would have done no harm: in every order of the statements of
// small programs, after the isolation tests of PostgreSQL (src/test/isolation/specs).
//
// An order is *bad* if, with nobody refused, the outcome is that of no serial order; an abort in any other
// order was needless. Of bad orders each must have an abort.
#include "anomalies/needless_abort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/execution.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/judgement.h"
#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

// What a statement of SQL does in one go takes several steps here. They stay together.
using Statements = std::vector<std::vector<std::uint32_t>>;  // by session: how many steps each statement has

struct SmallProgram {
  std::string name;
  std::string text;  // tables and sessions
  Statements statements;
};

struct Figures {
  std::uint64_t orders = 0;
  std::uint64_t aborting = 0;  // somebody failed
  std::uint64_t bad = 0;
  std::uint64_t bad_passed = 0;  // of them, those in which nobody failed
  std::uint64_t needless = 0;    // aborting, and not bad
  std::uint64_t late = 0;        // not bad, but no serial order has who ended first before who began later
};

// What each order of whole transactions gives, in which each is one of a session of its own.
struct SerialRun {
  std::vector<std::uint32_t> order;
  Run run;
};

class Lab {
 public:
  explicit Lab(ConflictTest test = ConflictTest::circle) : engine_(*open_isolith(runner_, test)) {}

  // All orders of the statements.
  Figures run_all(std::string_view level, const SmallProgram& program) {
    const Statements& statements = program.statements;
    Figures figures;
    const Result<Scenario> scenario = parse_scenario("scenario s\n" + program.text, "s");
    EXPECT_TRUE(scenario.ok()) << scenario.status().to_string();
    if (!scenario.ok()) return figures;
    Execution execution(*scenario, *engine_, runner_);
    const Status status = execution.prepare(level);
    EXPECT_TRUE(status.ok()) << status.to_string();
    const std::vector<SerialRun> serial = serial_runs(execution);
    std::vector<std::uint32_t> sessions;  // whose statement is next
    for (std::uint32_t i = 0; i < statements.size(); ++i)
      sessions.insert(sessions.end(), statements[i].size(), i);
    do {
      look_at(execution, steps_of(sessions, statements), serial, figures);
    } while (!testing::Test::HasFailure() && std::ranges::next_permutation(sessions).found);
    return figures;
  }

  // Once at the level, and at snapshot: there the same orders are bad, and nobody fails.
  Figures measure(const SmallProgram& program) {
    const Figures figures = run_all("serializable_ssi", program);
    std::cout << program.name << ": " << figures.orders << " orders, " << figures.bad << " bad, "
              << figures.aborting << " with an abort, " << figures.needless << " of them needless; in "
              << figures.late << " of the others every serial order is against the clock\n";
    EXPECT_EQ(figures.bad_passed, 0U);
    const Figures snapshot = run_all("snapshot", program);
    EXPECT_EQ(snapshot.bad, figures.bad);
    EXPECT_EQ(snapshot.bad_passed, figures.bad);
    EXPECT_EQ(snapshot.aborting, 0U);
    return figures;
  }

 private:
  static Schedule steps_of(const std::vector<std::uint32_t>& sessions, const Statements& statements) {
    Schedule schedule;
    std::vector<std::size_t> next(statements.size(), 0);
    for (const std::uint32_t session : sessions) {
      const std::uint32_t steps = statements[session].at(next[session]++);
      schedule.entries.insert(schedule.entries.end(), steps, ScheduleEntry{session});
    }
    return schedule;
  }

  static std::vector<SerialRun> serial_runs(Execution& execution) {
    std::vector<SerialRun> runs;
    std::vector<std::uint32_t> order(execution.scenario().sessions.size());
    std::iota(order.begin(), order.end(), 0U);
    do {
      SerialRun& serial = runs.emplace_back();
      serial.order = order;
      const Status status = execution.run_serially(order, serial.run);
      EXPECT_TRUE(status.ok()) << status.to_string();
    } while (std::ranges::next_permutation(order).found);
    return runs;
  }

  // Whether whoever ended before another one began stands in front of it.
  static bool keeps_time(const std::vector<std::uint32_t>& order, const Run& run) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        if (run.transactions[order[j]].ended_at <= run.transactions[order[i]].began_at) return false;
      }
    }
    return true;
  }

  void look_at(Execution& execution, const Schedule& schedule, const std::vector<SerialRun>& serial,
               Figures& figures) {
    Run run;
    Status status = execution.run(schedule, run);
    ASSERT_TRUE(status.ok()) << status.to_string();
    Run free;
    engine_->set_refusals(Refusals::overwrite);
    status = execution.run(schedule, free);
    engine_->set_refusals(Refusals::keep);
    ASSERT_TRUE(status.ok()) << status.to_string();
    for (std::uint32_t i = 0; i < free.transactions.size(); ++i) ASSERT_TRUE(free.committed(i)) << i;
    const bool aborts = std::ranges::any_of(
        run.transactions, [](const TransactionRecord& one) { return one.end != TransactionEnd::committed; });
    bool is_bad = true;
    bool is_late = true;
    for (const SerialRun& one : serial) {
      if (!same_outcome(free, one.run)) continue;
      is_bad = false;
      is_late = is_late && !keeps_time(one.order, free);
    }
    ++figures.orders;
    if (aborts) ++figures.aborting;
    if (is_bad) ++figures.bad;
    if (is_bad && !aborts) ++figures.bad_passed;
    if (aborts && !is_bad) ++figures.needless;
    if (is_late && !is_bad) ++figures.late;
  }

  Runner runner_;
  std::unique_ptr<IsolithEngine> engine_;
};

constexpr std::uint64_t in_hundred(std::uint64_t percent, std::uint64_t all) { return all * percent / 100; }

// receipt-report.spec, with a reporter that may write: what it reads is all that tells it from a writer.
SmallProgram receipt_report() {
  return {"receipt-report",
          "table ctl\n  day = 22\n"
          "table receipts\n  1 = 22\n  2 = 22\n"
          "session Receipt\n  day = get ctl/day\n  put receipts/3 = day\n  commit\n"
          "session Close\n  put ctl/day = 23\n  commit\n"
          "session Report\n  day = get ctl/day\n  rows = scan receipts where value = 22\n  commit\n",
          {{2, 1}, {1, 1}, {1, 1, 1}}};
}

// two-ids.spec. The third transaction looks at nothing of the first one's, so there is always an order; its
// four "which must cause a serialization failure" are those in which every such order is against the clock.
SmallProgram two_ids() {
  return {"two-ids",
          "table d1\n  id = 1\n"
          "table d2\n  id = 1\n"
          "session A\n  update d1 = value + 1\n  commit\n"
          "session B\n  id = sum d1\n  update d2 = id + 1\n  commit\n"
          "session C\n  rows = scan d2\n  commit\n",
          {{1, 1}, {2, 1}, {1, 1}}};
}

// Each reads what the next one writes, and the last one reads nothing: there is no way back.
SmallProgram chain() {
  return {"chain without a circle",
          "table t\n  x = 1\n  y = 1\n  z = 1\n"
          "session A\n  x = get t/x\n  put t/z = 2\n  commit\n"
          "session B\n  y = get t/y\n  put t/x = 2\n  commit\n"
          "session C\n  put t/y = 2\n  commit\n",
          {{1, 1, 1}, {1, 1, 1}, {1, 1}}};
}

TEST(NeedlessAbortOrders, ReceiptReport) {
  const Figures figures = Lab().measure(receipt_report());
  EXPECT_EQ(figures.orders, 210U);
  EXPECT_EQ(figures.bad, 6U);
  EXPECT_LE(figures.needless, in_hundred(5, figures.orders));
}

TEST(NeedlessAbortOrders, TwoIds) {
  const Figures figures = Lab().measure(two_ids());
  EXPECT_EQ(figures.orders, 90U);
  EXPECT_EQ(figures.bad, 0U);
  EXPECT_EQ(figures.late, 4U);
  EXPECT_LE(figures.needless, in_hundred(5, figures.orders));
}

TEST(NeedlessAbortOrders, AChainWithoutACircle) {
  const Figures figures = Lab().measure(chain());
  EXPECT_EQ(figures.orders, 560U);
  EXPECT_EQ(figures.bad, 0U);
  EXPECT_EQ(figures.aborting, 0U);
}

// The plain test misses no bad order either, and looks at too little to pass the harmless ones.
TEST(NeedlessAbortOrders, TheTestForDangerousStructuresFailsMoreOften) {
  for (SmallProgram program : {receipt_report(), two_ids(), chain()}) {
    program.name += ", tested for dangerous structures";
    const Figures figures = Lab(ConflictTest::dangerous_structure).measure(program);
    EXPECT_GT(figures.needless, in_hundred(5, figures.orders)) << program.name;
  }
}

// The second half of predicate-gist.spec, -gin, -hash: each reads a range, and writes where nobody reads.
TEST(NeedlessAbortOrders, RangesThatNobodyElseWrites) {
  const std::string rows = "table t\n  10 = 1\n  20 = 1\n  30 = 1\n  40 = 1\n  50 = 1\n  60 = 1\n  70 = 1\n";
  struct Ranges {
    std::string name;
    std::string a;
    std::string b;
  };
  const std::vector<Ranges> all = {
      {"each in a range of its own", "  x = sum t/60..\n  put t/65 = 1\n  put t/66 = 1\n",
       "  x = sum t/..20\n  put t/15 = 1\n  put t/16 = 1\n"},
      {"ranges that touch", "  x = sum t/20..30\n  put t/40 = 2\n  put t/19 = 1\n",
       "  x = sum t/30..40\n  put t/50 = 2\n  put t/199 = 1\n"},
      {"ranges of no row", "  x = sum t/21..29\n  put t/29 = 1\n  put t/209 = 1\n",
       "  x = sum t/31..39\n  put t/30 = 2\n  put t/39 = 1\n"},
      {"keys", "  x = get t/20\n  put t/50 = 2\n  put t/51 = 1\n",
       "  x = get t/30\n  put t/60 = 2\n  put t/61 = 1\n"}};
  for (const Ranges& ranges : all) {
    std::string text = rows;
    text.append("session A\n").append(ranges.a).append("  commit\n");
    text.append("session B\n").append(ranges.b).append("  commit\n");
    const Figures figures = Lab().measure({ranges.name, text, {{1, 2, 1}, {1, 2, 1}}});
    EXPECT_EQ(figures.orders, 20U) << ranges.name;
    EXPECT_EQ(figures.bad, 0U) << ranges.name;
    EXPECT_EQ(figures.aborting, 0U) << ranges.name;
  }
}

// The first half: each writes what the other reads. All but the two serial orders are write skew.
TEST(NeedlessAbortOrders, RangesThatTheOtherWrites) {
  const Figures figures =
      Lab().measure({"ranges that the other writes",
                     "table t\n  10 = 1\n  20 = 1\n  30 = 1\n  40 = 1\n"
                     "session A\n  x = sum t/..25\n  put t/35 = 1\n  put t/36 = 1\n  commit\n"
                     "session B\n  x = sum t/30..\n  put t/15 = 1\n  put t/16 = 1\n  commit\n",
                     {{1, 2, 1}, {1, 2, 1}}});
  EXPECT_EQ(figures.orders, 20U);
  EXPECT_EQ(figures.bad, 18U);
  EXPECT_EQ(figures.needless, 0U);
}

}  // namespace
}  // namespace isolith::anomalies
