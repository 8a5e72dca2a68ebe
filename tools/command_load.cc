// `isolith load`: rows from tab-separated lines or from a dump, in batches of one transaction each.
//
// A batch is in as a whole or not at all. After a failure the message says how many rows are in and up to
// which line; loading the same input again from its start is safe, since a row that is there is written again
// with the same value.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "tools/command.h"
#include "tools/dump_format.h"
#include "tools/escape.h"
#include "tools/terminal.h"
#include "tools/tsv.h"

namespace isolith::tools {
namespace {

struct LoadOptions {
  std::string directory;
  std::optional<std::string> table;
  std::string file = "-";
  std::string format = "tsv";
  std::uint64_t batch_rows = 1000;
  std::string durability = "sync";
};

Durability durability_of(const std::string& name) noexcept {
  if (name == "none") return Durability::none;
  return name == "async" ? Durability::async : Durability::sync;
}

// Puts rows into one table after another and commits them batch by batch.
class Loader {
 public:
  Loader(Database& database, const LoadOptions& options)
      : database_(database), batch_rows_(options.batch_rows), progress_("loading") {
    transaction_options_.durability = durability_of(options.durability);
  }

  // Later rows go to this table; what came before is committed.
  Status use_table(const std::string& name) {
    if (Status status = commit(); !status.ok()) return status;
    Result<Table> table = database_.ensure_table(name);
    if (!table.ok()) return table.status();
    table_ = *table;
    return {};
  }

  // `line` is where the row came from.
  Status add(const Row& row, std::uint64_t line) {
    if (!transaction_) {
      Result<Transaction> begun = database_.begin(transaction_options_);
      if (!begun.ok()) return begun.status();
      transaction_.emplace(std::move(*begun));
    }
    if (Status status = transaction_->put(table_, row.key, row.value); !status.ok()) return status;
    open_rows_ += 1;
    open_bytes_ += row.key.size() + row.value.size();
    last_line_ = line;
    if (open_rows_ < batch_rows_ && open_bytes_ < kBatchBytesMax) return {};
    return commit();
  }

  Status commit() {
    if (!transaction_) return {};
    Status status = transaction_->commit();
    transaction_.reset();
    if (!status.ok()) return status;
    rows_ += std::exchange(open_rows_, 0);
    bytes_ += std::exchange(open_bytes_, 0);
    committed_line_ = last_line_;
    progress_.show(rows_, bytes_);
    return {};
  }

  // Before anything else is printed.
  void end_progress() { progress_.clear(); }

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t committed_line() const noexcept { return committed_line_; }

 private:
  // A batch is in memory until it is committed.
  static constexpr std::uint64_t kBatchBytesMax = std::uint64_t{64} << 20;

