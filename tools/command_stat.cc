// `isolith stat`: figures of a database, or of one table.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

struct StatOptions {
  std::string directory;
  std::optional<std::string> table;
  bool json = false;
};

// One figure: its name in JSON, what a person reads, and the value.
struct Figure {
  const char* name;
  const char* title;
  std::variant<std::uint64_t, double, bool, std::string> value;
};

std::vector<Figure> figures_of(const DatabaseStats& stats, const RecoveryReport& recovery) {
  return {
      {"data_file_bytes", "data file, bytes", stats.data_file_bytes},
      {"free_data_bytes", "  of them free", stats.free_data_bytes},
      {"log_bytes", "log on disk, bytes", stats.log_bytes},
      {"page_size_bytes", "page size, bytes", stats.page_size_bytes},
      {"pages", "pages in use", stats.pages},
      {"cache_bytes", "cache, bytes", stats.cache_bytes},
      {"cached_pages", "cached pages", stats.cached_pages},
      {"page_reads", "pages read", stats.page_reads},
      {"checkpoint_number", "checkpoint opened from", recovery.checkpoint_number},
      {"closed_cleanly", "was closed cleanly", recovery.clean},
      {"replayed_transactions", "transactions replayed", recovery.replayed_transactions},
      {"replayed_operations", "operations replayed", recovery.replayed_operations},
      {"replayed_log_bytes", "log replayed, bytes", recovery.replayed_log_bytes},
      {"undone_operations", "operations undone", recovery.undone_operations},
      {"torn_tail_bytes", "torn end of log, bytes", recovery.torn_tail_bytes},
      {"recovery_seconds", "opening took, seconds", recovery.seconds},
  };
}

std::vector<Figure> figures_of(const TableStats& stats) {
  return {
      {"name", "table", escape(stats.name)},
      {"rows", "rows", stats.rows},
      {"leaf_pages", "leaf pages", stats.leaf_pages},
      {"inner_pages", "inner pages", stats.inner_pages},
      {"large_value_pages", "pages of large values", stats.large_value_pages},
      {"height", "height", std::uint64_t{stats.height}},
      {"leaf_fill", "leaves filled, 0 to 1", stats.leaf_fill},
  };
}

std::string shown(const Figure& figure) {
  if (const auto* number = std::get_if<std::uint64_t>(&figure.value)) return with_separators(*number);
  if (const auto* fraction = std::get_if<double>(&figure.value)) return fmt::format("{:.3f}", *fraction);
  if (const auto* answer = std::get_if<bool>(&figure.value)) return *answer ? "yes" : "no";
  return std::get<std::string>(figure.value);
}

ExitCode print(const std::vector<Figure>& figures, bool as_json) {
  Output output(STDOUT_FILENO);
  if (as_json) {
    nlohmann::ordered_json object;
    for (const Figure& figure : figures) {
      std::visit([&](const auto& value) { object[figure.name] = value; }, figure.value);
    }
    output.write(object.dump(2) + "\n");
  } else {
    for (const Figure& figure : figures)
      output.write(fmt::format("{:<24} {:>18}\n", figure.title, shown(figure)));
  }
  return finish(output);
}

ExitCode run_stat(const StatOptions& options) {
  Result<Database> database = open_for_reading(options.directory);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  if (!options.table) return print(figures_of(database->stats(), database->recovery()), options.json);

  Table table;
  if (const ExitCode code = open_table(*database, *options.table, table); code != ExitCode::ok) return code;
  const Result<TableStats> stats = database->table_stats(table);
  if (!stats.ok()) return fail(stats.status(), fmt::format("stat of table {}", quote(*options.table)));
  return print(figures_of(*stats), options.json);
}

}  // namespace

void add_stat_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<StatOptions>();
  CLI::App* command =
      app.add_subcommand("stat", "Print the figures of a database, or of one table (which it walks)");
  add_directory(*command, options->directory);
  command->add_option("--table", options->table, "The figures of this table")->type_name("TABLE");
  command->add_flag("--json", options->json, "One JSON object");
  command->footer(
      "Example:\n  isolith stat accounts.isolith\n  isolith stat accounts.isolith --table balances --json");
  command->callback([options, &run] { run = [options] { return run_stat(*options); }; });
}

}  // namespace isolith::tools
