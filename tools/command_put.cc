// `isolith put`: writes one row.
//
// A value from a file goes in by pieces, so it may be larger than the memory of the machine allows for twice.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/text_input.h"

namespace isolith::tools {
namespace {

struct PutOptions {
  std::string directory;
  std::string table;
  std::string key;
  std::optional<std::string> value;
  std::optional<std::string> file;
  bool escaped = false;
};

// Puts all that `source` gives, or a status; the transaction is not committed.
Status put_from(ByteSource& source, Transaction& transaction, const Table& table, std::string_view key) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  std::string piece(kPieceBytes, '\0');
  for (bool first = true;; first = false) {
    std::size_t filled = 0;
    while (filled < kPieceBytes) {
      const Result<std::size_t> count = source.read(piece.data() + filled, kPieceBytes - filled);
      if (!count.ok()) return count.status();
      if (*count == 0) break;
      filled += *count;
    }
    const std::string_view bytes = std::string_view(piece).substr(0, filled);
    if (first) {
      if (Status status = transaction.put(table, key, bytes); !status.ok()) return status;
    } else if (!bytes.empty()) {
      if (Status status = transaction.append(table, key, bytes); !status.ok()) return status;
    }
    if (filled < kPieceBytes) return {};
  }
}

ExitCode run_put(const PutOptions& options) {
  if (options.value.has_value() == options.file.has_value()) {
    return fail(ExitCode::usage, "put needs VALUE or --file, and not both (try 'isolith put --help')");
  }
  const Result<std::string> key = argument_bytes(options.key, options.escaped);
  if (!key.ok()) return fail(ExitCode::usage, key.status().message());
  const Result<std::string> value = argument_bytes(options.value.value_or(""), options.escaped);
  if (!value.ok()) return fail(ExitCode::usage, value.status().message());
  std::unique_ptr<ByteSource> source;
  if (options.file) {  // before the database, so that a wrong name leaves nothing behind
    Result<std::unique_ptr<ByteSource>> opened = open_source(*options.file);
    if (!opened.ok()) return fail(ExitCode::error, opened.status().message());
    source = std::move(*opened);
  }

  Result<Database> database = open_for_writing(options.directory, true);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  const auto put = [&](Transaction& transaction) -> Status {
    const Result<Table> table = transaction.ensure_table(options.table);
    if (!table.ok()) return table.status();
    return source ? put_from(*source, transaction, *table, *key) : transaction.put(*table, *key, *value);
  };
  RetryOptions once;  // a source cannot be read a second time, and nobody else is there to conflict with
  once.attempts_max = 1;
  const Status status = run_transaction(*database, put, {}, once);
  if (!status.ok()) return fail(status, fmt::format("put {} in table {}", quote(*key), quote(options.table)));
  return close_database(*database);
}

}  // namespace

void add_put_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<PutOptions>();
  CLI::App* command =
      app.add_subcommand("put", "Write one row; makes the database and the table where there is none");
  add_directory(*command, options->directory);
  add_table(*command, options->table);
  command->add_option("KEY", options->key, "The key")->required();
  command->add_option("VALUE", options->value, "The value");
  command->add_option("--file", options->file, "Read the value from this file, - for standard input")
      ->type_name("FILE");
  add_escaped(*command, options->escaped);
  command->footer(
      "Write -- before a key or value that begins with a dash.\n\n"
      "Example:\n  isolith put accounts.isolith balances alice 100\n"
      "  isolith put accounts.isolith pictures alice --file alice.png");
  command->callback([options, &run] { run = [options] { return run_put(*options); }; });
}

}  // namespace isolith::tools
