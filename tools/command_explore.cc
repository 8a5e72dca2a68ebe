// `isolith explore`: every interleaving of a scenario.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/chosen_engine.h"
#include "tools/command.h"
#include "tools/escape.h"
#include "tools/exploration_text.h"
#include "tools/run_text.h"
#include "tools/scenario_run.h"
#include "tools/scenario_source.h"

namespace isolith::tools {
namespace {

struct ExploreCommandOptions {
  std::string source;
  std::vector<std::string> levels;
  std::string engine = "isolith";
  bool no_pruning = false;
  std::uint64_t runs_max = 0;  // 0: no limit
  bool json = false;
};

ExitCode show(const ExploreCommandOptions& options, const LoadedScenario& loaded,
              const ExplorationReport& report) {
  if (options.json) return print(exploration_json(loaded, report).dump(2) + "\n");
  const Look look = Look::of(STDOUT_FILENO);
  return print(intro_text({loaded, report.engine, report.version, look}, false) +
               exploration_text(options.source, report, look));
}

ExitCode run_explore(const ExploreCommandOptions& options) {
  LoadedScenario loaded;
  if (const Status status = load_scenario(options.source, loaded); !status.ok()) return fail_to_load(status);
  ChosenEngine chosen;
  if (const Status status = chosen.open(options.engine); !status.ok()) return fail_to_choose(status);
  std::vector<std::string> levels;
  const std::vector<std::string> wanted =
      options.levels.empty() ? std::vector<std::string>{"all"} : options.levels;
  if (const Status status = chosen.choose_levels(wanted, levels); !status.ok()) {
    return fail(ExitCode::usage, "--level: " + std::string(status.message()));
  }
  if (const Status status = check_file_levels(loaded, chosen); !status.ok())
    return fail_in_scenario(loaded, status);

  anomalies::ExploreOptions explore_options;
  if (options.no_pruning) explore_options.pruning = anomalies::Pruning::none;
  if (options.runs_max > 0) explore_options.runs_max = options.runs_max;
  ExplorationReport report{std::string(chosen.engine().name()), std::string(chosen.engine().version()), {}};
  chosen.stop_at_signal();
  for (const std::string& level : levels) {
    if (chosen.is_stopped()) break;
    ExploredLevel& explored = report.levels.emplace_back();
    const Status status = explore_level(loaded.scenario, chosen, level, explore_options, explored);
    if (!status.ok() && !chosen.is_stopped()) return fail_in_scenario(loaded, status);
  }
  const ExitCode code = show(options, loaded, report);
  return code == ExitCode::ok && chosen.is_stopped() ? ExitCode::interrupted : code;
}

}  // namespace

void add_explore_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<ExploreCommandOptions>();
  CLI::App* command = app.add_subcommand("explore", "Run a scenario in every order of its steps");
  command
      ->add_option("FILE", options->source,
                   "A scenario file, a name of the catalogue, or - for standard input")
      ->required();
  command
      ->add_option("--level", options->levels, "Levels of sessions that name none; otherwise each there is")
      ->type_name("LEVEL...");
  command->add_option("--engine", options->engine, engines_help())->type_name("NAME")->capture_default_str();
  command->add_flag("--no-pruning", options->no_pruning,
                    "Run also orders that differ only in steps that commute");
  command
      ->add_option("--max", options->runs_max,
                   "Stop after so many runs of a level: what the column run counts")
      ->check(positive_number)
      ->type_name("N");
  command->add_flag("--json", options->json, "One JSON object");
  command->footer(
      "Exit code 0 if it ran, whatever happens, 2 if the command line is wrong, 3 for an error of the\n"
      "scenario, the engine or the output,\n"
      "130 if it was interrupted; then it shows what was seen until then.\n\n"
      "Example:\n  isolith explore doctors_on_call\n  isolith explore my.scenario --level snapshot --json");
  command->callback([options, &run] { run = [options] { return run_explore(*options); }; });
}

}  // namespace isolith::tools
