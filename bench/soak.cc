// soak: very many small transactions of serializable_ssi beside one that stays open. What was read has to be
// remembered while somebody overlaps who might care, so it must be folded, or memory grows without end.
//
// Each transaction gets one row, or as many as asked for, and half of them put the last one back, changed.
// The others do not say that they only read, so that what they have read has to be remembered. The reader has
// read one key and a range, is not declared to be read-only, and stays open to the end; then it must still
// see what it saw.
//
// A machine that others use, too, may be half as fast a few seconds later. So each tenth also runs on a
// database that is made for it, with a reader of its own, in turn with the one that has run from the
// beginning. The speeds of the two are of CPU seconds, and the median of their ratios is what is compared.
//
// It ends with 1 when `tracking_bytes` was over 1.1 times its budget, or showed nothing though the reader was
// there, or the last tenth was slower than 0.9 times the first (`--slowest`).
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
constexpr int kTurns = 9;  // of each part
constexpr double kOverBudget = 1.1;
constexpr double kMib = 1 << 20;

struct SoakOptions {
  Place place;
  std::uint64_t transactions = 10'000'000;
  std::uint64_t rows = 10'000;
  std::uint64_t reads = 1;  // rows that each gets
  int threads = 2;
  bool no_reader = false;
  double slowest = 0.9;
  std::uint64_t budget_kib = LockOptions().tracking_bytes >> 10;
  std::uint64_t seed = 1;
};

Options engine_options(const SoakOptions& options) {
  Options how;
  how.locks.tracking_bytes = options.budget_kib << 10;
  return how;
}

// A table, who works on it, and the reader.
class Worked {
 public:
  Worked(const SoakOptions& options, const Keys& keys)
      : options_(options),
        keys_(keys),
        database_(options.place, engine_options(options)),
        table_(*database_->ensure_table("soak")) {
    Result<Transaction> transaction = database_->begin(Isolation::snapshot);
    require_ok(transaction.status(), "beginning to load");
    for (std::uint64_t i = 0; i < keys_.count(); ++i) {
      const std::uint64_t zero = 0;
      require_ok(transaction->put(table_, keys_.at(i), {reinterpret_cast<const char*>(&zero), sizeof zero}),
                 "loading a row");
    }
    require_ok(transaction->commit(), "loading");
    if (options.no_reader) return;
    Result<Transaction> begun = database_->begin(Isolation::serializable_ssi);
    require_ok(begun.status(), "beginning to read");
    seen_ = look(reader_.emplace(*std::move(begun)));
  }

  [[nodiscard]] DatabaseStats stats() { return database_->stats(); }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] double per_cpu_second() const { return static_cast<double>(counts_.commits) / cpu_seconds_; }
  [[nodiscard]] double per_second() const { return static_cast<double>(counts_.commits) / wall_seconds_; }

  // That many transactions of all threads together; `sample` is called while they run. Returns how many there
  // were per CPU second.
  template <typename Sample>
  double run(int turn, std::uint64_t transactions, const Sample& sample);
  // Begins to count anew.
  void forget() {
    counts_ = {};
    cpu_seconds_ = wall_seconds_ = 0;
  }
  // Every change is there, once, and the reader sees what it saw. Its commit is returned: it may close a
  // circle.
  Status end() {
    require(sum() == changed_.load(), "the sum of all rows is the number of transactions that changed one");
    if (!reader_) return {};
    require(look(*reader_) == seen_, "the reader sees what it saw");
    return reader_->commit();
  }

 private:
  std::string look(Transaction& reader);
  Counts work(Dice dice, std::uint64_t transactions);
  std::uint64_t sum();

  const SoakOptions& options_;
  const Keys& keys_;
  PlacedDatabase database_;
  Table table_;
  Counts counts_;
  double cpu_seconds_ = 0;
  double wall_seconds_ = 0;
  std::atomic<std::uint64_t> changed_{0};  // rows, by committed transactions
  std::optional<Transaction> reader_;
  std::string seen_;
};

