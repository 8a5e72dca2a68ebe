// soak: very many small transactions of serializable_ssi beside one that stays open. What was read has to be
// remembered while somebody overlaps who might care, so it must be folded, or memory grows without end.
//
// Each transaction gets one row, and half of them put it back, changed. The others do not say that they only
// read, so that what they have read has to be remembered. The reader has read one key and a range, is not
// declared to be read-only, and stays open to the end; then it must still see what it saw.
//
// It ends with 1 when `tracking_bytes` was over 1.1 times its budget, or showed nothing though the reader was
// there, or the last tenth was slower than 0.9 times the first, per second of CPU time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include "bench/levels.h"

namespace isolith::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kParts = 10;
constexpr double kOverBudget = 1.1;
constexpr double kSlowest = 0.9;
constexpr double kMib = 1 << 20;

struct SoakOptions {
  Place place;
  std::uint64_t transactions = 10'000'000;
  std::uint64_t rows = 10'000;
  int threads = 2;
  bool no_reader = false;
  std::uint64_t budget_kib = LockOptions().tracking_bytes >> 10;
  std::uint64_t seed = 1;
};

Options engine_options(const SoakOptions& options) {
  Options how;
  how.locks.tracking_bytes = options.budget_kib << 10;
  return how;
}

struct Part {
  Counts counts;
  double cpu_seconds = 0;
  double wall_seconds = 0;
  std::uint64_t tracking_bytes_max = 0;

  [[nodiscard]] double per_cpu_second() const { return static_cast<double>(counts.commits) / cpu_seconds; }
};

class Soak {
 public:
  explicit Soak(const SoakOptions& options)
      : options_(options),
        database_(options.place, engine_options(options)),
        table_(*database_->ensure_table("soak")),
        keys_(options.rows, KeyKind::decimal, false) {
    Result<Transaction> transaction = database_->begin(Isolation::snapshot);
    require_ok(transaction.status(), "beginning to load");
    for (std::uint64_t i = 0; i < keys_.count(); ++i) {
      const std::uint64_t zero = 0;
      require_ok(transaction->put(table_, keys_.at(i), {reinterpret_cast<const char*>(&zero), sizeof zero}),
                 "loading a row");
    }
    require_ok(transaction->commit(), "loading");
  }

  // True when memory and speed were within their limits.
  bool run();

 private:
  // All that the reader reads: one key, and a hundredth of the table.
  std::string look(Transaction& reader) {
    std::string seen;
    require_ok(reader.get(table_, keys_.at(keys_.count() / 2), seen), "the reader's key");
    const KeyRange range{keys_.at(0), keys_.at(keys_.count() / 100)};
    Result<Cursor> cursor = reader.cursor(table_, range);
    require_ok(cursor.status(), "the reader's range");
    for (cursor->seek_first(); cursor->valid(); cursor->next()) seen.append(cursor->value());
    require_ok(cursor->status(), "the reader's range");
    return seen;
  }

  Counts work(Dice dice, std::uint64_t transactions);
  Part run_part(int part);
  void print(int part, const Part& figures);

  std::uint64_t sum() {
    TransactionOptions how(Isolation::snapshot);
    how.read_only = true;
    Result<Transaction> transaction = database_->begin(how);
    require_ok(transaction.status(), "beginning to add up");
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < keys_.count(); ++i) {
      std::string row;
      require_ok(transaction->get(table_, keys_.at(i), row), "adding up");
      std::uint64_t value = 0;
      std::memcpy(&value, row.data(), sizeof value);
      total += value;
    }
    return total;
  }

  const SoakOptions& options_;
  PlacedDatabase database_;
  Table table_;
  Keys keys_;
  std::atomic<std::uint64_t> changed_{0};  // rows, by committed transactions
};

Counts Soak::work(Dice dice, std::uint64_t transactions) {
  const TransactionOptions how(Isolation::serializable_ssi);
  const std::atomic<bool> never{false};
  Counts counts;
  std::string row;
  std::uint64_t changed = 0;
  while (counts.commits < transactions) {
    const std::string_view key = keys_.at(dice.below(keys_.count()));
    const bool changes = dice.below(2) == 0;
    changed += changes ? 1 : 0;
    commit_one(*database_, how, never, counts, [&](Transaction& transaction) {
      const Status status = transaction.get(table_, key, row);
      if (!status.ok() || !changes) return status;
      std::uint64_t value = 0;
      std::memcpy(&value, row.data(), sizeof value);
      ++value;
      std::memcpy(row.data(), &value, sizeof value);
      return transaction.put(table_, key, row);
    });
  }
  changed_.fetch_add(changed);
  return counts;
}

