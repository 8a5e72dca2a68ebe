// What the serial orders of transactions give.
#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "anomalies/dependency_graph.h"
#include "anomalies/judgement.h"

namespace isolith::anomalies {
namespace {

// Whether the transactions of each session stand in the session's order: by their places.
bool keeps_sessions(const std::vector<std::uint32_t>& order, const Run& run) {
  for (std::size_t i = 1; i < order.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (run.transactions[order[i]].session == run.transactions[order[j]].session && order[i] < order[j]) {
        return false;
      }
    }
  }
  return true;
}

// The first condition that goes wrong in the run, in words; empty: none.
std::string find_fault(const Scenario& scenario, const Run& run) {
  const RunScope scope(run);
  for (const Condition& condition : scenario.invariants) {
    const Result<bool> holds = is_true(condition.expression, scope);
    if (holds.ok() && !*holds) return "the invariant `" + condition.text + "` fails";
  }
  for (const Condition& condition : scenario.anomalies) {
    const Result<bool> holds = is_true(condition.expression, scope);
    if (holds.ok() && *holds) return "the anomaly `" + condition.text + "` is true";
  }
  return {};
}

}  // namespace

Result<std::string> find_serial_fault(Execution& execution) {
  constexpr int kOrdersMax = 1'000;
  const Scenario& scenario = execution.scenario();
  if (scenario.invariants.empty() && scenario.anomalies.empty()) return std::string();
  Run run;
  if (Status status = execution.run_serially({}, run); !status.ok()) return status;  // who there is
  std::vector<std::uint32_t> order(run.transactions.size());
  std::iota(order.begin(), order.end(), 0U);
  int tried = 0;
  do {
    if (!keeps_sessions(order, run)) continue;
    const Status status = execution.run_serially(order, run);
    if (status.is(StatusCode::invalid_argument)) continue;
    if (!status.ok()) return status;
    const std::string fault = find_fault(scenario, run);
    if (fault.empty()) continue;
    std::string names;
    for (const std::uint32_t transaction : order) {
      names.append(names.empty() ? "" : ", ").append(transaction_name(scenario, run, transaction));
    }
    return fault + " even one after the other (" + names + "): the sessions or the " +
           (fault.starts_with("the invariant") ? "invariant" : "anomaly") + " are wrong, not the isolation";
  } while (++tried < kOrdersMax && std::next_permutation(order.begin(), order.end()));
  return std::string();
}

Result<bool> SerialOutcomes::has(const Run& run) {
  committed_.clear();
  for (std::uint32_t i = 0; i < run.transactions.size(); ++i) {
    if (run.committed(i)) committed_.push_back(i);
  }
  if (committed_.size() > kMaxTransactions) {
    return DependencyGraph(execution_.scenario(), run).find().phenomenon == Phenomenon::none;
  }
  auto found = outcomes_.find(committed_);
  if (found == outcomes_.end()) {
    std::vector<Run> outcomes;
    if (Status status = run_all(run, outcomes); !status.ok()) return status;
    found = outcomes_.emplace(committed_, std::move(outcomes)).first;
  }
  return std::any_of(found->second.begin(), found->second.end(),
                     [&run](const Run& outcome) { return same_outcome(run, outcome); });
}

// Each different outcome of the serial orders of `committed_`, which committed in `run`, once.
Status SerialOutcomes::run_all(const Run& run, std::vector<Run>& outcomes) {
  std::vector<std::uint32_t> order = committed_;
  Run serial;
  do {
    if (!keeps_sessions(order, run)) continue;
    Status status = execution_.run_serially(order, serial);
    if (status.is(StatusCode::invalid_argument)) continue;
    if (!status.ok()) return status;
    const bool is_known = std::any_of(outcomes.begin(), outcomes.end(), [&serial](const Run& outcome) {
      return same_outcome(serial, outcome);
    });
    if (!is_known) outcomes.push_back(serial);
  } while (std::next_permutation(order.begin(), order.end()));
  return {};
}

}  // namespace isolith::anomalies
