// Explorer: runs a scenario in every order, or in one of each set of orders that differ only in steps that
// commute.
//
// Example:
//   Exploration seen;
//   Status status = explore(execution, {}, [&](const Run& run) { return judgement.add(run); }, seen);
//
// The method is stateless search with sleep sets (Godefroid, "Partial-Order Methods for the Verification of
// Concurrent Systems", 1996); what commutes, and why it is safe to leave it out: README-orders.md.
//
// Threads: from one thread at a time.
#pragma once

#include <cstdint>
#include <functional>

#include "anomalies/execution.h"
#include "anomalies/run.h"
#include "isolith/status.h"

namespace isolith::anomalies {

enum class Pruning : std::uint8_t {
  commuting,  // orders that differ only in steps that commute: one of them
  none,       // every order of the steps, those too that name a step while its session waits
};

struct ExploreOptions {
  Pruning pruning = Pruning::commuting;
  std::uint64_t runs_max = UINT64_MAX;  // then it stops; repeats do not count
};

struct Exploration {
  std::uint64_t orders = 0;   // of all steps, UINT64_MAX if more
  std::uint64_t runs = 0;     // of them, run and given to the visitor
  std::uint64_t repeats = 0;  // of them, run and then seen to be as one before
  bool complete = false;      // false: stopped at `runs_max`

  [[nodiscard]] std::uint64_t pruned() const noexcept { return complete ? orders - runs : 0; }
};

// Called for each run. An error ends the exploration and is its result.
using RunVisitor = std::function<Status(const Run& run)>;

// `run.trace.schedule` is an order that gives the same run again.
Status explore(Execution& execution, const ExploreOptions& options, const RunVisitor& visitor,
               Exploration& exploration);

// How many orders the steps of the sessions have; UINT64_MAX if more.
std::uint64_t count_orders(const Scenario& scenario);

}  // namespace isolith::anomalies
