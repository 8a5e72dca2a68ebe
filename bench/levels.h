// Levels: what the workloads that compare isolation levels share: their options, threads that run for a
// while, rounds in which the levels take turns, and the table of what came out.
//
// Machines are noisy, so a level is told as its ratio to the first one: in each round every level runs once,
// and the median of the rounds' ratios counts. Speed is told per second of CPU time of the process, user and
// system, and per second on the wall.
//
// Threads: a run starts its own and joins them; all else belongs to one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/workload.h"
#include "isolith/database.h"

namespace CLI {
class App;
}

namespace isolith::bench {

// Where the rows are: memory, or a directory that goes when it is done with.
struct Place {
  std::string directory;  // parent of the scratch directory; empty: memory
  std::string durability = "async";

  void add_to(CLI::App& app);
};

class PlacedDatabase {
 public:
  explicit PlacedDatabase(const Place& place, const Options& options = {});

  [[nodiscard]] Database& operator*() noexcept { return database_; }
  [[nodiscard]] Database* operator->() noexcept { return &database_; }

 private:
  std::unique_ptr<ScratchDirectory> directory_;  // before the database: it goes after it
  Database database_;
};

struct LevelOptions {
  Place place;
  std::vector<std::string> levels = {"snapshot", "serializable_ssi", "serializable_2pl"};
  std::vector<int> threads = {2, 8};
  int rounds = 5;
  double seconds = 1;       // of each level in each round
  bool undeclared = false;  // programs that only read do not say so
  bool for_update = false;  // what will be written is read with its write lock
  std::uint64_t seed = 1;

  void add_to(CLI::App& app);
};

// What the threads of one run did.
struct Counts {
  std::uint64_t commits = 0;
  std::uint64_t conflicts = 0;  // attempts that failed and were made again
};

struct Run {
  Counts counts;
  double cpu_seconds = 0;
  double wall_seconds = 0;
  std::uint64_t anomalies = 0;  // committed transactions that fit in no serial order
  std::string broken;           // what does not hold any more; empty: all holds
};

// Random numbers of one thread: the same for the same seed, round and thread.
class Dice {
 public:
  Dice(std::uint64_t seed, int round, int thread) noexcept
      : state_(
            mix(mix(seed) + static_cast<std::uint64_t>(round) * 1024 + static_cast<std::uint64_t>(thread))) {}

  std::uint64_t below(std::uint64_t end) noexcept { return mix(++state_) % end; }

 private:
  std::uint64_t state_;
};

// Runs `body` in a transaction and commits it, again after every conflict and without a pause, until it is
// committed or `stop` is raised. A body that answers `aborted` has rolled back of its own will. True when it
// is committed.
template <typename Body>
bool commit_one(Database& database, const TransactionOptions& options, const std::atomic<bool>& stop,
                Counts& counts, const Body& body) {
  while (!stop.load(std::memory_order_relaxed)) {
    Result<Transaction> transaction = database.begin(options);
    Status status = transaction.ok() ? body(*transaction) : transaction.status();
    if (status.ok()) status = transaction->commit();
    if (status.ok()) {
      ++counts.commits;
      return true;
    }
    if (status.is(StatusCode::aborted)) return false;
    if (!status.is_retryable()) require_ok(status, "a transaction");
    ++counts.conflicts;
  }
  return false;
}

// Runs `work` in `threads` threads and raises `stop` after `seconds`.
using Work = std::function<Counts(int thread, const std::atomic<bool>& stop)>;
Run run_threads(int threads, double seconds, const Work& work);

// Whether the level forbids that an update is lost, and that committed transactions fit in no serial order.
bool keeps_updates(Isolation level) noexcept;
bool is_serializable(Isolation level) noexcept;

// All rounds of all levels, and their table. False where a level broke what it promises.
using Cell = std::function<Run(Isolation level, int round)>;
bool compare_levels(const LevelOptions& options, const std::string& title, const Cell& cell);

}  // namespace isolith::bench
