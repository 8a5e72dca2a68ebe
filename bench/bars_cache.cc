// A database of gigabytes through a cache of 64 MiB: the memory of the process stays within the budget and a
// fixed rest.
#include <algorithm>
#include <cstdio>

#include "bench/bars.h"

namespace isolith::bench {
namespace {

constexpr std::uint64_t kCacheBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kRestBytes = std::uint64_t{48} << 20;
constexpr std::uint64_t kBigValueBytes = 1000;
constexpr std::uint64_t kOperations = 200'000;

// Rows have numbers as keys and are loaded in order; reads and updates are all over the place.
std::string key_of(std::uint64_t number) {
  char key[kKeyBytes + 1];
  std::snprintf(key, sizeof key, "%016llu", static_cast<unsigned long long>(number));
  return key;
}

std::string value_of(std::uint64_t number, std::uint64_t round) {
  std::string value(kBigValueBytes, static_cast<char>('a' + round % 26));
  const std::string name = key_of(number);
  value.replace(0, name.size(), name);
  return value;
}

void load_in_order(Database& database, const Table& table, std::uint64_t rows) {
  TransactionOptions how(Isolation::read_committed);
  how.durability = Durability::async;
  for (std::uint64_t n = 0; n < rows;) {
    Result<Transaction> transaction = database.begin(how);
    require_ok(transaction.status(), "beginning to load");
    for (int i = 0; i < 100 && n < rows; ++i, ++n) {
      require_ok(transaction->put(table, key_of(n), value_of(n, 0)), "loading a row");
    }
    require_ok(transaction->commit(), "loading");
  }
}

void read_and_update(Database& database, const Table& table, std::uint64_t rows) {
  TransactionOptions how(Isolation::read_committed);
  how.durability = Durability::async;
  std::string value;
  for (std::uint64_t i = 0; i < kOperations; ++i) {
    const std::uint64_t number = mix(i) % rows;
    Result<Transaction> transaction = database.begin(how);
    require_ok(transaction.status(), "beginning");
    require_ok(transaction->get(table, key_of(number), value), "a get");
    require(value.compare(0, kKeyBytes, key_of(number)) == 0 && value.size() == kBigValueBytes,
            "a row has its own value");
    if (i % 2 == 0) require_ok(transaction->put(table, key_of(number), value_of(number, i)), "an update");
    require_ok(transaction->commit(), "committing");
  }
}

}  // namespace

void measure_cache(const BarOptions& options, std::vector<Bar>& bars) {
  const ScratchDirectory directory(options.directory);
  Options how;
  how.cache_bytes = kCacheBytes;
  const std::uint64_t rows =
      std::max<std::uint64_t>(options.cache_database_bytes / (kBigValueBytes + kKeyBytes), 1);
  (void)reset_peak_memory();
  {
    Database database = open_database(directory.path() + "/cache", how);
    const Table table = open_bench_table(database);
    load_in_order(database, table, rows);
    std::printf("cache: loaded %llu rows, %.0f MiB at most so far\n", static_cast<unsigned long long>(rows),
                static_cast<double>(process_memory_bytes("VmHWM")) / (1 << 20));
    std::fflush(stdout);
    read_and_update(database, table, rows);
    const DatabaseStats stats = database.stats();
    std::printf("cache: data file %.0f MiB, %llu pages read, %llu written, %.0f MiB resident now\n",
                static_cast<double>(stats.data_file_bytes) / (1 << 20),
                static_cast<unsigned long long>(stats.page_reads),
                static_cast<unsigned long long>(stats.page_writes),
                static_cast<double>(process_memory_bytes("VmRSS")) / (1 << 20));
    require_ok(database.close(), "closing");
  }
  const auto peak = static_cast<double>(process_memory_bytes("VmHWM")) / (1 << 20);
  bars.push_back({"memory", "MiB resident at most, with a cache of 64 MiB", peak,
                  static_cast<double>(kCacheBytes + kRestBytes) / (1 << 20), false});
}

}  // namespace isolith::bench
