// `isolith verify`: reads every page and checks every rule.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

constexpr std::size_t kProblemsShown = 20;

struct VerifyOptions {
  std::string directory;
  bool json = false;
};

void write_report(Output& output, const VerifyReport& report, bool as_json) {
  if (as_json) {
    nlohmann::ordered_json object;
    object["tables"] = report.tables;
    object["rows"] = report.rows;
    object["pages"] = report.pages;
    object["problems"] = nlohmann::ordered_json::array();
    for (const std::string& problem : report.problems) object["problems"].push_back(escape(problem));
    output.write(object.dump(2) + "\n");
    return;
  }
  const std::size_t shown = std::min(report.problems.size(), kProblemsShown);
  for (std::size_t index = 0; index < shown; ++index) {
    output.write(fmt::format("problem: {}\n", escape(report.problems[index])));
  }
  if (shown < report.problems.size()) {
    output.write(
        fmt::format("and {} more (--json has all)\n", with_separators(report.problems.size() - shown)));
  }
  output.write(fmt::format(
      "{} tables, {} rows, {} pages: {}\n", with_separators(report.tables), with_separators(report.rows),
      with_separators(report.pages),
      report.problems.empty() ? "ok" : fmt::format("{} problems", with_separators(report.problems.size()))));
}

// Damage that stops the reading is a problem found, like any other.
ExitCode fail_to_verify(const Status& status, const std::string& directory) {
  if (!status.is(StatusCode::corruption)) return fail_to_open(status, directory);
  return fail(ExitCode::not_found, fmt::format("'{}' is damaged: {}", directory, describe(status)));
}

ExitCode run_verify(const VerifyOptions& options) {
  Result<Database> database = open_for_reading(options.directory);
  if (!database.ok()) return fail_to_verify(database.status(), options.directory);
  const Result<VerifyReport> report = database->verify();
  if (!report.ok()) return fail_to_verify(report.status(), options.directory);

  Output output(STDOUT_FILENO);
  write_report(output, *report, options.json);
  const ExitCode code = finish(output);
  return code == ExitCode::ok && !report->problems.empty() ? ExitCode::not_found : code;
}

}  // namespace

void add_verify_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command =
      app.add_subcommand("verify", "Read every page and check every rule; exit code 1 for problems");
  add_directory(*command, options->directory);
  command->add_flag("--json", options->json, "One JSON object");
  command->footer("Example:\n  isolith verify accounts.isolith");
  command->callback([options, &run] { run = [options] { return run_verify(*options); }; });
}

}  // namespace isolith::tools
