#include "tools/scenario_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <span>
#include <utility>

#include "anomalies/condition_text.h"
#include "tools/escape.h"

namespace isolith::tools {

using anomalies::Condition;
using anomalies::Execution;
using anomalies::Exploration;
using anomalies::Judgement;
using anomalies::Run;
using anomalies::Scenario;
using anomalies::Schedule;
using anomalies::SerialOutcomes;
using anomalies::Verdict;

namespace {

constexpr std::string_view kRandom = "random";

// Adds runs to the judgement, and keeps the one that is to be shown.
class Collector {
 public:
  Collector(const Scenario& scenario, std::string_view level, SerialOutcomes& serial, LevelReport& report)
      : judgement_(scenario, level, serial), report_(report) {}

  Status add(const Run& run) {
    const std::uint64_t aborting = judgement_.aborting();
    const std::uint64_t waiting = judgement_.waiting();
    if (Status status = judgement_.add(run); !status.ok()) return status;
    int telling = 1;
    if (judgement_.waiting() > waiting) telling = 2;
    if (judgement_.aborting() > aborting) telling = 3;
    if (judgement_.last_shows()) telling = 4;
    if (telling > telling_) report_.run = run;
    telling_ = std::max(telling, telling_);
    return {};
  }

  void finish() {
    report_.runs = judgement_.runs();
    report_.showing = judgement_.showing();
    report_.waiting = judgement_.waiting();
    report_.aborting = judgement_.aborting();
    report_.verdict = judgement_.verdict();
    report_.expects_anything = judgement_.expects_anything();
    report_.unmet = judgement_.unmet();
  }

 private:
  Judgement judgement_;
  LevelReport& report_;
  int telling_ = 0;  // how much there is to see in the run that was kept
};

Status explore_all(Execution& execution, Collector& collector, LevelReport& report) {
  anomalies::ExploreOptions options;
  options.runs_max = kRunsMax;
  Exploration seen;
  Status status = anomalies::explore(
      execution, options, [&collector](const Run& run) { return collector.add(run); }, seen);
  report.orders = seen.orders;
  report.complete = seen.complete;
  return status;
}

Status run_orders(Execution& execution, const OrderChoice& order, Collector& collector, LevelReport& report) {
  const Scenario& scenario = execution.scenario();
  Run run;
  if (order.kind == OrderChoice::Kind::random) {
    std::mt19937_64 random(order.seed);
    const anomalies::Runner::Chooser chooser = [&random](std::span<const std::uint32_t> ready) {
      return static_cast<std::size_t>(random() % ready.size());
    };
    report.orders = 1;
    if (Status status = execution.run(chooser, run); !status.ok()) return status;
    return collector.add(run);
  }
  if (order.kind == OrderChoice::Kind::given) {
    report.orders = 1;
    if (Status status = execution.run(order.schedule, run); !status.ok()) return status;
    return collector.add(run);
  }
  if (order.kind == OrderChoice::Kind::all || scenario.orders.empty()) {
    return explore_all(execution, collector, report);
  }
  report.orders = scenario.orders.size();
  for (const Schedule& schedule : scenario.orders) {
    if (Status status = execution.run(schedule, run); !status.ok()) return status;
    if (Status status = collector.add(run); !status.ok()) return status;
  }
  return {};
}

Status see_conditions(const Scenario& scenario, const std::vector<Condition>& conditions, bool are_invariants,
                      LevelReport& report) {
  for (const Condition& condition : conditions) {
    Result<bool> holds = anomalies::is_true(condition.expression, anomalies::RunScope(report.run));
    if (!holds.ok()) return std::move(holds).status();
    report.conditions.push_back({condition.text, are_invariants, *holds,
                                 anomalies::describe_values(condition.expression, scenario, report.run)});
  }
  return {};
}

// Of the run that is shown alone.
Status look_closely(const Scenario& scenario, SerialOutcomes& serial, const Execution& execution,
                    LevelReport& report) {
  Judgement alone(scenario, report.level, serial);
  if (Status status = alone.add(report.run); !status.ok()) return status;
  report.run_verdict = alone.verdict();
  report.order = anomalies::to_string(report.run.trace.schedule, execution.program());
  if (Status status = see_conditions(scenario, scenario.invariants, true, report); !status.ok())
    return status;
  if (Status status = see_conditions(scenario, scenario.anomalies, false, report); !status.ok())
    return status;
  Result<bool> is_serial = serial.has(report.run);
  if (!is_serial.ok()) return std::move(is_serial).status();
  report.is_serial = *is_serial;
  if (!report.is_serial) report.finding = anomalies::DependencyGraph(scenario, report.run).find();
  report.explanation = anomalies::explain(report.finding, scenario, report.run);
  return {};
}

}  // namespace

Result<OrderChoice> parse_order(const std::string& text, const Scenario& scenario) {
  OrderChoice choice;
  if (text.empty()) return choice;
  if (text == "all") {
    choice.kind = OrderChoice::Kind::all;
    return choice;
  }
  if (text == kRandom) {
    choice.kind = OrderChoice::Kind::random;
    choice.seed = std::random_device{}();
    return choice;
  }
  if (text.starts_with(kRandom) && text.size() > kRandom.size() && text[kRandom.size()] == ':') {
    const char* begin = text.data() + kRandom.size() + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, choice.seed);
    if (error != std::errc() || stop != end) {
      return Status(StatusCode::invalid_argument,
                    fmt::format("{}: a whole number was expected after 'random:'", quote(text)));
    }
    choice.kind = OrderChoice::Kind::random;
    return choice;
  }
  Result<Schedule> schedule = anomalies::parse_schedule(text, anomalies::outline(scenario));
  if (!schedule.ok()) return std::move(schedule).status();
  choice.kind = OrderChoice::Kind::given;
  choice.schedule = *std::move(schedule);
  return choice;
}

Status run_at_level(const Scenario& scenario, ChosenEngine& chosen, const std::string& level,
                    const OrderChoice& order, LevelReport& report) {
  Execution execution(scenario, chosen.engine(), chosen.runner());
  if (Status status = execution.prepare(level); !status.ok()) return status;
  report.level = level;
  report.are_own_orders = order.kind == OrderChoice::Kind::of_file;
  report.is_one_order = order.kind == OrderChoice::Kind::given || order.kind == OrderChoice::Kind::random;
  report.claim = execution.level().claim;
  SerialOutcomes serial(execution);
  Collector collector(scenario, level, serial, report);
  if (Status status = run_orders(execution, order, collector, report); !status.ok()) return status;
  collector.finish();
  if (chosen.isolith() == nullptr) {  // what files expect, they expect of isolith
    report.expects_anything = false;
    report.unmet.clear();
  }
  if (Status status = look_closely(scenario, serial, execution, report); !status.ok()) return status;
  if (report.verdict != Verdict::happens) return {};
  Result<std::string> fault = anomalies::find_serial_fault(execution);
  if (!fault.ok()) return std::move(fault).status();
  report.serial_fault = *std::move(fault);
  return {};
}

}  // namespace isolith::tools
