// What locks cost: reads with and without them, and writers beside nobody who locks. Threads that wait and
// deadlock: tests/locking/deadlock_storm_test.cc.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/workload.h"
#include "isolith/isolith.h"

namespace isolith::bench {
namespace {

constexpr std::size_t kRows = 100'000;
constexpr std::size_t kGets = 10;

struct Rows {
  Rows() : database(*Database::open_in_memory()), table(*database.ensure_table("t")), keys(make_keys()) {
    Transaction transaction = *database.begin();
    for (std::uint64_t i = 0; i < keys.count(); ++i)
      require(transaction.put(table, keys.at(i), make_value(i)).ok(), "put");
    require(transaction.commit().ok(), "commit");
  }
  static Keys make_keys() { return {kRows, KeyKind::binary, true}; }

  Database database;
  Table table;
  Keys keys;
};

void BM_TenGets(benchmark::State& state, Isolation level) {
  Rows rows;
  std::string value;
  std::uint64_t at = 0;
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin(level);
    for (std::size_t i = 0; i < kGets; ++i) {
      at = (at + 7919) % kRows;
      require(transaction.get(rows.table, rows.keys.at(at), value).ok(), "get");
      benchmark::DoNotOptimize(value.data());
    }
    require(transaction.commit().ok(), "commit");
  }
}
BENCHMARK_CAPTURE(BM_TenGets, read_committed, Isolation::read_committed);
BENCHMARK_CAPTURE(BM_TenGets, snapshot, Isolation::snapshot);
BENCHMARK_CAPTURE(BM_TenGets, repeatable_read, Isolation::repeatable_read);
BENCHMARK_CAPTURE(BM_TenGets, serializable_2pl, Isolation::serializable_2pl);
BENCHMARK_CAPTURE(BM_TenGets, serial, Isolation::serial);

void BM_TenPuts(benchmark::State& state, Isolation level) {
  Rows rows;
  const std::string value = make_value(1);
  std::uint64_t at = 0;
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin(level);
    for (std::size_t i = 0; i < kGets; ++i) {
      at = (at + 7919) % kRows;
      require(transaction.put(rows.table, rows.keys.at(at), value).ok(), "put");
    }
    require(transaction.commit().ok(), "commit");
  }
}
BENCHMARK_CAPTURE(BM_TenPuts, read_committed, Isolation::read_committed);
BENCHMARK_CAPTURE(BM_TenPuts, snapshot, Isolation::snapshot);
BENCHMARK_CAPTURE(BM_TenPuts, serializable_2pl, Isolation::serializable_2pl);

void BM_ScanHundred(benchmark::State& state, Isolation level) {
  Rows rows;
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin(level);
    Cursor cursor = *transaction.cursor(rows.table);
    std::size_t count = 0;
    for (cursor.seek_first(); cursor.valid() && count < 100; cursor.next()) ++count;
    require(count == 100, "scan");
    require(transaction.commit().ok(), "commit");
  }
}
BENCHMARK_CAPTURE(BM_ScanHundred, read_committed, Isolation::read_committed);
BENCHMARK_CAPTURE(BM_ScanHundred, serializable_2pl, Isolation::serializable_2pl);

}  // namespace
}  // namespace isolith::bench

BENCHMARK_MAIN();
