// `isolith stat`: figures of a database, or of one table.
#include <fmt/format.h>

#include <unistd.h>
#include <algorithm>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

constexpr double kWatchSecondsMin = 0.1;
constexpr double kWatchSecondsMax = 86'400;

struct StatOptions {
  std::string directory;
  std::optional<std::string> table;
  std::optional<double> watch_seconds;
  std::uint64_t count = 0;  // times that `--watch` prints; 0: until it is stopped
  bool json = false;
};

// One figure: its name in JSON, what a person reads, and the value.
struct Figure {
  const char* name;
  const char* title;
  std::variant<std::uint64_t, double, bool, std::string> value;
};

std::vector<Figure> figures_of(const DatabaseStats& stats) {
  return {
      {"data_file_bytes", "data file, bytes", stats.data_file_bytes},
      {"free_data_bytes", "  of them free", stats.free_data_bytes},
      {"log_bytes", "log on disk, bytes", stats.log_bytes},
      {"page_size_bytes", "page size, bytes", stats.page_size_bytes},
      {"pages", "pages in use", stats.pages},
      {"cache_bytes", "cache, bytes", stats.cache_bytes},
      {"cached_pages", "cached pages", stats.cached_pages},
      {"page_reads", "pages read", stats.page_reads},
      {"newest_commit", "newest commit", stats.newest_commit},
      {"oldest_snapshot", "horizon: oldest snapshot", stats.oldest_snapshot},
      {"snapshots", "snapshots read from", stats.snapshots},
      {"versions", "old versions in memory", stats.versions},
      {"version_bytes", "  of bytes", stats.version_bytes},
      {"spilled_versions", "old versions on disk", stats.spilled_versions},
      {"snapshots_failed", "snapshots failed", stats.snapshots_failed},
  };
}

