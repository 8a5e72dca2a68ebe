// Execution: a scenario on an engine, at a level, in one order; and Run: what happened then.
//
// Example:
//   Runner runner;
//   auto engine = *open_isolith(runner);
//   Execution execution(scenario, *engine, runner);
//   if (Status status = execution.prepare("snapshot"); !status.ok()) return status;
//   Run run;
//   status = execution.run(scenario.orders.front(), run);
//
// Invariants:
//   1. Between runs no transaction is in progress, and each run starts from the scenario's first rows.
//   2. The same order gives the same Run; but for the engine's own numbers of transactions in its trace.
//   3. Every stored value carries the number of the write that made it; nobody but execution.cc sees that.
//
// Threads: from one thread at a time. Scenario, engine and runner outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/run.h"
#include "anomalies/runner.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"

namespace isolith::anomalies {

class Execution {
 public:
  Execution(const Scenario& scenario, Engine& engine, Runner& runner);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution();

  // The level of sessions that name none. `invalid_argument`: the engine has no such level, or not one that
  // a session names; the message says which it has. Before the first run.
  Status prepare(std::string_view level);

  // In this order; in one that `chooser` makes step by step. An error (with the place of the step, where it
  // is one's) is of the scenario or the engine, never a conflict: those are in the Run.
  Status run(const Schedule& schedule, Run& run);
  Status run(const Runner::Chooser& chooser, Run& run);

  // These transactions (their places in `Run::transactions`), one after the other; what others do is passed
  // over. Transactions of one session stand in the session's order.
  Status run_serially(std::span<const std::uint32_t> transactions, Run& run);

  [[nodiscard]] const Scenario& scenario() const noexcept { return scenario_; }
  [[nodiscard]] const Program& program() const noexcept;
  [[nodiscard]] Engine& engine() const noexcept { return engine_; }
  [[nodiscard]] const EngineLevel& level() const noexcept;  // as prepared

 private:
  struct State;

  Status run_program(const Schedule* schedule, const Runner::Chooser* chooser, Run& run);

  const Scenario& scenario_;
  Engine& engine_;
  std::unique_ptr<State> state_;
};

// Whether the engine has each level that the scenario's sessions and expectations name. `invalid_argument`
// with the place of one that it has not, and what it has.
Status check_levels(const Scenario& scenario, const Engine& engine);

}  // namespace isolith::anomalies
