// sibench: SIBENCH, where readers of a whole table meet updates of single rows: half the transactions read
// every row and answer which has the smallest value, the other half add one to the value of a row.
//
// M. Cahill, U. Röhm, A. Fekete, "Serializable Isolation for Snapshot Databases", SIGMOD 2008.
//
// Every order of these is serial at `snapshot`, too; what serializability costs is what is to be seen here.
// At the end of each run the sum of all values has grown by as much as updates were committed.
#include <CLI/CLI.hpp>
#include <cstring>

#include "bench/levels.h"

namespace isolith::bench {
namespace {

using Value = std::uint64_t;

std::string_view bytes_of(const Value& value) noexcept {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

Value value_in(std::string_view bytes) {
  Value value = 0;
  require(bytes.size() == sizeof value, "a row has a value");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

class Sibench {
 public:
  Sibench(const LevelOptions& options, std::uint64_t rows)
      : options_(options),
        database_(options.place),
        table_(*database_->ensure_table("sibench")),
        keys_(rows, KeyKind::decimal, false) {
    Result<Transaction> transaction = database_->begin(Isolation::snapshot);
    require_ok(transaction.status(), "beginning to load");
    for (std::uint64_t i = 0; i < rows; ++i)
      require_ok(transaction->put(table_, keys_.at(i), bytes_of(0)), "loading a row");
    require_ok(transaction->commit(), "loading");
  }

  Run run(Isolation level, int threads, int round) {
    const Value before = sum();
    std::atomic<std::uint64_t> updates{0};
    Run run = run_threads(threads, options_.seconds, [&](int thread, const std::atomic<bool>& stop) {
      return work(level, Dice(options_.seed, round, thread), stop, updates);
    });
    const Value grown = sum() - before;
    if (grown != updates.load()) {
      run.broken = "grown by " + std::to_string(grown) + " in " + std::to_string(updates.load()) + " updates";
    }
    return run;
  }

 private:
  Counts work(Isolation level, Dice dice, const std::atomic<bool>& stop,
              std::atomic<std::uint64_t>& updates) {
    TransactionOptions query(level);
    query.read_only = !options_.undeclared;
    const TransactionOptions update(level);
    Counts counts;
    std::string row;  // the key of the smallest value, or the value
    std::uint64_t updated = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      if (dice.below(2) == 0) {
        commit_one(*database_, query, stop, counts, [&](Transaction& t) { return find_smallest(t, row); });
      } else {
        const std::string_view key = keys_.at(dice.below(keys_.count()));
        updated += commit_one(*database_, update, stop, counts, [&](Transaction& t) {
          Status status = options_.for_update ? t.get_for_update(table_, key, row) : t.get(table_, key, row);
          return status.ok() ? t.put(table_, key, bytes_of(value_in(row) + 1)) : status;
        });
      }
    }
    updates.fetch_add(updated);
    return counts;
  }

  Status find_smallest(Transaction& transaction, std::string& smallest) {
    Result<Cursor> cursor = transaction.cursor(table_);
    if (!cursor.ok()) return cursor.status();
    Value least = ~Value{0};
    std::uint64_t rows = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++rows) {
      const Value value = value_in(cursor->value());
      if (value >= least) continue;
      least = value;
      smallest = cursor->key();
    }
    require(!cursor->status().ok() || rows == keys_.count(), "a query reads every row");
    return cursor->status();
  }

  Value sum() {
    TransactionOptions how(Isolation::snapshot);
    how.read_only = true;
    Result<Transaction> transaction = database_->begin(how);
    require_ok(transaction.status(), "beginning to add up");
    Result<Cursor> cursor = transaction->cursor(table_);
    require_ok(cursor.status(), "adding up");
    Value total = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next()) total += value_in(cursor->value());
    require_ok(cursor->status(), "adding up");
    return total;
  }

  const LevelOptions& options_;
  PlacedDatabase database_;
  Table table_;
  Keys keys_;
};

int run(int count, char** arguments) {
  LevelOptions options;
  std::vector<std::uint64_t> rows = {10, 100, 1000};
  CLI::App app("SIBENCH: queries that read every row beside updates of single rows, level by level");
  options.add_to(app);
  app.add_option("--rows", rows, "how many rows, one table each, with commas between")
      ->delimiter(',')
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  CLI11_PARSE(app, count, arguments);

  bool kept = true;
  for (const std::uint64_t size : rows) {
    for (const int threads : options.threads) {
      Sibench sibench(options, size);
      const std::string title = "SIBENCH: " + std::to_string(size) + " rows, " + std::to_string(threads) +
                                " threads, queries " + (options.undeclared ? "undeclared" : "read-only");
      kept = compare_levels(options, title,
                            [&](Isolation level, int round) { return sibench.run(level, threads, round); }) &&
             kept;
    }
  }
  return kept ? 0 : 1;
}

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) { return isolith::bench::run(argc, argv); }
