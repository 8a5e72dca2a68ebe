// The cells of a row, each run on the spot.
#include "anomalies/matrix.h"

#include <utility>

#include "anomalies/execution.h"
#include "anomalies/explorer.h"

namespace isolith::anomalies {
namespace {

Status run_orders(Execution& execution, Judgement& judgement) {
  const Scenario& scenario = execution.scenario();
  if (scenario.all_orders || scenario.orders.empty()) {
    Exploration exploration;
    return explore(
        execution, {}, [&judgement](const Run& run) { return judgement.add(run); }, exploration);
  }
  Run run;
  for (const Schedule& order : scenario.orders) {
    if (Status status = execution.run(order, run); !status.ok()) return status;
    if (Status status = judgement.add(run); !status.ok()) return status;
  }
  return {};
}

Status run_cell(const Scenario& scenario, std::string_view level, Engine& engine, Runner& runner,
                Cell& cell) {
  Execution execution(scenario, engine, runner);
  if (Status status = execution.prepare(level); !status.ok()) return status;
  SerialOutcomes serial(execution);
  Judgement judgement(scenario, level, serial);
  if (Status status = run_orders(execution, judgement); !status.ok()) return status;
  cell.verdict = judgement.verdict();
  cell.runs = judgement.runs();
  cell.showing = judgement.showing();
  if (judgement.first_showing()) cell.order = to_string(*judgement.first_showing(), execution.program());
  // What a file expects of a level is about isolith's, whatever others call theirs.
  if (engine.name() == "isolith") cell.unmet = judgement.unmet();
  return {};
}

}  // namespace

Status run_row(const Scenario& scenario, Engine& engine, Runner& runner, MatrixRow& row) {
  row.title = scenario.title;
  row.shows = scenario.shows;
  row.cells.clear();
  for (const EngineLevel& level : engine.levels()) {
    Cell& cell = row.cells.emplace_back();
    cell.status = run_cell(scenario, level.name, engine, runner, cell);
    if (cell.status.is(StatusCode::io_error)) return cell.status;
  }
  return {};
}

}  // namespace isolith::anomalies
