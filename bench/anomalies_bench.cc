// How many orders of a scenario the suite runs in a second: two sessions that read and write one key, all 70
// orders of their steps in turn, with everything that is written down of a run.
//
//   bin/anomalies_bench
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "anomalies/execution.h"
#include "anomalies/explorer.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/scenario_parser.h"

namespace {

using namespace isolith::anomalies;  // NOLINT(google-build-using-namespace)

constexpr const char* kLostUpdate = R"(scenario counter
table counters
  hits = 7
session A
  begin
  x = get counters/hits
  put counters/hits = x + 1
  commit
session B
  begin
  x = get counters/hits
  put counters/hits = x + 1
  commit
)";

constexpr const char* kApart = R"(scenario apart
table counters
  hits = 7
  misses = 3
session A
  begin
  x = get counters/hits
  put counters/hits = x + 1
  commit
session B
  begin
  x = get counters/misses
  put counters/misses = x + 1
  commit
)";

template <typename T>
T must(isolith::Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().to_string().c_str());
    std::exit(1);
  }
  return *std::move(result);
}

void must(const isolith::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  std::exit(1);
}

struct Prepared {
  Scenario scenario;
  Runner runner;
  std::unique_ptr<IsolithEngine> engine;
  std::unique_ptr<Execution> execution;

  Prepared(const char* text, const char* level)
      : scenario(must(parse_scenario(text, "bench"))), engine(must(open_isolith(runner))) {
    execution = std::make_unique<Execution>(scenario, *engine, runner);
    must(execution->prepare(level));
  }
};

void run_orders(benchmark::State& state, const char* text, const char* level) {
  Prepared prepared(text, level);
  Exploration exploration;
  std::vector<Schedule> orders;
  ExploreOptions options;
  options.pruning = Pruning::none;
  must(explore(
      *prepared.execution, options,
      [&](const Run& run) {
        orders.push_back(run.trace.schedule);
        return isolith::Status();
      },
      exploration));
  Run run;
  std::size_t next = 0;
  for (auto _ : state) {
    must(prepared.execution->run(orders[next], run));
    next = next + 1 == orders.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(state.iterations());
}

void run_explore(benchmark::State& state, const char* text, const char* level, Pruning pruning) {
  Prepared prepared(text, level);
  ExploreOptions options;
  options.pruning = pruning;
  std::int64_t runs = 0;
  for (auto _ : state) {
    Exploration exploration;
    must(explore(
        *prepared.execution, options, [](const Run&) { return isolith::Status(); }, exploration));
    runs += static_cast<std::int64_t>(exploration.runs);
  }
  state.SetItemsProcessed(runs);
}

BENCHMARK_CAPTURE(run_orders, one_key_read_committed, kLostUpdate, "read_committed")->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(run_orders, one_key_snapshot, kLostUpdate, "snapshot")->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(run_orders, apart_snapshot, kApart, "snapshot")->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(run_explore, one_key_every_order, kLostUpdate, "snapshot", Pruning::none)
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(run_explore, one_key_pruned, kLostUpdate, "snapshot", Pruning::commuting)
    ->MeasureProcessCPUTime();

}  // namespace

BENCHMARK_MAIN();