Part Soak::run_part(int part) {
  const auto threads = static_cast<std::uint64_t>(options_.threads);
  const std::uint64_t each = options_.transactions / kParts / threads;
  std::vector<Counts> counts(threads);
  std::vector<std::thread> running;
  std::atomic<std::uint64_t> left{threads};
  Part figures;
  const CpuSeconds cpu = CpuSeconds::now();
  const Clock::time_point begin = Clock::now();
  Clock::time_point end;  // of the thread that ends last
  for (std::uint64_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      counts[thread] = work(Dice(options_.seed, part, static_cast<int>(thread)), each);
      if (--left == 0) end = Clock::now();
    });
  }
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    figures.tracking_bytes_max = std::max(figures.tracking_bytes_max, database_->stats().tracking_bytes);
  } while (left != 0);
  for (std::thread& thread : running) thread.join();
  figures.wall_seconds = std::chrono::duration<double>(end - begin).count();
  figures.cpu_seconds = (CpuSeconds::now() - cpu).process;
  for (const Counts& one : counts) {
    figures.counts.commits += one.commits;
    figures.counts.conflicts += one.conflicts;
  }
  return figures;
}

void Soak::print(int part, const Part& figures) {
  const DatabaseStats stats = database_->stats();
  std::printf("%5d %10.0f %10.0f %9llu %12.3f %12.3f %9llu %10llu %9llu %12.3f %9.1f\n", part + 1,
              figures.per_cpu_second(), static_cast<double>(figures.counts.commits) / figures.wall_seconds,
              static_cast<unsigned long long>(figures.counts.conflicts),
              static_cast<double>(stats.tracking_bytes) / kMib,
              static_cast<double>(figures.tracking_bytes_max) / kMib,
              static_cast<unsigned long long>(stats.tracked_transactions),
              static_cast<unsigned long long>(stats.tracking_folded),
              static_cast<unsigned long long>(stats.tracking_widened),
              static_cast<double>(stats.version_bytes) / kMib,
              static_cast<double>(process_memory_bytes("VmRSS")) / kMib);
  std::fflush(stdout);
}

bool Soak::run() {
  const double budget = static_cast<double>(options_.budget_kib) / 1024;
  std::printf("soak: %llu transactions over %llu rows, %d threads, %s; budget for tracking %.3f MiB\n",
              static_cast<unsigned long long>(options_.transactions),
              static_cast<unsigned long long>(options_.rows), options_.threads,
              options_.no_reader ? "no reader" : "one reader stays open", budget);
  std::printf("%5s %10s %10s %9s %12s %12s %9s %10s %9s %12s %9s\n", "tenth", "txn/cpu-s", "txn/s",
              "conflicts", "tracking MiB", "at most", "tracked", "folded", "widened", "versions MiB",
              "RSS MiB");
  std::optional<Transaction> reader;
  std::string seen;
  if (!options_.no_reader) {
    Result<Transaction> begun = database_->begin(Isolation::serializable_ssi);
    require_ok(begun.status(), "beginning to read");
    seen = look(reader.emplace(*std::move(begun)));
  }
  std::vector<Part> parts;
  std::uint64_t tracking_bytes_max = 0;
  for (int part = 0; part < kParts; ++part) {
    parts.push_back(run_part(part));
    print(part, parts.back());
    tracking_bytes_max = std::max(tracking_bytes_max, parts.back().tracking_bytes_max);
  }
  require(sum() == changed_.load(), "the sum of all rows is the number of transactions that changed one");
  if (reader) {
    require(look(*reader) == seen, "the reader sees what it saw");
    std::printf("the reader sees what it saw; its commit: %s\n", reader->commit().to_string().c_str());
  }
  const double kept_speed = parts.back().per_cpu_second() / parts.front().per_cpu_second();
  const double of_budget = static_cast<double>(tracking_bytes_max) / kMib / budget;
  std::printf("tracking at most %.3f of the budget (limit %.1f); last tenth %.3f of the first (limit %.1f)\n",
              of_budget, kOverBudget, kept_speed, kSlowest);
  const bool is_shown = options_.no_reader || tracking_bytes_max != 0;
  if (!is_shown) std::printf("tracking_bytes shows nothing\n");
  return is_shown && of_budget <= kOverBudget && kept_speed >= kSlowest;
}

int run(int count, char** arguments) {
  SoakOptions options;
  CLI::App app("Very many small transactions of serializable_ssi beside a reader that stays open");
  options.place.add_to(app);
  app.add_option("--transactions", options.transactions, "how many")
      ->check(CLI::Range(1, 2'000'000'000))
      ->capture_default_str();
  app.add_option("--rows", options.rows)->check(CLI::Range(100, 100'000'000))->capture_default_str();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--budget-kib", options.budget_kib, "LockOptions::tracking_bytes, in KiB")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_flag("--no-reader", options.no_reader, "nobody stays open, to compare with");
  app.add_option("--seed", options.seed, "where the random numbers begin")->capture_default_str();
  CLI11_PARSE(app, count, arguments);
  require(options.transactions >= static_cast<std::uint64_t>(kParts * options.threads),
          "at least one transaction a thread and tenth");
  return Soak(options).run() ? 0 : 1;
}

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) { return isolith::bench::run(argc, argv); }
