// `isolith get`: one value, as it is.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

struct GetOptions {
  std::string directory;
  std::string table;
  std::string key;
  bool escaped = false;
};

ExitCode run_get(const GetOptions& options) {
  const Result<std::string> key = argument_bytes(options.key, options.escaped);
  if (!key.ok()) return fail(ExitCode::usage, key.status().message());
  Result<Database> database = open_for_reading(options.directory);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  Table table;
  if (const ExitCode code = open_table(*database, options.table, table); code != ExitCode::ok) return code;

  const std::string doing = fmt::format("get {}", quote(*key));
  Result<Transaction> transaction = database->begin();
  if (!transaction.ok()) return fail(transaction.status(), doing);
  std::string value;
  const Status status = transaction->get(table, *key, value);
  if (status.is(StatusCode::not_found)) {
    return fail(ExitCode::not_found,
                fmt::format("there is no key {} in table {}", quote(*key), quote(options.table)));
  }
  if (!status.ok()) return fail(status, doing);

  Output output(STDOUT_FILENO);
  output.write(value);
  if (is_terminal(STDOUT_FILENO)) output.write("\n");
  return finish(output);
}

}  // namespace

void add_get_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command = app.add_subcommand("get", "Print the value of a key, as it is");
  add_directory(*command, options->directory);
  add_table(*command, options->table);
  command->add_option("KEY", options->key, "The key")->required();
  add_escaped(*command, options->escaped);
  command->footer(
      "A line feed follows the value only on a terminal. No key: exit code 1.\n\n"
      "Example:\n  isolith get accounts.isolith balances alice\n"
      "  isolith get accounts.isolith pictures '\\x00\\x01' --escaped > picture.png");
  command->callback([options, &run] { run = [options] { return run_get(*options); }; });
}

}  // namespace isolith::tools
