// `isolith scan`: rows in key order, either way, as tab-separated lines, as a dump, or the keys alone.
//
// All rows come from one snapshot: the cursor's, which is opened once.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "tools/command.h"
#include "tools/dump_format.h"
#include "tools/escape.h"
#include "tools/key_span.h"
#include "tools/output.h"
#include "tools/tsv.h"

namespace isolith::tools {
namespace {

struct ScanOptions {
  std::string directory;
  std::string table;
  KeySpan span;
  std::optional<std::uint64_t> limit;
  bool reverse = false;
  bool escaped = false;
  std::string format = "tsv";
  bool bytevalue = false;
  bool no_name = false;
  std::optional<std::uint64_t> mapsize;
};

DumpEncoding encoding_of(const ScanOptions& options) noexcept {
  return options.bytevalue ? DumpEncoding::bytevalue : DumpEncoding::print;
}

void write_row(Output& output, const ScanOptions& options, Cursor& cursor) {
  if (options.format == "keys") {
    write_escaped(output, cursor.key());
    output.write("\n");
    return;
  }
  // value() may fail, which makes the cursor invalid and its key empty: the row is then not written at all.
  const std::string_view value = cursor.value();
  if (!cursor.valid()) return;
  if (options.format == "tsv") {
    write_tsv_row(output, cursor.key(), value);
  } else {
    write_dump_row(output, encoding_of(options), cursor.key(), value);
  }
}

// Writes the rows; the status is the cursor's.
Status write_rows(Output& output, const ScanOptions& options, Cursor& cursor) {
  std::uint64_t rows = 0;
  if (options.reverse) {
    cursor.seek_last();
  } else {
    cursor.seek_first();
  }
  while (cursor.valid() && output.ok() && rows < options.limit.value_or(UINT64_MAX)) {
    write_row(output, options, cursor);
    if (!cursor.valid()) break;
    ++rows;
    if (options.reverse) {
      cursor.prev();
    } else {
      cursor.next();
    }
  }
  return cursor.status();
}

ExitCode run_scan(ScanOptions& options) {
  const bool is_dump = options.format == "dump";
  if (!is_dump && (options.bytevalue || options.no_name || options.mapsize)) {
    return fail(ExitCode::usage, "--bytevalue, --no-name and --mapsize need --format=dump");
  }
  if (const Status status = options.span.resolve(options.escaped); !status.ok()) {
    return fail(ExitCode::usage, status.message());
  }
  Result<Database> database = open_for_reading(options.directory);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  Table table;
  if (const ExitCode code = open_table(*database, options.table, table); code != ExitCode::ok) return code;

  const std::string doing = fmt::format("scan of table {}", quote(options.table));
  Result<Transaction> transaction = database->begin();
  if (!transaction.ok()) return fail(transaction.status(), doing);
  Result<Cursor> cursor = transaction->cursor(table, options.span.range());
  if (!cursor.ok()) return fail(cursor.status(), doing);

  Output output(STDOUT_FILENO);
  if (is_dump) {
    DumpHeader header{encoding_of(options), options.table, options.mapsize};
    if (options.no_name) header.database.reset();
    write_dump_header(output, header);
  }
  const Status status = write_rows(output, options, *cursor);
  if (is_dump && status.ok()) write_dump_end(output);  // without it the dump is known to be cut short
  const ExitCode code = finish(output);
  return status.ok() ? code : fail(status, doing);
}

}  // namespace

void add_scan_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<ScanOptions>();
  CLI::App* command = app.add_subcommand("scan", "Print the rows of a table or of a range, in key order");
  add_directory(*command, options->directory);
  add_table(*command, options->table);
  options->span.add_options(*command);
  command->add_option("--limit", options->limit, "At most so many rows")->check(whole_number)->type_name("N");
  command->add_flag("--reverse", options->reverse, "From the last key to the first");
  command
      ->add_option("--format", options->format,
                   "tsv: key<TAB>value, escaped; dump: as db_dump; keys: keys, escaped")
      ->check(CLI::IsMember({"tsv", "dump", "keys"}))
      ->type_name("tsv|dump|keys")
      ->capture_default_str();
  command->add_flag("--bytevalue", options->bytevalue,
                    "In a dump, write every byte as two digits (format=bytevalue)");
  command->add_flag("--no-name", options->no_name,
                    "In a dump, no database=TABLE: db_load fills the main database");
  command
      ->add_option("--mapsize", options->mapsize,
                   "In a dump, add mapsize=BYTES, which mdb_load needs over 1 MiB")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 50))
      ->type_name("BYTES");
  add_escaped(*command, options->escaped);
  command->footer(
      "Example:\n  isolith scan accounts.isolith balances --prefix al --limit 10\n"
      "  isolith scan accounts.isolith balances --format=dump --no-name | db5.3_load accounts.db\n"
      "  isolith scan accounts.isolith balances --format=dump --no-name --mapsize=1GiB | mdb_load "
      "accounts.mdb");
  command->callback([options, &run] { run = [options] { return run_scan(*options); }; });
}

}  // namespace isolith::tools
