// `isolith anomalies`: what each level lets happen, run on the spot.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/scenario_lexer.h"
#include "anomalies/scenario_parser.h"
#include "tools/chosen_engine.h"
#include "tools/command.h"
#include "tools/escape.h"
#include "tools/matrix_text.h"
#include "tools/scenario_source.h"
#include "tools/text_layout.h"

namespace isolith::tools {
namespace {

using anomalies::CatalogueEntry;

struct AnomaliesOptions {
  std::string engine = "isolith";
  std::vector<std::string> only;
  bool json = false;
  bool markdown = false;
  bool list = false;
};

// Those of `only`, or all; in the catalogue's order.
Status choose_entries(const std::vector<std::string>& only, std::vector<const CatalogueEntry*>& entries) {
  std::vector<std::string_view> names;
  for (const CatalogueEntry& entry : anomalies::catalogue()) names.push_back(entry.name);
  for (const std::string& name : only) {
    if (anomalies::find_in_catalogue(name) != nullptr) continue;
    const std::string_view meant = anomalies::closest(name, names);
    return {StatusCode::invalid_argument,
            fmt::format("--only: the catalogue has no {}; {}", quote(name),
                        meant.empty() ? std::string("'isolith anomalies --list' lists it")
                                      : fmt::format("did you mean {}?", meant))};
  }
  for (const CatalogueEntry& entry : anomalies::catalogue()) {
    if (only.empty() || std::find(only.begin(), only.end(), entry.name) != only.end())
      entries.push_back(&entry);
  }
  return {};
}

ExitCode list(const std::vector<const CatalogueEntry*>& entries) {
  std::size_t width = 0;
  for (const CatalogueEntry* entry : entries) width = std::max(width, entry->name.size());
  std::string text;
  for (const CatalogueEntry* entry : entries) {
    LoadedScenario loaded;
    if (const Status status = load_entry(*entry, loaded); !status.ok()) return fail_to_load(status);
    text +=
        fmt::format("{}  {}: {}\n", pad(entry->name, width), loaded.scenario.title, loaded.scenario.shows);
  }
  return print(text);
}

ExitCode run_rows(const std::vector<const CatalogueEntry*>& entries, ChosenEngine& chosen,
                  MatrixReport& report) {
  const auto begin = std::chrono::steady_clock::now();
  for (const CatalogueEntry* entry : entries) {
    LoadedScenario loaded;
    if (const Status status = load_entry(*entry, loaded); !status.ok()) return fail_to_load(status);
    anomalies::MatrixRow& row = report.rows.emplace_back();
    row.name = entry->name;
    const Status status = anomalies::run_row(loaded.scenario, chosen.engine(), chosen.runner(), row);
    if (!status.ok()) return fail_in_scenario(loaded, status);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return ExitCode::ok;
}

ExitCode run_anomalies(const AnomaliesOptions& options) {
  if (options.json && options.markdown) return fail(ExitCode::usage, "--json or --markdown, not both");
  std::vector<const CatalogueEntry*> entries;
  if (const Status status = choose_entries(options.only, entries); !status.ok()) {
    return fail(ExitCode::usage, status.message());
  }
  if (options.list) return list(entries);
  ChosenEngine chosen;
  if (const Status status = chosen.open(options.engine); !status.ok()) return fail_to_choose(status);
  MatrixReport report;
  report.engine = chosen.engine().name();
  report.version = chosen.engine().version();
  report.levels = chosen.engine().levels();
  if (const ExitCode code = run_rows(entries, chosen, report); code != ExitCode::ok) return code;

  std::string text;
  if (options.json) text = matrix_json(report).dump(2) + "\n";
  if (options.markdown) text = matrix_markdown(report);
  if (text.empty()) text = matrix_text(report, Look::of(STDOUT_FILENO));
  const ExitCode code = print(text);
  if (code != ExitCode::ok) return code;
  return chosen.isolith() == nullptr || report.is_expected() ? ExitCode::ok : ExitCode::unexpected;
}

}  // namespace

void add_anomalies_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<AnomaliesOptions>();
  CLI::App* command =
      app.add_subcommand("anomalies", "Show what each isolation level lets happen, by running it");
  command->add_option("--engine", options->engine, engines_help())->type_name("NAME")->capture_default_str();
  command->add_option("--only", options->only, "Only these scenarios of the catalogue")->type_name("NAME...");
  command->add_flag("--list", options->list, "List the scenarios, and run nothing");
  command->add_flag("--markdown", options->markdown, "A table for a document");
  command->add_flag("--json", options->json, "One JSON object");
  command->footer(
      "Exit code 0 if every cell is what its scenario expects, 1 if not,\n"
      "2 if the command line is wrong, 3 for an error of a scenario, the engine or the output.\n\n"
      "Example:\n"
      "  isolith anomalies\n"
      "  isolith anomalies --only g0 p4 doctors_on_call\n"
      "  isolith anomalies --engine sqlite");
  command->callback([options, &run] { run = [options] { return run_anomalies(*options); }; });
}

}  // namespace isolith::tools
