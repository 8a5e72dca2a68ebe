// What snapshots cost: reads at `snapshot` beside reads of the raw tree, updates beside a reader that stays,
// and space that is used again.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

#include "bench/bars.h"

namespace isolith::bench {
namespace {

constexpr std::uint64_t kHotKeys = 1000;
constexpr std::uint64_t kUpdates = 10'000'000;
constexpr std::uint64_t kUpdatesEachTime = 1'000'000;

double cpu_seconds(const std::function<void()>& body) {
  const CpuSeconds begin = CpuSeconds::now();
  body();
  return (CpuSeconds::now() - begin).thread;
}

TransactionOptions read_only(Isolation level) {
  TransactionOptions options(level);
  options.read_only = true;
  return options;
}

struct Side {
  Database& database;
  Table table;
  Keys order;
  int repetitions;
};

void get_all(const Side& side, Isolation level) {
  std::string value;
  for (std::uint64_t n = 0; n < side.order.count(); ++n) {
    Result<Transaction> transaction = side.database.begin(read_only(level));
    require(transaction.ok() && transaction->get(side.table, side.order.at(n), value).ok(), "a get");
    require_ok(transaction->commit(), "a commit");
  }
}

void get_all_in_one(const Side& side) {
  std::string value;
  Result<Transaction> transaction = side.database.begin(read_only(Isolation::snapshot));
  require_ok(transaction.status(), "beginning");
  for (std::uint64_t n = 0; n < side.order.count(); ++n) {
    require(transaction->get(side.table, side.order.at(n), value).ok(), "a get");
  }
}

void scan_all(const Side& side, Isolation level) {
  std::uint64_t sum = 0;
  Result<Transaction> transaction = side.database.begin(read_only(level));
  require_ok(transaction.status(), "beginning");
  Result<Cursor> cursor = transaction->cursor(side.table);
  require_ok(cursor.status(), "opening a cursor");
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    sum += read_bytes(cursor->key()) + read_bytes(cursor->value());
  }
  require(cursor->status().ok() && sum != 0, "a scan");
}

// Turn by turn; the ratio of the medians.
Bar compare(const Side& side, const char* name, const std::function<void(Isolation)>& read) {
  std::vector<double> raw;
  std::vector<double> snapshot;
  read(Isolation::snapshot);
  for (int i = 0; i < side.repetitions; ++i) {
    raw.push_back(cpu_seconds([&] { read(Isolation::read_uncommitted); }));
    snapshot.push_back(cpu_seconds([&] { read(Isolation::snapshot); }));
  }
  const double each = 1e9 / static_cast<double>(side.order.count());
  char detail[160];
  std::snprintf(detail, sizeof detail, "of read_uncommitted: %.1f ns, that one %.1f ns, each",
                median(snapshot) * each, median(raw) * each);
  return {name, detail, median(raw) / median(snapshot), 0.93, true};
}

Bar measure_transaction(const Side& side) {
  std::vector<double> with;
  std::vector<double> without;
  for (int i = 0; i < side.repetitions; ++i) {
    with.push_back(cpu_seconds([&] { get_all(side, Isolation::snapshot); }));
    without.push_back(cpu_seconds([&] { get_all_in_one(side); }));
  }
  const double each = 1e9 / static_cast<double>(side.order.count());
  char detail[160];
  std::snprintf(detail, sizeof detail, "ns more than a get: begin, get, commit %.1f ns, a get %.1f ns",
                median(with) * each, median(without) * each);
  return {"snapshot begin+commit", detail, (median(with) - median(without)) * each, 80, false};
}

// Value `n` of a hot key tells how often it was written.
std::string hot_value(std::uint64_t n) {
  std::string value = make_value(1);
  std::memcpy(value.data(), &n, sizeof n);
  return value;
}

void update(Database& database, const Table& table, const Keys& keys, std::uint64_t from,
            std::uint64_t count) {
  TransactionOptions how(Isolation::snapshot);
  how.durability = Durability::async;
  std::string value = hot_value(0);
  for (std::uint64_t n = from; n < from + count; ++n) {
    std::memcpy(value.data(), &n, sizeof n);
    Result<Transaction> transaction = database.begin(how);
    require(transaction.ok() && transaction->put(table, keys.at(mix(n) % kHotKeys), value).ok() &&
                transaction->commit().ok(),
            "an update");
  }
}

void measure_long_reader(const BarOptions& options, std::vector<Bar>& bars) {
  const ScratchDirectory directory(options.directory);
  Database database = open_database(directory.path() + "/reader", {});
  const Table table = open_bench_table(database);
  const Keys keys(kHotKeys, options.keys, true);
  load(database, table, keys);
  std::uint64_t n = 0;
  const auto updates = [&] {
    const CpuSeconds begin = CpuSeconds::now();
    update(database, table, keys, n, kUpdatesEachTime);
    n += kUpdatesEachTime;
    return (CpuSeconds::now() - begin).process;
  };
  updates();
  const double before = updates();
  Result<Transaction> reader = database.begin(read_only(Isolation::snapshot));
  require_ok(reader.status(), "beginning to read");
  std::vector<std::string> seen;
  for (std::uint64_t k = 0; k < kHotKeys; ++k) seen.push_back(*reader->get(table, keys.at(k)));
  std::uint64_t versions_max = 0;
  double last = 0;
  for (std::uint64_t done = 0; done < kUpdates; done += kUpdatesEachTime) {
    last = updates();
    versions_max = std::max(versions_max, database.stats().versions);
    for (std::uint64_t k = 0; k < kHotKeys; ++k)
      require(*reader->get(table, keys.at(k)) == seen[k], "the reader sees what it saw");
  }
  require_ok(reader->commit(), "ending to read");
  const double after = updates();
  const double without = (before + after) / 2;
  char detail[160];
  std::snprintf(detail, sizeof detail, "of the updates without it: %.0f ns each, without it %.0f and %.0f ns",
                last * 1e9 / kUpdatesEachTime, before * 1e9 / kUpdatesEachTime,
                after * 1e9 / kUpdatesEachTime);
  bars.push_back({"long reader", detail, without / last, 0.9, true});
  std::snprintf(detail, sizeof detail, "old versions at most, %llu keys updated %llu times beside a reader",
                static_cast<unsigned long long>(kHotKeys), static_cast<unsigned long long>(kUpdates));
  // What is in flight: transactions that ended since somebody last collected.
  bars.push_back({"long reader, versions", detail, static_cast<double>(versions_max), kHotKeys + 64, false});
}

void erase_all(Database& database, const Table& table, const Keys& keys) {
  constexpr std::uint64_t kErasedEach = 1000;
  TransactionOptions how(Isolation::snapshot);
  how.durability = Durability::async;
  for (std::uint64_t n = 0; n < keys.count();) {
    Result<Transaction> transaction = database.begin(how);
    require_ok(transaction.status(), "beginning to erase");
    for (std::uint64_t i = 0; i < kErasedEach && n < keys.count(); ++i, ++n)
      require_ok(transaction->erase(table, keys.at(n)), "erasing");
    require_ok(transaction->commit(), "erasing");
  }
}

Bar measure_reuse(const BarOptions& options) {
  const ScratchDirectory directory(options.directory);
  const std::string path = directory.path() + "/reuse";
  Database database = open_database(path, {});
  const Table table = open_bench_table(database);
  const Keys all(options.rows * 2, options.keys, true);
  const Keys first = all.part(0, options.rows);
  load(database, table, first);
  require_ok(database.checkpoint(), "a checkpoint");
  const auto before = static_cast<double>(std::filesystem::file_size(path + "/data"));
  erase_all(database, table, first);
  load(database, table, all.part(options.rows, options.rows));
  require_ok(database.checkpoint(), "a checkpoint");
  const auto after = static_cast<double>(std::filesystem::file_size(path + "/data"));
  const Result<VerifyReport> report = database.verify();
  require(report.ok() && report->problems.empty(), "verifying");
  char detail[160];
  std::snprintf(detail, sizeof detail, "of the data file, %.1f MiB before; verified: %llu rows",
                before / (1 << 20), static_cast<unsigned long long>(report->rows));
  return {"erased and filled again", detail, after / before, 1.1, false};
}

}  // namespace

void measure_snapshot(const BarOptions& options, std::vector<Bar>& bars) {
  {
    const ScratchDirectory directory(options.directory);
    Options how;
    how.cache_bytes = std::size_t{1} << 30;
    Database database = open_database(directory.path() + "/read", how);
    Side side{database, open_bench_table(database), Keys(options.rows, options.keys, true),
              options.repetitions};
    load(database, side.table, side.order);
    require_ok(database.checkpoint(), "a checkpoint");
    side.order.shuffle(7);
    bars.push_back(compare(side, "snapshot get", [&](Isolation level) { get_all(side, level); }));
    bars.push_back(compare(side, "snapshot scan", [&](Isolation level) { scan_all(side, level); }));
    bars.push_back(measure_transaction(side));
  }
  measure_long_reader(options, bars);
  bars.push_back(measure_reuse(options));
}

}  // namespace isolith::bench