// All that the reader reads: one key, and a hundredth of the table.
std::string Worked::look(Transaction& reader) {
  std::string seen;
  require_ok(reader.get(table_, keys_.at(keys_.count() / 2), seen), "the reader's key");
  const KeyRange range{keys_.at(0), keys_.at(keys_.count() / 100)};
  Result<Cursor> cursor = reader.cursor(table_, range);
  require_ok(cursor.status(), "the reader's range");
  for (cursor->seek_first(); cursor->valid(); cursor->next()) seen.append(cursor->value());
  require_ok(cursor->status(), "the reader's range");
  return seen;
}

Counts Worked::work(Dice dice, std::uint64_t transactions) {
  const TransactionOptions how(Isolation::serializable_ssi);
  const std::atomic<bool> never{false};
  Counts counts;
  std::string row;
  std::uint64_t changed = 0;
  std::vector<std::string_view> keys(options_.reads);
  while (counts.commits < transactions) {
    for (std::string_view& key : keys) key = keys_.at(dice.below(keys_.count()));
    const bool changes = dice.below(2) == 0;
    changed += changes ? 1 : 0;
    commit_one(*database_, how, never, counts, [&](Transaction& transaction) {
      for (const std::string_view key : keys) {
        if (const Status status = transaction.get(table_, key, row); !status.ok()) return status;
      }
      if (!changes) return Status();
      std::uint64_t value = 0;
      std::memcpy(&value, row.data(), sizeof value);
      ++value;
      std::memcpy(row.data(), &value, sizeof value);
      return transaction.put(table_, keys.back(), row);
    });
  }
  changed_.fetch_add(changed);
  return counts;
}

template <typename Sample>
double Worked::run(int turn, std::uint64_t transactions, const Sample& sample) {
  const auto threads = static_cast<std::uint64_t>(options_.threads);
  std::vector<Counts> counts(threads);
  std::vector<std::thread> running;
  std::atomic<std::uint64_t> left{threads};
  const CpuSeconds cpu = CpuSeconds::now();
  const Clock::time_point begin = Clock::now();
  Clock::time_point end;  // of the thread that ends last
  for (std::uint64_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      counts[thread] = work(Dice(options_.seed, turn, static_cast<int>(thread)), transactions / threads);
      if (--left == 0) end = Clock::now();
    });
  }
  do {
    sample();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  } while (left != 0);
  for (std::thread& thread : running) thread.join();
  wall_seconds_ += std::chrono::duration<double>(end - begin).count();
  const double cpu_seconds = (CpuSeconds::now() - cpu).process;
  cpu_seconds_ += cpu_seconds;
  std::uint64_t commits = 0;
  for (const Counts& one : counts) {
    commits += one.commits;
    counts_.conflicts += one.conflicts;
  }
  counts_.commits += commits;
  return static_cast<double>(commits) / cpu_seconds;
}

