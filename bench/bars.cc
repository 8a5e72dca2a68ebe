// bars: measures every bar and prints a table of them. It ends with 1 when one is missed.
//
//   bars [--cache] [--only=speed|size|snapshot|cache] [--rows=N] [--repetitions=N]
//        [--keys=binary|hex|decimal] [--directory=PATH] [--cache-database-mib=N]
#include "bench/bars.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace isolith::bench {

Database open_database(const std::string& path, const Options& options) {
  Result<Database> database = Database::open(path, options);
  require_ok(database.status(), "opening " + path);
  return std::move(*database);
}

Table open_bench_table(Database& database) {
  Result<Table> table = database.ensure_table("bench");
  require_ok(table.status(), "opening the table");
  return *table;
}

void load(Database& database, const Table& table, const Keys& keys) {
  constexpr std::uint64_t kRowsPerTransaction = 1000;
  TransactionOptions how(Isolation::read_committed);
  how.durability = Durability::async;
  for (std::uint64_t n = 0; n < keys.count();) {
    Result<Transaction> transaction = database.begin(how);
    require_ok(transaction.status(), "beginning to load");
    for (std::uint64_t i = 0; i < kRowsPerTransaction && n < keys.count(); ++i, ++n) {
      require_ok(transaction->put(table, keys.at(n), make_value(n)), "loading a row");
    }
    require_ok(transaction->commit(), "loading");
  }
}

namespace {

bool take_option(std::string_view argument, std::string_view name, std::string_view& value) {
  if (!argument.starts_with(name)) return false;
  value = argument.substr(name.size());
  return true;
}

[[noreturn]] void refuse(std::string_view argument) {
  std::fprintf(stderr, "%.*s: see the head of bench/bars.cc\n", static_cast<int>(argument.size()),
               argument.data());
  std::exit(2);
}

std::uint64_t number_of(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

KeyKind key_kind_of(std::string_view text) {
  if (text == "binary") return KeyKind::binary;
  if (text == "hex") return KeyKind::hex;
  if (text == "decimal") return KeyKind::decimal;
  refuse(text);
}

void print(const std::vector<Bar>& bars) {
  std::printf("\n%-22s %10s %10s  %-4s  %s\n", "bar", "measured", "limit", "", "detail");
  for (const Bar& bar : bars) {
    std::printf("%-22s %10.2f %s%8.2f  %-4s  %s\n", bar.name.c_str(), bar.measured,
                bar.at_least ? ">=" : "<=", bar.limit, bar.passed() ? "ok" : "MISS", bar.detail.c_str());
  }
}

int run(int count, char** arguments) {
  BarOptions options;
  std::string_view only;
  bool with_cache = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    std::string_view value;
    if (argument == "--cache") {
      with_cache = true;
    } else if (take_option(argument, "--only=", value)) {
      only = value;
    } else if (take_option(argument, "--rows=", value)) {
      options.rows = number_of(value);
    } else if (take_option(argument, "--repetitions=", value)) {
      options.repetitions = static_cast<int>(number_of(value));
    } else if (take_option(argument, "--keys=", value)) {
      options.keys = key_kind_of(value);
    } else if (take_option(argument, "--directory=", value)) {
      options.directory = value;
    } else if (take_option(argument, "--cache-database-mib=", value)) {
      options.cache_database_bytes = number_of(value) << 20;
    } else {
      refuse(argument);
    }
  }
  if (options.rows == 0 || options.repetitions < 1) refuse("no rows or no repetitions");

  std::vector<Bar> bars;
  // The memory of the process is measured first: what std::map leaves behind must not count.
  if (only == "cache" || (only.empty() && with_cache)) measure_cache(options, bars);
  if (only.empty() || only == "size") measure_size(options, bars);
  if (only.empty() || only == "speed") measure_speed(options, bars);
  if (only.empty() || only == "snapshot") measure_snapshot(options, bars);
  print(bars);
  for (const Bar& bar : bars) {
    if (!bar.passed()) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) { return isolith::bench::run(argc, argv); }
