// `isolith explore`: what all orders of a scenario come to at each level.
//
// Threads: as Execution.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/explorer.h"
#include "anomalies/judgement.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"
#include "tools/chosen_engine.h"
#include "tools/lanes.h"
#include "tools/scenario_source.h"

namespace isolith::tools {

struct ExploredLevel {
  std::string level;
  anomalies::Exploration exploration;
  std::uint64_t showing = 0;  // of the runs
  std::uint64_t waiting = 0;
  std::uint64_t aborting = 0;
  std::uint64_t deadlocks = 0;  // somebody failed with one

  // Transactions that failed with a conflict in all runs, and those of them that need not have; of isolith
  // alone.
  std::optional<std::uint64_t> refused;
  std::optional<std::uint64_t> needless;

  anomalies::Verdict verdict = anomalies::Verdict::happens;
  std::string serial_fault;  // what goes wrong in a serial order too; looked for where the anomaly happens
  std::string shortest;      // an order that shows it with the fewest changes of session; empty: none does
};

struct ExplorationReport {
  std::string engine;
  std::string version;
  std::vector<ExploredLevel> levels;
};

// The order with fewer changes from one session to another, then the one that is first in the alphabet.
bool is_simpler(const anomalies::Schedule& left, const anomalies::Schedule& right);

// `aborted`: it was stopped by a signal; `explored` tells of the runs until then.
Status explore_level(const anomalies::Scenario& scenario, ChosenEngine& chosen, const std::string& level,
                     const anomalies::ExploreOptions& options, ExploredLevel& explored);

// `source`: how the command line named the scenario.
std::string exploration_text(const std::string& source, const ExplorationReport& report, const Look& look);

nlohmann::ordered_json exploration_json(const LoadedScenario& loaded, const ExplorationReport& report);

}  // namespace isolith::tools