std::uint64_t Worked::sum() {
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

struct Part {
  double per_cpu_second = 0;
  double of_new = 0;  // of that of a new database, the median of all turns
  double per_second = 0;
  std::uint64_t conflicts = 0;
  std::uint64_t tracking_bytes_max = 0;
};

Part run_part(const SoakOptions& options, const Keys& keys, Worked& soaked, int part) {
  Part figures;
  Worked new_one(options, keys);
  soaked.forget();
  std::vector<double> of_new;
  const std::uint64_t each = options.transactions / kParts / kTurns;
  for (int i = 0; i < kTurns; ++i) {
    const int turn = part * kTurns + i;
    const double speed = soaked.run(turn, each, [&] {
      figures.tracking_bytes_max = std::max(figures.tracking_bytes_max, soaked.stats().tracking_bytes);
    });
    of_new.push_back(speed / new_one.run(turn, each, [] {}));
  }
  std::sort(of_new.begin(), of_new.end());
  (void)new_one.end();
  figures.per_cpu_second = soaked.per_cpu_second();
  figures.of_new = of_new[kTurns / 2];
  figures.per_second = soaked.per_second();
  figures.conflicts = soaked.counts().conflicts;
  return figures;
}

void print(int part, const Part& figures, const DatabaseStats& stats) {
  std::printf("%5d %10.0f %7.3f %10.0f %9llu %12.3f %12.3f %9llu %10llu %9llu %12.3f %9.1f\n", part + 1,
              figures.per_cpu_second, figures.of_new, figures.per_second,
              static_cast<unsigned long long>(figures.conflicts),
              static_cast<double>(stats.tracking_bytes) / kMib,
              static_cast<double>(figures.tracking_bytes_max) / kMib,
              static_cast<unsigned long long>(stats.tracked_transactions),
              static_cast<unsigned long long>(stats.tracking_folded),
              static_cast<unsigned long long>(stats.tracking_widened),
              static_cast<double>(stats.version_bytes) / kMib,
              static_cast<double>(process_memory_bytes("VmRSS")) / kMib);
  std::fflush(stdout);
}

// True when memory and speed were within their limits.
bool soak(const SoakOptions& options) {
  const double budget = static_cast<double>(options.budget_kib) / 1024;
  std::printf(
      "soak: %llu transactions over %llu rows, %llu each, %d threads, %s; budget for tracking %.3f MiB\n",
      static_cast<unsigned long long>(options.transactions), static_cast<unsigned long long>(options.rows),
      static_cast<unsigned long long>(options.reads), options.threads,
      options.no_reader ? "no reader" : "one reader stays open", budget);
  std::printf("%5s %10s %7s %10s %9s %12s %12s %9s %10s %9s %12s %9s\n", "tenth", "txn/cpu-s", "of new",
              "txn/s", "conflicts", "tracking MiB", "at most", "tracked", "folded", "widened", "versions MiB",
              "RSS MiB");
  const Keys keys(options.rows, KeyKind::decimal, false);
  Worked soaked(options, keys);
  std::vector<Part> parts;
  std::uint64_t tracking_bytes_max = 0;
  for (int part = 0; part < kParts; ++part) {
    parts.push_back(run_part(options, keys, soaked, part));
    print(part, parts.back(), soaked.stats());
    tracking_bytes_max = std::max(tracking_bytes_max, parts.back().tracking_bytes_max);
  }
  const Status committed = soaked.end();
  if (!options.no_reader)
    std::printf("the reader sees what it saw; its commit: %s\n", committed.to_string().c_str());
  const double kept_speed = parts.back().of_new / parts.front().of_new;
  const double of_budget = static_cast<double>(tracking_bytes_max) / kMib / budget;
  std::printf("tracking at most %.3f of the budget (limit %.1f)\n", of_budget, kOverBudget);
  std::printf("last tenth %.3f of the first (limit %g); %.3f as the machine went\n", kept_speed,
              options.slowest, parts.back().per_cpu_second / parts.front().per_cpu_second);
  const bool is_shown = options.no_reader || tracking_bytes_max != 0;
  if (!is_shown) std::printf("tracking_bytes shows nothing\n");
  return is_shown && of_budget <= kOverBudget && kept_speed >= options.slowest;
}

int run(int count, char** arguments) {
  SoakOptions options;
  CLI::App app("Very many small transactions of serializable_ssi beside a reader that stays open");
  options.place.add_to(app);
  app.add_option("--transactions", options.transactions, "how many")
      ->check(CLI::Range(1, 2'000'000'000))
      ->capture_default_str();
  app.add_option("--rows", options.rows)->check(CLI::Range(100, 100'000'000))->capture_default_str();
  app.add_option("--reads", options.reads, "rows that each transaction gets")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--budget-kib", options.budget_kib, "LockOptions::tracking_bytes, in KiB")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_flag("--no-reader", options.no_reader, "nobody stays open, to compare with");
  app.add_option("--slowest", options.slowest,
                 "of the first tenth, that the last one may be; 0: it is not asked")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "where the random numbers begin")->capture_default_str();
  CLI11_PARSE(app, count, arguments);
  require(options.transactions / kParts / kTurns >= static_cast<std::uint64_t>(options.threads),
          "at least 90 transactions a thread");
  return soak(options) ? 0 : 1;
}

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) { return isolith::bench::run(argc, argv); }