  Database& database_;
  std::uint64_t batch_rows_;
  TransactionOptions transaction_options_;
  Progress progress_;
  Table table_;
  std::optional<Transaction> transaction_;
  std::uint64_t open_rows_ = 0;
  std::uint64_t open_bytes_ = 0;
  std::uint64_t last_line_ = 0;
  std::uint64_t committed_line_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
};

// The database's word on a row, with the row's line before it.
Status at_line(const TextInput& input, std::uint64_t line, const Status& status) {
  return status.ok() ? status : input.error_at(line, describe(status));
}

template <typename Reader>
Status load_rows(Reader&& next, const TextInput& input, Loader& loader) {
  Row row;
  for (;;) {
    std::uint64_t line = 0;
    const Result<bool> more = next(row, line);
    if (!more.ok()) return more.status();
    if (!*more) return loader.commit();
    if (Status status = loader.add(row, line); !status.ok()) return at_line(input, line, status);
  }
}

Status load_tsv(TextInput& input, const LoadOptions& options, Loader& loader) {
  if (Status status = loader.use_table(*options.table); !status.ok()) return status;
  TsvReader reader(input);
  const auto next = [&reader](Row& row, std::uint64_t& line) {
    Result<bool> more = reader.next(row);
    line = reader.line();
    return more;
  };
  return load_rows(next, input, loader);
}

Status load_dump(TextInput& input, const LoadOptions& options, Loader& loader) {
  DumpReader reader(input);
  const auto next = [&reader](Row& row, std::uint64_t& line) {
    Result<bool> more = reader.next_row(row);
    line = reader.line();
    return more;
  };
  DumpHeader header;
  for (std::uint64_t databases = 1;; ++databases) {
    const std::uint64_t line = input.line();
    const Result<bool> more = reader.next_database(header);
    if (!more.ok()) return more.status();
    if (!*more) return {};
    if (options.table && databases > 1) {
      return input.error_at(
          line, "the dump holds several databases: without TABLE each goes to a table of its name");
    }
    if (!options.table && !header.database) {
      return input.error_at(line, "the dump has no database=NAME: say which TABLE it goes to");
    }
    const std::string& table = options.table ? *options.table : *header.database;
    if (Status status = loader.use_table(table); !status.ok()) return at_line(input, line, status);
    if (Status status = load_rows(next, input, loader); !status.ok()) return status;
  }
}

ExitCode fail_to_load(const Status& status, const Loader& loader) {
  const std::string rows_in = loader.rows() == 0
                                  ? "no row is in"
                                  : fmt::format("{} rows are in, up to line {}, and may be loaded again",
                                                with_separators(loader.rows()), loader.committed_line());
  // A status about the input says where it happened itself; its code would tell nothing more.
  const bool is_input = status.is(StatusCode::invalid_argument);
  return fail(ExitCode::error,
              fmt::format("{}; {}", is_input ? std::string(status.message()) : describe(status), rows_in));
}

ExitCode run_load(const LoadOptions& options) {
  const bool is_dump = options.format == "dump";
  if (!is_dump && !options.table)
    return fail(ExitCode::usage, "load needs TABLE (try 'isolith load --help')");
  Result<std::unique_ptr<ByteSource>> source = open_source(options.file);
  if (!source.ok()) return fail(ExitCode::error, source.status().message());
  if (options.file == "-" && is_terminal(STDIN_FILENO)) {
    std::fputs("reading rows from the terminal; end with Ctrl-D\n", stderr);
  }
  Result<Database> database = open_for_writing(options.directory, true);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);

  TextInput input(std::move(*source), source_name(options.file));
  const auto begin = std::chrono::steady_clock::now();
  Loader loader(*database, options);
  const Status status = is_dump ? load_dump(input, options, loader) : load_tsv(input, options, loader);
  loader.end_progress();
  if (!status.ok()) return fail_to_load(status, loader);
  if (const ExitCode code = close_database(*database); code != ExitCode::ok) return code;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return print(fmt::format("loaded {} rows, {} in {}\n", with_separators(loader.rows()),
                           readable_bytes(loader.bytes()), readable_seconds(seconds)));
}

}  // namespace

void add_load_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* command = app.add_subcommand(
      "load", "Load rows from a file; makes the database and the table where there is none");
  add_directory(*command, options->directory);
  command->add_option("TABLE", options->table,
                      "The table; not needed with --format=dump, whose databases have names");
  command->add_option("FILE,--file", options->file, "The file; - is standard input")->capture_default_str();
  command
      ->add_option("--format", options->format,
                   "tsv: key<TAB>value, escaped; dump: as db_dump and mdb_dump write it")
      ->check(CLI::IsMember({"tsv", "dump"}))
      ->type_name("tsv|dump")
      ->capture_default_str();
  command->add_option("--batch", options->batch_rows, "Rows per transaction, at least 1")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--durability", options->durability, "When a batch counts as written")
      ->check(CLI::IsMember({"sync", "async", "none"}))
      ->type_name("sync|async|none")
      ->capture_default_str();
  command->footer(
      "A batch is loaded as a whole or not at all. Escapes in tsv: \\t \\n \\r \\\\ \\xHH.\n\n"
      "Example:\n  isolith load accounts.isolith balances balances.tsv\n"
      "  db5.3_dump -p accounts.db | isolith load accounts.isolith balances --format=dump\n"
      "  mdb_dump -a accounts.mdb | isolith load accounts.isolith --format=dump");
  command->callback([options, &run] { run = [options] { return run_load(*options); }; });
}

}  // namespace isolith::tools
