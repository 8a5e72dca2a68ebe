// What the serial orders of transactions give.
#include <algorithm>
#include <utility>

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

}  // namespace

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
