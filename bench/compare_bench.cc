// One operation at a time, for a look at where its time goes: gets, scans of several lengths, puts and
// commits, beside the same on std::map. `bars` says whether the ratios are good enough.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <mutex>

#include "bench/workload.h"
#include "isolith/database.h"

namespace isolith::bench {
namespace {

constexpr std::uint64_t kRows = 1'000'000;

// Loaded once and kept until the program ends: every benchmark reads the same rows.
struct Rows {
  static Rows& all() {
    static Rows rows;
    return rows;
  }

  ScratchDirectory directory;
  Database database;
  Table table;
  std::map<std::string, std::string> map;
  std::mutex mutex;
  Keys keys;

  std::string_view next_key() noexcept { return keys.at(next++ % kRows); }
  std::uint64_t next = 0;

 private:
  Rows()
      : database(open(directory.path())),
        table(*database.ensure_table("rows")),
        keys(kRows, KeyKind::binary, true) {
    for (std::uint64_t n = 0; n < kRows; n += 1000) {
      const Status status = run_transaction(database, [&](Transaction& transaction) {
        Status put;
        for (std::uint64_t i = n; i < n + 1000 && put.ok(); ++i)
          put = transaction.put(table, keys.at(i), make_value(i));
        return put;
      });
      require(status.ok(), status.to_string());
    }
    for (std::uint64_t n = 0; n < kRows; ++n) map.emplace(keys.at(n), make_value(n));
    keys.shuffle(2);
  }

  static Database open(const std::string& parent) {
    Options options;
    options.cache_bytes = std::size_t{1} << 30;
    options.default_durability = Durability::async;
    return *Database::open(parent + "/database", options);
  }
};

void begin_and_commit(benchmark::State& state) {
  Rows& rows = Rows::all();
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin();
    benchmark::DoNotOptimize(transaction.commit().ok());
  }
}
BENCHMARK(begin_and_commit);

void get(benchmark::State& state) {
  Rows& rows = Rows::all();
  std::string value;
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin();
    benchmark::DoNotOptimize(transaction.get(rows.table, rows.next_key(), value).ok());
    (void)transaction.commit().ok();
  }
}
BENCHMARK(get);

void get_within_one_transaction(benchmark::State& state) {
  Rows& rows = Rows::all();
  std::string value;
  Transaction transaction = *rows.database.begin();
  for (auto _ : state) benchmark::DoNotOptimize(transaction.get(rows.table, rows.next_key(), value).ok());
}
BENCHMARK(get_within_one_transaction);

TransactionOptions reading() {
  TransactionOptions options(Isolation::snapshot);
  options.read_only = true;
  return options;
}

void begin_and_commit_snapshot(benchmark::State& state) {
  Rows& rows = Rows::all();
  const TransactionOptions options = reading();
  for (auto _ : state) {
    Result<Transaction> transaction = rows.database.begin(options);
    benchmark::DoNotOptimize(transaction->commit().ok());
  }
}
BENCHMARK(begin_and_commit_snapshot);

void get_snapshot(benchmark::State& state) {
  Rows& rows = Rows::all();
  const TransactionOptions options = reading();
  std::string value;
  for (auto _ : state) {
    Result<Transaction> transaction = rows.database.begin(options);
    benchmark::DoNotOptimize(transaction->get(rows.table, rows.next_key(), value).ok());
    benchmark::DoNotOptimize(transaction->commit().ok());
  }
}
BENCHMARK(get_snapshot);

void map_find(benchmark::State& state) {
  Rows& rows = Rows::all();
  std::string key;
  for (auto _ : state) {
    key.assign(rows.next_key());
    benchmark::DoNotOptimize(rows.map.find(key));
  }
}
BENCHMARK(map_find);

void scan(benchmark::State& state) {
  Rows& rows = Rows::all();
  Transaction transaction = *rows.database.begin();
  Cursor cursor = *transaction.cursor(rows.table);
  for (auto _ : state) {
    std::int64_t left = state.range(0);
    for (cursor.seek(rows.next_key()); cursor.valid() && left > 0; cursor.next(), --left) {
      benchmark::DoNotOptimize(read_bytes(cursor.key()) + read_bytes(cursor.value()));
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(scan)->Arg(1)->Arg(10)->Arg(100)->Arg(10'000);

void map_walk(benchmark::State& state) {
  Rows& rows = Rows::all();
  for (auto _ : state) {
    std::int64_t left = state.range(0);
    for (auto at = rows.map.lower_bound(std::string(rows.next_key())); at != rows.map.end() && left > 0;
         ++at, --left) {
      benchmark::DoNotOptimize(read_bytes(at->first) + read_bytes(at->second));
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(map_walk)->Arg(1)->Arg(10)->Arg(100)->Arg(10'000);

// `range(0)` puts a transaction.
void put(benchmark::State& state) {
  Rows& rows = Rows::all();
  const std::string value = make_value(3);
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin();
    for (std::int64_t i = 0; i < state.range(0); ++i)
      (void)transaction.put(rows.table, rows.next_key(), value).ok();
    benchmark::DoNotOptimize(transaction.commit().ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(put)->Arg(1)->Arg(100);

void put_sync(benchmark::State& state) {
  Rows& rows = Rows::all();
  const std::string value = make_value(3);
  TransactionOptions how;
  how.durability = Durability::sync;
  for (auto _ : state) {
    Transaction transaction = *rows.database.begin(how);
    (void)transaction.put(rows.table, rows.next_key(), value).ok();
    benchmark::DoNotOptimize(transaction.commit().ok());
  }
}
BENCHMARK(put_sync)->UseRealTime();

void map_overwrite(benchmark::State& state) {
  Rows& rows = Rows::all();
  const std::string value = make_value(3);
  std::string key;
  for (auto _ : state) {
    key.assign(rows.next_key());
    const std::lock_guard lock(rows.mutex);
    rows.map.find(key)->second.assign(value);
  }
}
BENCHMARK(map_overwrite);

}  // namespace
}  // namespace isolith::bench

BENCHMARK_MAIN();
