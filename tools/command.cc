#include "tools/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "tools/escape.h"
#include "tools/output.h"

namespace isolith::tools {
namespace {

ExitCode exit_code_of(const Status& status) noexcept {
  return status.is(StatusCode::busy) ? ExitCode::busy : ExitCode::error;
}

}  // namespace

const char* const kExitCodesHelp =
    "Exit codes: 0 done; 1 the key is not there, or verify found problems, or the demo failed, or a "
    "scenario\n"
    "            did not show what it expects; 2 the command line is wrong; 3 an error of the database, the\n"
    "            input or the output;\n"
    "            4 another process has the database open.";

ExitCode fail(ExitCode code, std::string_view text) {
  const std::string line = fmt::format("isolith: {}\n", printable(text));
  std::fwrite(line.data(), 1, line.size(), stderr);  // nobody is left to tell if this fails
  return code;
}

std::string describe(const Status& status) {
  return status.message().empty() ? std::string(to_string(status.code())) : status.to_string();
}

ExitCode fail(const Status& status, std::string_view doing) {
  return fail(exit_code_of(status), fmt::format("{}: {}", doing, describe(status)));
}

Result<Database> open_for_reading(const std::string& directory) {
  Options options;
  options.create_if_missing = false;
  options.read_only = true;
  Result<Database> database = Database::open(directory, options);
  if (!database.status().is(StatusCode::read_only)) return database;
  return open_for_writing(directory, false);
}

Result<Database> open_for_writing(const std::string& directory, bool create) {
  Options options;
  options.create_if_missing = create;
  return Database::open(directory, options);
}

ExitCode fail_to_open(const Status& status, const std::string& directory) {
  if (status.is(StatusCode::not_found)) {
    return fail(ExitCode::error,
                fmt::format("there is no database in '{}' ('isolith load' or 'put' makes one)", directory));
  }
  return fail(status, fmt::format("cannot open '{}'", directory));
}

ExitCode open_table(Database& database, const std::string& name, Table& table) {
  Result<Table> opened = database.open_table(name);
  if (opened.ok()) {
    table = *opened;
    return ExitCode::ok;
  }
  if (opened.status().is(StatusCode::not_found)) {
    return fail(ExitCode::error,
                fmt::format("there is no table {} ('isolith tables' lists them)", quote(name)));
  }
  return fail(opened.status(), fmt::format("cannot open table {}", quote(name)));
}

Result<std::string> argument_bytes(const std::string& text, bool escaped) {
  if (!escaped) return text;
  return unescape(text);
}

ExitCode print(std::string_view text) {
  Output output(STDOUT_FILENO);
  output.write(text);
  return finish(output);
}

ExitCode finish(Output& output) {
  output.flush();
  return output.status().ok() ? ExitCode::ok : fail(ExitCode::error, output.status().message());
}

ExitCode close_database(Database& database) {
  const Status status = database.close();
  return status.ok() ? ExitCode::ok : fail(status, "cannot close the database");
}

std::string whole_number(const std::string& text) {
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? std::string() : fmt::format("{} is no whole number", quote(text));
}

std::string positive_number(const std::string& text) {
  if (std::string problem = whole_number(text); !problem.empty()) return problem;
  return text.find_first_not_of('0') == std::string::npos ? "0 is too few" : std::string();
}

CLI::Option* add_directory(CLI::App& command, std::string& directory) {
  return command.add_option("DIR", directory, "The directory of the database")->required();
}

CLI::Option* add_table(CLI::App& command, std::string& table) {
  return command.add_option("TABLE", table, "The name of the table")->required();
}

CLI::Option* add_escaped(CLI::App& command, bool& escaped) {
  return command.add_flag(
      "--escaped", escaped,
      "Keys and values on the command line have escapes: \\t \\n \\r \\\\ and \\xHH for any byte");
}

}  // namespace isolith::tools
