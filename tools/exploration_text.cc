#include "tools/exploration_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "anomalies/needless_abort.h"
#include "tools/escape.h"
#include "tools/run_text.h"
#include "tools/terminal.h"
#include "tools/text_layout.h"

namespace isolith::tools {

using anomalies::Execution;
using anomalies::Judgement;
using anomalies::Operation;
using anomalies::OperationEnd;
using anomalies::Run;
using anomalies::Schedule;
using anomalies::SerialOutcomes;
using anomalies::Verdict;
using nlohmann::ordered_json;

namespace {

std::size_t changes_of_session(const Schedule& schedule) {
  std::size_t changes = 0;
  for (std::size_t i = 1; i < schedule.entries.size(); ++i) {
    changes += schedule.entries[i].session != schedule.entries[i - 1].session ? 1 : 0;
  }
  return changes;
}

bool has_deadlock(const Run& run) {
  return std::any_of(run.operations.begin(), run.operations.end(), [](const Operation& operation) {
    return operation.end == OperationEnd::failed && operation.status.reason() == ConflictReason::deadlock;
  });
}

// Among all orders, also those that were pruned, if they are not too many: which of several that commute was
// run is up to the explorer.
Status find_simplest(Execution& execution, SerialOutcomes& serial, const anomalies::Exploration& seen,
                     Schedule& simplest) {
  constexpr std::uint64_t kOrdersMax = 20'000;
  if (!seen.complete || seen.pruned() == 0 || seen.orders > kOrdersMax) return {};
  anomalies::ExploreOptions options;
  options.pruning = anomalies::Pruning::none;
  anomalies::Exploration all;
  const auto visit = [&](const Run& run) -> Status {
    if (!is_simpler(run.trace.schedule, simplest)) return {};
    Result<bool> shows = anomalies::shows_anomaly(execution.scenario(), run, serial);
    if (!shows.ok()) return std::move(shows).status();
    if (*shows) simplest = run.trace.schedule;
    return {};
  };
  return anomalies::explore(execution, options, visit, all);
}

// For a shell: in quotes if it has more than what is plain there.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// Of the transactions that were refused.
std::string needless_text(const ExploredLevel& level) {
  if (!level.needless) return "-";
  if (*level.refused == 0) return "0";
  return fmt::format("{} of {}", with_separators(*level.needless), with_separators(*level.refused));
}

constexpr std::array<std::string_view, 9> kHeads = {"level", "orders", "run",       "pruned",  "anomaly",
                                                    "waits", "aborts", "deadlocks", "needless"};

std::array<std::string, kHeads.size()> cells_of(const ExploredLevel& level) {
  const bool is_complete = level.exploration.complete;
  const std::string orders =
      level.exploration.orders == UINT64_MAX ? "very many" : with_separators(level.exploration.orders);
  return {level.level,
          orders,
          with_separators(level.exploration.runs) + (is_complete ? "" : "+"),
          is_complete ? with_separators(level.exploration.pruned()) : "-",
          with_separators(level.showing),
          with_separators(level.waiting),
          with_separators(level.aborting),
          with_separators(level.deadlocks),
          needless_text(level)};
}

std::string table_text(const ExplorationReport& report, const Look& look) {
  std::vector<std::array<std::string, kHeads.size()>> lines;
  std::array<std::size_t, kHeads.size()> widths{};
  for (std::size_t i = 0; i < kHeads.size(); ++i) widths[i] = kHeads[i].size();
  for (const ExploredLevel& level : report.levels) {
    lines.push_back(cells_of(level));
    for (std::size_t i = 0; i < kHeads.size(); ++i) widths[i] = std::max(widths[i], lines.back()[i].size());
  }
  const auto line_of = [&widths](const auto& cells) {
    std::string line = "  " + pad(cells[0], widths[0]);
    for (std::size_t i = 1; i < kHeads.size(); ++i) {
      line += "  " + std::string(widths[i] - cells[i].size(), ' ') + std::string(cells[i]);
    }
    return line;
  };
  std::string text = look.palette.bold(line_of(kHeads)) + "\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = line_of(lines[i]) + "\n";
    text += report.levels[i].showing > 0 ? look.palette.red(line) : line;
  }
  return text;
}

// What the columns count.
std::string legend_text(const ExplorationReport& report, std::size_t width) {
  std::string legend =
      "anomaly, waits, aborts, deadlocks: of the runs, those in which it happens, somebody waits, somebody "
      "fails with a conflict, somebody fails with a deadlock. pruned: orders that were left out, since they "
      "differ from one that was run only in steps that commute.";
  const bool has_needless =
      std::any_of(report.levels.begin(), report.levels.end(),
                  [](const ExploredLevel& level) { return level.needless.has_value(); });
  if (has_needless) {
    legend +=
        " needless: of the transactions that were refused in all runs, those that could have committed "
        "without harm.";
  }
  std::string text;
  for (const std::string& line : wrap(legend, width)) text += "  " + line + "\n";
  return text;
}

// Of runs that were not all there are, that none shows it says little.
std::string verdict_of(const ExploredLevel& level) {
  if (level.exploration.complete || level.verdict == Verdict::happens) return verdict_words(level.verdict);
  return "the anomaly happens in none of these runs";
}

}  // namespace

