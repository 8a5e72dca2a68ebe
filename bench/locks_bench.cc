// What locks cost: reads with and without them, writers beside nobody who locks; and a storm of deadlocks.
//
//   locks_bench                       Google Benchmark
//   locks_bench storm [seconds]       64 threads on 10 keys (60 s): throughput, deadlocks, how long a call
//                                     took that failed with one
//
// A call that fails with a deadlock may have waited long before another one closed the circle: its time is an
// upper bound of the time from the closing wait to the failure.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"
#include "bench/workload.h"
#include "isolith/isolith.h"

namespace isolith::bench {
namespace {

constexpr std::size_t kRows = 100'000;
constexpr std::size_t kGets = 10;
constexpr std::size_t kStormThreads = 64;
constexpr std::size_t kStormKeys = 10;

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

// ---- the storm ----

using Clock = std::chrono::steady_clock;

class Storm {
 public:
  Storm() : database_(*Database::open_in_memory()), table_(*database_.ensure_table("t")) {
    Transaction transaction = *database_.begin();
    for (std::size_t i = 0; i < kStormKeys; ++i)
      require(transaction.put(table_, std::to_string(i), "0").ok(), "put");
    require(transaction.commit().ok(), "commit");
  }

  void run(std::uint64_t seconds) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kStormThreads; ++i) threads.emplace_back([this, i] { play(i); });
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    ends_ = true;
    for (std::thread& thread : threads) thread.join();
    const DatabaseStats stats = database_.stats();
    require(database_.locks().empty(), "nothing is locked at the end");
    std::printf("%zu threads, %zu keys, %llu s: %llu commits/s, %llu deadlocks/s, %llu waits/s\n",
                kStormThreads, kStormKeys, static_cast<unsigned long long>(seconds),
                static_cast<unsigned long long>(commits_ / seconds),
                static_cast<unsigned long long>(stats.deadlocks / seconds),
                static_cast<unsigned long long>(stats.lock_waits / seconds));
    std::printf("a call that failed with a deadlock, waits included: %.3f ms at most\n",
                static_cast<double>(slowest_ns_.load()) / 1e6);
  }

 private:
  void play(std::size_t number) {
    base::Random random(number);
    std::string value;
    while (!ends_) {
      Transaction transaction = *database_.begin(Isolation::serializable_2pl);
      Status status;
      for (std::size_t i = 0; i < 3 && status.ok(); ++i) {
        const std::string key = std::to_string(random.below(kStormKeys));
        const Clock::time_point began = Clock::now();
        status = random.below(2) == 0 ? transaction.get(table_, key, value)
                                      : transaction.put(table_, key, std::to_string(number));
        if (status.reason() == ConflictReason::deadlock) note(Clock::now() - began, status);
      }
      if (status.ok()) status = transaction.commit();
      require(status.ok() || status.is(StatusCode::conflict), "only conflicts");
      if (status.ok()) commits_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  void note(Clock::duration took, const Status& status) {
    require(status.deadlock_report() != nullptr && status.deadlock_report()->circle.size() >= 2, "a circle");
    const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
    std::uint64_t slowest = slowest_ns_.load();
    while (slowest < ns && !slowest_ns_.compare_exchange_weak(slowest, ns)) {
    }
  }

  Database database_;
  Table table_;
  std::atomic<bool> ends_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> slowest_ns_{0};
};

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "storm") {
    const std::uint64_t seconds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 60;
    isolith::bench::Storm().run(std::max<std::uint64_t>(seconds, 1));
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
