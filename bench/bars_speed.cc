// Get, scan and put against the std::map that a program would use instead: same rows, same run, one thread.
//
// The two sides take turns, so that a machine that is busy for a while is busy for both; the ratio is that of
// the medians. CPU time of the thread counts; the engine's background threads are named beside it
// (`process`).
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>

#include "bench/bars.h"

namespace isolith::bench {
namespace {

using Map = std::map<std::string, std::string>;

struct Sides {
  Database& database;
  Table table;
  Map& map;
  Keys order;  // to look rows up in
};

struct Timing {
  std::vector<double> thread;
  std::vector<double> process;

  void run(const std::function<void()>& body) {
    const CpuSeconds begin = CpuSeconds::now();
    body();
    const CpuSeconds used = CpuSeconds::now() - begin;
    thread.push_back(used.thread);
    process.push_back(used.process);
  }
};

// Both sides do `operations` a repetition.
Bar compare(const char* name, double limit, int repetitions, std::uint64_t operations,
            const std::function<void()>& ours, const std::function<void()>& theirs) {
  ours();
  theirs();
  Timing our_time;
  Timing their_time;
  for (int i = 0; i < repetitions; ++i) {
    our_time.run(ours);
    their_time.run(theirs);
  }
  const double per_operation_ns = 1e9 / static_cast<double>(operations);
  const double our_median = median(our_time.thread);
  const double their_median = median(their_time.thread);
  char detail[160];
  std::snprintf(detail, sizeof detail, "%.0f ns (process %.0f ns), std::map %.0f ns, each",
                our_median * per_operation_ns, median(our_time.process) * per_operation_ns,
                their_median * per_operation_ns);
  std::printf("%s: %.2f times as fast, %s\n", name, their_median / our_median, detail);
  std::fflush(stdout);
  return {name, detail, their_median / our_median, limit, true};
}

Bar measure_get(const BarOptions& options, Sides& sides) {
  std::string value;
  const auto ours = [&] {
    for (std::uint64_t n = 0; n < sides.order.count(); ++n) {
      Result<Transaction> transaction = sides.database.begin(Isolation::read_committed);
      require(transaction.ok() && transaction->get(sides.table, sides.order.at(n), value).ok() &&
                  value.size() == kValueBytes && transaction->commit().ok(),
              "a get");
    }
  };
  std::string key;
  const auto theirs = [&] {
    for (std::uint64_t n = 0; n < sides.order.count(); ++n) {
      key.assign(sides.order.at(n));
      const auto at = sides.map.find(key);
      require(at != sides.map.end() && at->second.size() == kValueBytes, "a find");
    }
  };
  return compare("get", 1.8, options.repetitions, options.rows, ours, theirs);
}

Bar measure_scan(const BarOptions& options, Sides& sides) {
  std::uint64_t our_sum = 0;
  std::uint64_t their_sum = 0;
  const auto ours = [&] {
    Result<Transaction> transaction = sides.database.begin(Isolation::read_committed);
    require_ok(transaction.status(), "beginning a scan");
    Result<Cursor> cursor = transaction->cursor(sides.table);
    require_ok(cursor.status(), "opening a cursor");
    our_sum = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      our_sum += read_bytes(cursor->key()) + read_bytes(cursor->value());
    }
    require_ok(cursor->status(), "a scan");
  };
  const auto theirs = [&] {
    their_sum = 0;
    for (const auto& [key, value] : sides.map) their_sum += read_bytes(key) + read_bytes(value);
  };
  Bar bar = compare("scan", 6, options.repetitions, options.rows, ours, theirs);
  require(our_sum == their_sum, "both sides read the same rows");
  return bar;
}

Bar measure_put(const BarOptions& options, Sides& sides) {
  TransactionOptions how(Isolation::read_committed);
  how.durability = Durability::async;
  std::string value = make_value(7);
  const auto ours = [&] {
    for (std::uint64_t n = 0; n < sides.order.count(); ++n) {
      value[n % kValueBytes] = static_cast<char>(n);
      Result<Transaction> transaction = sides.database.begin(how);
      require(transaction.ok() && transaction->put(sides.table, sides.order.at(n), value).ok() &&
                  transaction->commit().ok(),
              "a put");
    }
  };
  std::string key;
  std::mutex mutex;
  const auto theirs = [&] {
    for (std::uint64_t n = 0; n < sides.order.count(); ++n) {
      value[n % kValueBytes] = static_cast<char>(n);
      key.assign(sides.order.at(n));
      const std::lock_guard lock(mutex);
      const auto at = sides.map.find(key);
      require(at != sides.map.end(), "a find to overwrite");
      at->second.assign(value);
    }
  };
  return compare("put, async", 0.75, options.repetitions, options.rows, ours, theirs);
}

}  // namespace

void measure_speed(const BarOptions& options, std::vector<Bar>& bars) {
  const ScratchDirectory directory(options.directory);
  Options how;
  how.cache_bytes = std::size_t{1} << 30;
  Database database = open_database(directory.path() + "/speed", how);
  Map map;
  Sides sides{database, open_bench_table(database), map, Keys(options.rows, options.keys, true)};
  load(database, sides.table, sides.order);
  for (std::uint64_t n = 0; n < sides.order.count(); ++n) map.emplace(sides.order.at(n), make_value(n));
  sides.order.shuffle(2);
  require_ok(database.checkpoint(), "a checkpoint");

  bars.push_back(measure_get(options, sides));
  bars.push_back(measure_scan(options, sides));
  bars.push_back(measure_put(options, sides));
  require_ok(database.close(), "closing");
}

}  // namespace isolith::bench
