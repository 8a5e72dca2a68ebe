// What the commands of `isolith` share: exit codes, error lines, and how a database is opened.
//
// A command is a file command_<name>.cc with one function add_<name>_command: it describes its command line
// to CLI11 and leaves in `run` what is to be done, which main calls once the whole command line is known to
// be right.
//
// Rules:
//   1. An error is one line on standard error that begins with "isolith: ", and an exit code that is not 0.
//   2. A command that reads never makes or changes a database, but it recovers one that was not closed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "isolith/isolith.h"

namespace isolith::tools {

class Output;

enum class ExitCode : int {
  ok = 0,
  not_found = 1,      // the key is not there; `verify` found problems; the demo failed
  unexpected = 1,     // a scenario did not show what its file expects
  usage = 2,          // the command line is wrong
  error = 3,          // the database, the input or the output
  interrupted = 130,  // by SIGINT or SIGTERM; what was seen until then was shown
  busy = 4,           // another process has the database open
};

// How --help tells them.
extern const char* const kExitCodesHelp;

using Command = std::function<ExitCode()>;

// Prints "isolith: <text>" on standard error, control characters escaped, and returns `code`.
ExitCode fail(ExitCode code, std::string_view text);

// The same for a status, with what was being done before it: "get 'k': corruption: ...".
ExitCode fail(const Status& status, std::string_view doing);

// The message of a status for a person, or the name of its code where it has none.
std::string describe(const Status& status);

// Opens an existing database to read from it. One that was not closed cleanly is recovered first.
Result<Database> open_for_reading(const std::string& directory);

// Opens a database to write to it; where there is none, makes one if `create`, and otherwise fails.
Result<Database> open_for_writing(const std::string& directory, bool create);

// Prints why `directory` could not be opened.
ExitCode fail_to_open(const Status& status, const std::string& directory);

// Opens a table, with the error printed: an ExitCode other than ok means that `table` is not set.
ExitCode open_table(Database& database, const std::string& name, Table& table);

// A key or value of the command line: as it stands, or with its escapes decoded.
Result<std::string> argument_bytes(const std::string& text, bool escaped);

// Writes `text` to standard output.
ExitCode print(std::string_view text);

// Passes on what is left of `output`: ok also when its reader has gone.
ExitCode finish(Output& output);

// Closes the database; ok, or the error printed.
ExitCode close_database(Database& database);

// A check for options: digits alone, since CLI11 would take -1 for a very large number. What is wrong, or
// nothing.
std::string whole_number(const std::string& text);

// The same without 0.
std::string positive_number(const std::string& text);

CLI::Option* add_directory(CLI::App& command, std::string& directory);
CLI::Option* add_table(CLI::App& command, std::string& table);
CLI::Option* add_escaped(CLI::App& command, bool& escaped);

void add_anomalies_command(CLI::App& app, Command& run);
void add_run_command(CLI::App& app, Command& run);
void add_explore_command(CLI::App& app, Command& run);
void add_demo_command(CLI::App& app, Command& run);
void add_load_command(CLI::App& app, Command& run);
void add_get_command(CLI::App& app, Command& run);
void add_put_command(CLI::App& app, Command& run);
void add_erase_command(CLI::App& app, Command& run);
void add_scan_command(CLI::App& app, Command& run);
void add_tables_command(CLI::App& app, Command& run);
void add_stat_command(CLI::App& app, Command& run);
void add_verify_command(CLI::App& app, Command& run);

}  // namespace isolith::tools
