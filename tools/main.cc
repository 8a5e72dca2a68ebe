// The `isolith` command: reads the command line and runs one command.
//
// Whatever happens, a person gets one line on standard error and an exit code of tools/command.h; no
// exception of CLI11 or the standard library leaves main.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "isolith/version.h"
#include "tools/command.h"
#include "tools/escape.h"

namespace isolith::tools {
namespace {

constexpr const char* kDescription =
    "isolith: a transactional key-value store in a directory, from the command line.\n"
    "\n"
    "Example:\n"
    "  printf 'alice\\t100\\nbob\\t50\\n' | isolith load accounts.isolith balances\n"
    "  isolith get accounts.isolith balances alice\n"
    "  isolith scan accounts.isolith balances --reverse --limit 10\n"
    "  isolith demo\n"
    "\n"
    "What the isolation levels allow, shown by running it:\n"
    "  isolith anomalies\n"
    "  isolith run doctors_on_call --level snapshot\n";

// The command that the user named, for "try 'isolith get --help'".
std::string help_command(const CLI::App& app) {
  std::string command = "isolith";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  return command + " --help";
}

ExitCode run(int argc, char** argv) {
  CLI::App app(kDescription, "isolith");
  Command command;
  app.set_version_flag("--version", fmt::format("isolith {}", version_string()));
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(kExitCodesHelp);
  app.require_subcommand(1);
  add_anomalies_command(app, command);
  add_run_command(app, command);
  add_explore_command(app, command);
  add_demo_command(app, command);
  add_load_command(app, command);
  add_get_command(app, command);
  add_put_command(app, command);
  add_erase_command(app, command);
  add_scan_command(app, command);
  add_tables_command(app, command);
  add_stat_command(app, command);
  add_verify_command(app, command);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version print themselves
    app.exit(success);
    return std::fflush(stdout) == 0 ? ExitCode::ok : fail(ExitCode::error, "cannot write the output");
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !unknown.empty()) {
      return fail(ExitCode::usage,
                  fmt::format("there is no command {} (try 'isolith --help')", quote(unknown[0])));
    }
    return fail(ExitCode::usage, fmt::format("{} (try '{}')", error.what(), help_command(app)));
  }
  return command();
}

}  // namespace
}  // namespace isolith::tools

int main(int argc, char** argv) {
  using isolith::tools::ExitCode;
  using isolith::tools::fail;
  // A write to a pipe whose reader has gone then fails with EPIPE, which Output takes for the end.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return static_cast<int>(isolith::tools::run(argc, argv));
  } catch (const std::bad_alloc&) {
    return static_cast<int>(fail(ExitCode::error, "out of memory"));
  } catch (const std::exception& error) {
    return static_cast<int>(fail(ExitCode::error, error.what()));
  }
}
