// `isolith run`: a scenario, step by step, with what the engine did and why.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/chosen_engine.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/run_json.h"
#include "tools/run_text.h"
#include "tools/scenario_run.h"
#include "tools/scenario_source.h"
#include "tools/timeline.h"
#include "tools/walk.h"

namespace isolith::tools {
namespace {

struct RunOptions {
  std::string source;
  std::string level;
  std::optional<std::string> order;
  std::string engine = "isolith";
  bool step = false;
  bool predict = false;
  bool json = false;
  bool no_story = false;
};

// Everything that was seen; the engine is gone by then, and its threads with it (tools/keys.h).
struct Seen {
  std::string engine;
  std::string version;
  std::vector<LevelReport> reports;  // one for each level
};

ExitCode look(const LoadedScenario& loaded, const RunOptions& options, Seen& seen) {
  if (options.order && options.order->find_first_not_of(" \t") == std::string::npos) {
    return fail(ExitCode::usage, "--order: no step is named");
  }
  Result<OrderChoice> order = parse_order(options.order.value_or(""), loaded.scenario);
  if (!order.ok()) return fail(ExitCode::usage, "--order: " + std::string(order.status().message()));
  ChosenEngine chosen;
  if (const Status status = chosen.open(options.engine); !status.ok()) return fail_to_choose(status);
  seen.engine = chosen.engine().name();
  seen.version = chosen.engine().version();
  std::vector<std::string> levels;
  const std::string wanted = options.level.empty() ? chosen.default_level() : options.level;
  if (const Status status = chosen.choose_levels({wanted}, levels); !status.ok()) {
    return fail(ExitCode::usage, "--level: " + std::string(status.message()));
  }
  if (const Status status = check_file_levels(loaded, chosen); !status.ok())
    return fail_in_scenario(loaded, status);
  for (const std::string& level : levels) {
    LevelReport& report = seen.reports.emplace_back();
    const Status status = run_at_level(loaded.scenario, chosen, level, *order, report);
    if (!status.ok()) return fail_in_scenario(loaded, status);
  }
  return ExitCode::ok;
}

ExitCode show(const RunSubject& subject, const std::vector<LevelReport>& reports, const RunOptions& options) {
  if (options.json) return print(run_json(subject, reports).dump(2) + "\n");
  Output output(STDOUT_FILENO);
  output.write(intro_text(subject, !options.no_story));
  for (const LevelReport& report : reports) {
    if (&report != &reports.front()) output.write("\n" + rule_text(subject.look) + "\n");
    const Timeline timeline = make_timeline(subject.loaded.scenario, report.run, subject.engine);
    output.write(start_text(subject, report) + "\n" + Lanes(timeline, subject.look).all() + "\n");
    output.write(end_text(subject, report));
  }
  return finish(output);
}

ExitCode walk(const RunSubject& subject, const LevelReport& report, const RunOptions& options) {
  const Timeline timeline = make_timeline(subject.loaded.scenario, report.run, subject.engine);
  const std::string start = intro_text(subject, !options.no_story) + start_text(subject, report) + "\n";
  const Walk walk{timeline, subject.look, start, "\n" + end_text(subject, report)};
  return options.step ? step_through(walk) : ask_through(walk, std::cin);
}

ExitCode run_scenario(const RunOptions& options) {
  const bool walks = options.step || options.predict;
  if (options.step && options.predict) return fail(ExitCode::usage, "--step or --predict, not both");
  if (walks && options.json) return fail(ExitCode::usage, "--json does not go with --step or --predict");
  if (walks && options.level == "all")
    return fail(ExitCode::usage, "--step and --predict walk through one level");
  if (walks && options.source == "-") {
    return fail(ExitCode::usage,
                "--step and --predict read from standard input: put the scenario into a file");
  }
  LoadedScenario loaded;
  if (const Status status = load_scenario(options.source, loaded); !status.ok()) return fail_to_load(status);
  Seen seen;
  if (const ExitCode code = look(loaded, options, seen); code != ExitCode::ok) return code;

  const Look look = Look::of(STDOUT_FILENO);
  const RunSubject subject{loaded, seen.engine, seen.version, look};
  const ExitCode code =
      walks ? walk(subject, seen.reports.front(), options) : show(subject, seen.reports, options);
  if (code != ExitCode::ok) return code;
  for (const LevelReport& report : seen.reports) {
    if (!report.unmet.empty()) return ExitCode::unexpected;
  }
  return ExitCode::ok;
}

}  // namespace

void add_run_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command =
      app.add_subcommand("run", "Run a scenario step by step: who reads what, who waits, and why");
  command
      ->add_option("FILE", options->source,
                   "A scenario file, a name of the catalogue, or - for standard input")
      ->required();
  command
      ->add_option("--level", options->level,
                   "The level of sessions that name none; or all, one after the other")
      ->type_name("LEVEL")
      ->default_str("read_committed");
  command
      ->add_option("--order", options->order,
                   "\"A1 B1 A2 ...\", all, random or random:SEED; otherwise the orders of the file")
      ->type_name("ORDER");
  command->add_option("--engine", options->engine, engines_help())->type_name("NAME")->capture_default_str();
  command->add_flag("--step", options->step, "Walk through it with keys: space on, b back, q end");
  command->add_flag("--predict", options->predict,
                    "Say before each step what it will do: g, w, f, what it reads, or q");
  command->add_flag("--no-story", options->no_story, "Leave out the story");
  command->add_flag("--json", options->json, "One JSON object");
  command->footer(
      "Exit code 0 if what was seen is what the file expects at the level, 1 if not,\n"
      "2 if the command line is wrong, 3 for an error of the scenario, the engine or the output.\n\n"
      "Example:\n"
      "  isolith run doctors_on_call --level snapshot\n"
      "  isolith run my.scenario --level all --order all\n"
      "  isolith run p4 --predict");
  command->callback([options, &run] { run = [options] { return run_scenario(*options); }; });
}

}  // namespace isolith::tools