std::vector<Figure> figures_of(const RecoveryReport& recovery) {
  return {
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

// What only a process that works on the database can tell.
std::vector<Figure> figures_of(const Observation& seen) {
  return {
      {"process_id", "open in process", seen.process_id},
      {"age_seconds", "figures of seconds ago", static_cast<double>(seen.age_ms) / 1000},
      {"dirty_pages", "dirty pages", seen.stats.dirty_pages},
      {"page_writes", "pages written", seen.stats.page_writes},
      {"checkpoints", "checkpoints", seen.stats.checkpoints},
      {"log_syncs", "log syncs", seen.stats.log_syncs},
      {"commits", "commits that wrote", seen.stats.commits},
      {"aborts", "aborts", seen.stats.aborts},
      {"lock_waits", "waits for locks", seen.stats.lock_waits},
      {"deadlocks", "deadlocks", seen.stats.deadlocks},
      {"lock_bytes", "bytes of read locks", seen.stats.lock_bytes},
      {"lock_escalations", "locks widened", seen.stats.lock_escalations},
      {"tracked_transactions", "tracked transactions", seen.stats.tracked_transactions},
      {"tracking_bytes", "bytes of what they read", seen.stats.tracking_bytes},
      {"tracking_folded", "tracked ones folded", seen.stats.tracking_folded},
      {"tracking_widened", "reads widened", seen.stats.tracking_widened},
      {"active_transactions", "active transactions", seen.stats.active_transactions},
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

nlohmann::ordered_json json_of(const std::vector<Figure>& figures) {
  nlohmann::ordered_json object;
  for (const Figure& figure : figures)
    std::visit([&](const auto& value) { object[figure.name] = value; }, figure.value);
  return object;
}

std::string text_of(const std::vector<Figure>& figures) {
  std::string text;
  for (const Figure& figure : figures) text += fmt::format("{:<24} {:>18}\n", figure.title, shown(figure));
  return text;
}

ExitCode print(const std::vector<Figure>& figures, bool as_json) {
  return tools::print(as_json ? json_of(figures).dump(2) + "\n" : text_of(figures));
}

// "T7", or "R3" for a transaction that only reads.
std::string name_of(std::uint64_t transaction) {
  constexpr std::uint64_t kReaders = std::uint64_t{1} << 62;
  return transaction < kReaders ? fmt::format("T{}", transaction)
                                : fmt::format("R{}", transaction - kReaders);
}

nlohmann::ordered_json json_of(const TransactionInfo& info) {
  return {{"id", info.id},
          {"level", escape(info.level)},
          {"label", escape(info.label)},
          {"age_ms", info.age_ms},
          {"snapshot", info.snapshot},
          {"snapshot_age_ms", info.snapshot_age_ms},
          {"snapshot_age_commits", info.snapshot_age_commits},
          {"held_versions", info.held_versions},
          {"held_bytes", info.held_bytes},
          {"too_old", info.too_old}};
}

// Who is active and what each holds back; a star marks who holds the horizon.
std::string text_of(const std::vector<TransactionInfo>& transactions, std::uint64_t horizon) {
  constexpr const char* kRow = "{} {:>10}  {:<18} {:>10} {:>14} {:>12} {:>12} {:>10}  {}\n";
  if (transactions.empty()) return "nobody is active\n";
  std::string text = fmt::format(kRow, " ", "id", "level", "age", "snapshot", "commits ago", "old versions",
                                 "bytes", "label");
  for (const TransactionInfo& info : transactions) {
    const bool holds = info.snapshot != 0 && info.snapshot == horizon && !info.too_old;
    const std::string snapshot = info.snapshot == 0 ? "-" : with_separators(info.snapshot);
    text +=
        fmt::format(kRow, holds ? "*" : " ", info.id == 0 ? "-" : name_of(info.id), escape(info.level),
                    readable_seconds(static_cast<double>(info.age_ms) / 1000),
                    info.too_old ? "too old" : snapshot, with_separators(info.snapshot_age_commits),
                    with_separators(info.held_versions), readable_bytes(info.held_bytes), escape(info.label));
  }
  return text;
}

std::string place_of(const LockInfo& lock) {
  if (lock.table.empty()) return "the database";
  if (lock.is_whole) return escape(lock.table);
  if (!lock.is_range) return escape(lock.table) + "/" + escape(lock.key);
  return escape(lock.table) + "/" + escape(lock.key) + ".." + (lock.hi ? escape(*lock.hi) : std::string());
}

nlohmann::ordered_json json_of(const LockInfo& lock) {
  nlohmann::ordered_json object = {{"transaction", lock.transaction}, {"mode", lock.mode},
                                   {"table", escape(lock.table)},     {"whole", lock.is_whole},
                                   {"key", escape(lock.key)},         {"range", lock.is_range}};
  object["hi"] = lock.hi ? nlohmann::ordered_json(escape(*lock.hi)) : nlohmann::ordered_json(nullptr);
  object["waiting"] = lock.is_waiting;
  object["waits_for"] = lock.waits_for;
  return object;
}

// Who has locked what, and who waits, and how long each transaction is there.
std::string text_of(const std::vector<LockInfo>& locks, const std::vector<TransactionInfo>& transactions) {
  constexpr const char* kRow = "  {:>10}  {:<18} {:>10}  {:<40}  {}\n";
  if (locks.empty()) return "";
  std::string text = "\n" + fmt::format(kRow, "id", "mode", "age", "lock", "waits for");
  for (const LockInfo& lock : locks) {
    const auto info = std::find_if(transactions.begin(), transactions.end(),
                                   [&](const TransactionInfo& one) { return one.id == lock.transaction; });
    std::string others;
    for (const std::uint64_t other : lock.waits_for) others += (others.empty() ? "" : ", ") + name_of(other);
    text += fmt::format(
        kRow, name_of(lock.transaction), lock.mode,
        info == transactions.end() ? "-" : readable_seconds(static_cast<double>(info->age_ms) / 1000),
        place_of(lock), others);
  }
  return text;
}

// `compact`: one line, so that a watch in JSON is a line each time.
std::string shown(const Observation& seen, bool as_json, bool compact) {
  std::vector<Figure> figures = figures_of(seen);
  for (Figure& figure : figures_of(seen.stats)) figures.push_back(std::move(figure));
  if (!as_json) {
    return text_of(figures) + "\n" + text_of(seen.transactions, seen.stats.oldest_snapshot) +
           text_of(seen.locks, seen.transactions);
  }
  nlohmann::ordered_json object = json_of(figures);
  object["transactions"] = nlohmann::ordered_json::array();
  for (const TransactionInfo& info : seen.transactions) object["transactions"].push_back(json_of(info));
  object["locks"] = nlohmann::ordered_json::array();
  for (const LockInfo& lock : seen.locks) object["locks"].push_back(json_of(lock));
  return object.dump(compact ? -1 : 2) + "\n";
}

// What is wrong with it, or nothing. CLI11's own check of a range takes "nan" for a number in it.
std::string seconds_of_watch(const std::string& text) {
  double seconds = 0;
  if (CLI::detail::lexical_cast(text, seconds) && seconds >= kWatchSecondsMin && seconds <= kWatchSecondsMax)
    return {};
  return fmt::format("--watch takes seconds from {} to {:.0f}, not {}", kWatchSecondsMin, kWatchSecondsMax,
                     quote(text));
}

// Prints again and again what the process that has it open says. That process may come and go.
ExitCode watch(const StatOptions& options) {
  const std::string clear = is_terminal(STDOUT_FILENO) && !options.json ? "\x1b[H\x1b[2J" : "";
  const std::chrono::duration<double> pause(*options.watch_seconds);
  for (std::uint64_t n = 0; options.count == 0 || n < options.count; ++n) {
    if (n > 0) std::this_thread::sleep_for(pause);
    const Result<Observation> seen = Database::observe(options.directory);
    if (!seen.ok() && (n == 0 || !seen.status().is(StatusCode::not_found)))
      return fail(seen.status(), fmt::format("cannot watch '{}'", options.directory));
    Output output(STDOUT_FILENO);
    if (seen.ok()) {
      output.write(clear + shown(*seen, options.json, true));
    } else {
      output.write(clear + (options.json ? "{}\n" : "no process has it open\n"));
    }
    if (const ExitCode code = finish(output); code != ExitCode::ok || !output.ok()) return code;
  }
  return ExitCode::ok;
}

ExitCode run_stat(const StatOptions& options) {
  if (options.watch_seconds) return watch(options);
  Result<Database> database = open_for_reading(options.directory);
  if (database.status().is(StatusCode::busy) && !options.table) {
    const Result<Observation> seen = Database::observe(options.directory);
    if (seen.ok()) return tools::print(shown(*seen, options.json, false));
  }
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  if (!options.table) {
    std::vector<Figure> figures = figures_of(database->stats());
    for (Figure& figure : figures_of(database->recovery())) figures.push_back(std::move(figure));
    return print(figures, options.json);
  }
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
  CLI::Option* table =
      command->add_option("--table", options->table, "The figures of this table")->type_name("TABLE");
  CLI::Option* watch = command
                           ->add_option("--watch", options->watch_seconds,
                                        "Print what the process that has it open does, every so many seconds")
                           ->type_name("SECONDS")
                           ->expected(0, 1)
                           ->default_str("1")
                           ->check(seconds_of_watch)
                           ->excludes(table);
  command->add_option("--count", options->count, "Stop after printing so many times")
      ->type_name("N")
      ->check(whole_number)
      ->needs(watch);
  command->add_flag("--json", options->json, "One JSON object");
  command->footer(
      "Example:\n  isolith stat accounts.isolith\n  isolith stat accounts.isolith --table balances --json\n"
      "  isolith stat accounts.isolith --watch=2\n\n"
      "A database that a process has open is not opened: its own figures are shown, of the last second, and\n"
      "who is active in it. A star marks who holds back the horizon, and so old versions.");
  command->callback([options, &run] { run = [options] { return run_stat(*options); }; });
}

}  // namespace isolith::tools
