// Matrix: scenarios by the levels of an engine, every cell run.
//
// Threads: from one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/judgement.h"
#include "anomalies/runner.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"

namespace isolith::anomalies {

struct Cell {
  Verdict verdict = Verdict::happens;
  std::uint64_t runs = 0;  // of every order: those that commuting steps did not leave out
  std::uint64_t showing = 0;
  std::string order;         // that shows it, ready to run; empty: none does
  std::vector<Unmet> unmet;  // of what the file expects of isolith; of other engines none
  Status status;             // not ok: it could not be run, and why (a step that the engine does not have)
};

struct MatrixRow {
  std::string name;  // of the file
  std::string title;
  std::string shows;
  std::vector<Cell> cells;  // one for each level of the engine
};

// Runs the scenario at each level of the engine, in its orders, or in every one where it says so; fills all
// but the row's name. `io_error`: the engine cannot be reached.
Status run_row(const Scenario& scenario, Engine& engine, Runner& runner, MatrixRow& row);

}  // namespace isolith::anomalies
