// Bytes on disk: of the log, a put; of the data file, loaded in random order and in key order.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "bench/bars.h"

namespace isolith::bench {
namespace {

// One put a transaction. The log is measured by what a recovery of a copy of it reads: segments are
// preallocated, so their size says nothing.
Bar measure_log(const BarOptions& options) {
  const ScratchDirectory directory(options.directory);
  const std::string original = directory.path() + "/log";
  const std::string copy = directory.path() + "/copy";
  const Keys keys(std::min<std::uint64_t>(options.rows, 200'000), options.keys, true);
  std::uint64_t log_bytes = 0;
  {
    Database database = open_database(original, {});
    const Table table = open_bench_table(database);
    require_ok(database.checkpoint(), "a checkpoint");
    TransactionOptions how(Isolation::read_committed);
    how.durability = Durability::async;
    for (std::uint64_t n = 0; n < keys.count(); ++n) {
      Result<Transaction> transaction = database.begin(how);
      require(transaction.ok() && transaction->put(table, keys.at(n), make_value(n)).ok() &&
                  transaction->commit().ok(),
              "a put");
    }
    require_ok(database.sync(), "syncing the log");
    std::filesystem::copy(original, copy, std::filesystem::copy_options::recursive);
    Database recovered = open_database(copy, {});
    const RecoveryReport& report = recovered.recovery();
    require(report.replayed_operations == keys.count(), "the recovered copy has every put");
    log_bytes = report.replayed_log_bytes;
  }
  const double per_put = static_cast<double>(log_bytes) / static_cast<double>(keys.count());
  char detail[160];
  std::snprintf(detail, sizeof detail, "bytes of log a put, above the %zu of key and value", kRowBytes);
  return {"log overhead", detail, per_put - static_cast<double>(kRowBytes), 40, false};
}

Bar measure_file(const BarOptions& options, const char* name, bool scrambled, double limit) {
  const ScratchDirectory directory(options.directory);
  const std::string path = directory.path() + "/size";
  Database database = open_database(path, {});
  const Table table = open_bench_table(database);
  load(database, table, Keys(options.rows, options.keys, scrambled));
  const Result<TableStats> stats = database.table_stats(table);
  require_ok(stats.status(), "figures of the table");
  require_ok(database.close(), "closing");
  const auto raw_bytes = static_cast<double>(options.rows * kRowBytes);
  const auto file_bytes = static_cast<double>(std::filesystem::file_size(path + "/data"));
  char detail[160];
  std::snprintf(detail, sizeof detail, "data file over raw bytes; %.1f MiB, leaves %.0f %% full",
                file_bytes / (1 << 20), stats->leaf_fill * 100);
  std::printf("%s: %.2f, %s\n", name, file_bytes / raw_bytes, detail);
  std::fflush(stdout);
  return {name, detail, file_bytes / raw_bytes, limit, false};
}

}  // namespace

void measure_size(const BarOptions& options, std::vector<Bar>& bars) {
  bars.push_back(measure_log(options));
  bars.push_back(measure_file(options, "file, random load", true, 1.7));
  bars.push_back(measure_file(options, "file, sequential load", false, 1.25));
}

}  // namespace isolith::bench