bool is_simpler(const Schedule& left, const Schedule& right) {
  const std::size_t left_changes = changes_of_session(left);
  const std::size_t right_changes = changes_of_session(right);
  if (left_changes != right_changes) return left_changes < right_changes;
  return std::lexicographical_compare(
      left.entries.begin(), left.entries.end(), right.entries.begin(), right.entries.end(),
      [](const auto& one, const auto& other) { return one.session < other.session; });
}

Status explore_level(const anomalies::Scenario& scenario, ChosenEngine& chosen, const std::string& level,
                     const anomalies::ExploreOptions& options, ExploredLevel& explored) {
  Execution execution(scenario, chosen.engine(), chosen.runner());
  if (Status status = execution.prepare(level); !status.ok()) return status;
  SerialOutcomes serial(execution);
  Judgement judgement(scenario, level, serial);
  std::optional<anomalies::NeedlessAborts> aborts;
  if (chosen.isolith() != nullptr) aborts.emplace(execution, *chosen.isolith(), serial);
  std::optional<Schedule> shortest;
  Progress progress("exploring " + level);
  const auto visit = [&](const Run& run) -> Status {
    if (chosen.is_stopped()) return {StatusCode::aborted, "stopped by a signal"};
    if (Status status = judgement.add(run); !status.ok()) return status;
    progress.show(with_separators(judgement.runs()) + " orders were run");
    if (judgement.last_shows() && (!shortest || is_simpler(run.trace.schedule, *shortest))) {
      shortest = run.trace.schedule;
    }
    explored.deadlocks += has_deadlock(run) ? 1 : 0;
    return aborts ? aborts->add(run) : Status();
  };
  Status status = anomalies::explore(execution, options, visit, explored.exploration);
  const bool stopped = status.is(StatusCode::aborted);
  if (stopped) explored.exploration.runs = judgement.runs();
  if (status.ok() && shortest) status = find_simplest(execution, serial, explored.exploration, *shortest);
  if (!status.ok() && !stopped) return status;
  explored.level = level;
  explored.showing = judgement.showing();
  explored.waiting = judgement.waiting();
  explored.aborting = judgement.aborting();
  explored.verdict = judgement.verdict();
  if (aborts) {
    explored.refused = aborts->aborts();
    explored.needless = aborts->needless();
  }
  if (!shortest) return status;
  explored.shortest = anomalies::to_string(*shortest, execution.program());
  Result<std::string> fault = anomalies::find_serial_fault(execution);
  if (!fault.ok()) return std::move(fault).status();
  explored.serial_fault = *std::move(fault);
  return status;
}

std::string exploration_text(const std::string& source, const ExplorationReport& report, const Look& look) {
  const std::size_t width = look.width > 26 ? look.width - 4 : 22;
  std::string text = table_text(report, look) + "\n" + legend_text(report, width);
  for (const ExploredLevel& level : report.levels) {
    if (level.exploration.complete) continue;
    const std::uint64_t runs = level.exploration.runs;
    text += fmt::format("\n  {}: stopped after {} run{}; there are more\n", level.level,
                        with_separators(runs), runs == 1 ? "" : "s");
  }
  for (const ExploredLevel& level : report.levels) {
    text += "\n  " + look.palette.bold(level.level) + ": " + verdict_of(level);
    if (level.shortest.empty()) {
      text += "\n";
      continue;
    }
    const std::string engine = report.engine == "isolith" ? "" : " --engine " + report.engine;
    text += fmt::format(", most simply in\n    isolith run {} --level {}{} --order \"{}\"\n",
                        shell_word(source), level.level, engine, level.shortest);
    if (level.serial_fault.empty()) continue;
    for (const std::string& line : wrap(printable(level.serial_fault), width)) {
      text += "    " + look.palette.red(line) + "\n";
    }
  }
  return text;
}

ordered_json exploration_json(const LoadedScenario& loaded, const ExplorationReport& report) {
  ordered_json json;
  json["scenario"] = {{"name", printable(loaded.name)},
                      {"title", printable(loaded.scenario.title)},
                      {"shows", printable(loaded.scenario.shows)}};
  json["engine"] = report.engine;
  json["version"] = report.version;
  json["levels"] = ordered_json::array();
  for (const ExploredLevel& level : report.levels) {
    ordered_json one;
    one["level"] = level.level;
    one["verdict"] = to_string(level.verdict);
    const bool is_counted = level.exploration.orders != UINT64_MAX;
    one["orders"] = is_counted ? ordered_json(level.exploration.orders) : ordered_json(nullptr);
    one["runs"] = level.exploration.runs;
    one["complete"] = level.exploration.complete;
    one["pruned"] = is_counted && level.exploration.complete ? ordered_json(level.exploration.pruned())
                                                             : ordered_json(nullptr);
    one["showing"] = level.showing;
    one["waiting"] = level.waiting;
    one["aborting"] = level.aborting;
    one["deadlocks"] = level.deadlocks;
    one["refused"] = level.refused ? ordered_json(*level.refused) : ordered_json(nullptr);
    one["needless"] = level.needless ? ordered_json(*level.needless) : ordered_json(nullptr);
    one["serial_fault"] =
        level.serial_fault.empty() ? ordered_json(nullptr) : ordered_json(printable(level.serial_fault));
    one["shortest"] = level.shortest.empty() ? ordered_json(nullptr) : ordered_json(level.shortest);
    json["levels"].push_back(std::move(one));
  }
  return json;
}

}  // namespace isolith::tools
