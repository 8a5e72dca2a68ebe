// `isolith erase`: one row, or all rows of a range.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/key_span.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

struct EraseOptions {
  std::string directory;
  std::string table;
  std::optional<std::string> key;
  KeySpan span;
  bool escaped = false;
};

ExitCode erase_key(Database& database, const Table& table, const EraseOptions& options,
                   const std::string& key) {
  const Status status =
      run_transaction(database, [&](Transaction& transaction) { return transaction.erase(table, key); });
  if (status.is(StatusCode::not_found)) {
    return fail(ExitCode::not_found,
                fmt::format("there is no key {} in table {}", quote(key), quote(options.table)));
  }
  if (!status.ok()) return fail(status, fmt::format("erase {}", quote(key)));
  return close_database(database);
}

ExitCode erase_span(Database& database, const Table& table, const EraseOptions& options) {
  std::uint64_t erased = 0;
  const Status status = run_transaction(database, [&](Transaction& transaction) -> Status {
    const Result<std::uint64_t> count = transaction.erase_range(table, options.span.range());
    if (!count.ok()) return count.status();
    erased = *count;
    return {};
  });
  if (!status.ok()) return fail(status, fmt::format("erase a range of table {}", quote(options.table)));
  if (const ExitCode code = close_database(database); code != ExitCode::ok) return code;
  return print(fmt::format("erased {} {}\n", with_separators(erased), erased == 1 ? "row" : "rows"));
}

ExitCode run_erase(EraseOptions& options) {
  if (options.key.has_value() == options.span.given()) {
    return fail(ExitCode::usage, "erase needs KEY, or --lo, --hi or --prefix (try 'isolith erase --help')");
  }
  const Result<std::string> key = argument_bytes(options.key.value_or(""), options.escaped);
  if (!key.ok()) return fail(ExitCode::usage, key.status().message());
  if (const Status status = options.span.resolve(options.escaped); !status.ok()) {
    return fail(ExitCode::usage, status.message());
  }
  Result<Database> database = open_for_writing(options.directory, false);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  Table table;
  if (const ExitCode code = open_table(*database, options.table, table); code != ExitCode::ok) return code;
  return options.key ? erase_key(*database, table, options, *key) : erase_span(*database, table, options);
}

}  // namespace

void add_erase_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<EraseOptions>();
  CLI::App* command = app.add_subcommand("erase", "Erase a key, or every key of a range in one transaction");
  add_directory(*command, options->directory);
  add_table(*command, options->table);
  command->add_option("KEY", options->key, "The key; exit code 1 if it is not there");
  options->span.add_options(*command);
  add_escaped(*command, options->escaped);
  command->footer(
      "--lo '' erases all rows of the table.\n\n"
      "Example:\n  isolith erase accounts.isolith balances alice\n"
      "  isolith erase accounts.isolith balances --lo a --hi n");
  command->callback([options, &run] { run = [options] { return run_erase(*options); }; });
}

}  // namespace isolith::tools
