// Running a scenario at a level in the orders that were asked for, and all there is to say of it.
//
// Threads: as Execution.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anomalies/dependency_graph.h"
#include "anomalies/execution.h"
#include "anomalies/explorer.h"
#include "anomalies/judgement.h"
#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"
#include "tools/chosen_engine.h"

namespace isolith::tools {

struct OrderChoice {
  enum class Kind : std::uint8_t {
    of_file,  // those that the file names; or all
    all,
    random,  // one, drawn from `seed`
    given,
  };
  Kind kind = Kind::of_file;
  std::uint64_t seed = 0;
  anomalies::Schedule schedule;
};

// "", "all", "random", "random:7", or an order. `invalid_argument` says what is wrong, and at which column.
Result<OrderChoice> parse_order(const std::string& text, const anomalies::Scenario& scenario);

// An invariant or anomaly of the file, at the end of the run that is shown.
struct ConditionSeen {
  std::string text;
  bool is_invariant = true;
  bool holds = false;
  std::string values;  // of what it names: "count doctors is 0"; may be empty
};

// What was seen at one level.
struct LevelReport {
  std::string level;
  std::string claim;

  // Of all orders.
  std::uint64_t orders = 0;  // that there are, of which some differ only in steps that commute
  std::uint64_t runs = 0;
  std::uint64_t showing = 0;
  std::uint64_t waiting = 0;
  std::uint64_t aborting = 0;
  bool complete = true;  // false: there were more than kRunsMax
  anomalies::Verdict verdict = anomalies::Verdict::happens;
  bool expects_anything = false;
  bool are_own_orders = true;  // of which the file expects what it does
  bool is_one_order = false;   // that was given or drawn: it says nothing of the level
  std::vector<anomalies::Unmet> unmet;
  std::string serial_fault;  // what goes wrong in a serial order too; looked for where the anomaly happens

  // Of the run that is shown: the first that shows the anomaly; else the first in which somebody fails with a
  // conflict, else in which somebody waits, else the first.
  anomalies::Run run;
  std::string order;
  anomalies::Verdict run_verdict = anomalies::Verdict::happens;
  std::vector<ConditionSeen> conditions;
  bool is_serial = false;      // some serial order gives all of it
  anomalies::Finding finding;  // none where `is_serial`: what a cycle says then makes no difference
  std::string explanation;     // of the finding
};

inline constexpr std::uint64_t kRunsMax = 100'000;  // of one level

// Runs it. An error is of the scenario or the engine, with its place where it has one.
Status run_at_level(const anomalies::Scenario& scenario, ChosenEngine& chosen, const std::string& level,
                    const OrderChoice& order, LevelReport& report);

}  // namespace isolith::tools
