// Threads on hot keys and ranges, and the same one step at a time in orders that are drawn: what they read
// and wrote is recorded with the true order of the versions, and has to be as in some serial order.
//
// Every value names the write that it is of. A write's place in the order of its key's versions is drawn from
// a counter while the key's lock is held. Which erasing a reader saw that did not find a key is told by rows
// in a table beside, one for each erasing, never changed: read from the same snapshot by a transaction that
// is not tracked, so that looking does not hide what the engine misses.
//
// ISOLITH_TEST_TRANSACTIONS: how many have to commit.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "anomalies/runner.h"
#include "base/random.h"
#include "isolith/isolith.h"
#include "tests/support/seed.h"
#include "tests/txn/version_graph.h"

namespace isolith::testing {
namespace {

constexpr std::size_t kThreads = 16;
constexpr std::uint32_t kKeys = 120;
constexpr std::uint32_t kHotKeys = 24;
constexpr std::uint64_t kStepsMax = 6;
constexpr bool kStopsEarly = true;          // some cursors leave their range before its end
constexpr std::uint64_t kVersionsEach = 16;  // numbers of versions for each transaction

std::uint64_t transactions_wanted() {
  const char* const given = std::getenv("ISOLITH_TEST_TRANSACTIONS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'000;
}

std::string number_text(std::uint64_t number) {
  std::string text;
  append_key_u64(text, number);
  return text;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  for (const char byte : text) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

struct Shared {
  Database database;
  Table rows;
  Table erasings;  // key and place of an erasing -> its version
  std::vector<Isolation> levels;
  std::atomic<std::uint64_t> places{1};
  std::atomic<std::uint64_t> committed{0};
  std::atomic<std::uint64_t> aborted{0};
};

// One transaction at a time, and what it does.
class Worker {
 public:
  Worker(Shared& shared, std::size_t number, History& history, std::uint64_t seed)
      : shared_(shared), number_(number), history_(history), random_(seed + number) {}

  // Begins, takes a step or commits.
  void advance() {
    const Status status = !transaction_ ? begin() : steps_left_ > 0 ? step() : commit();
    ASSERT_TRUE(status.ok() || status.is(StatusCode::conflict)) << status.to_string();
    if (status.ok()) return;
    shared_.aborted.fetch_add(1);
    end();
  }

  void end() {
    peek_.reset();
    transaction_.reset();
  }

  [[nodiscard]] std::uint64_t id() const noexcept { return transaction_ ? transaction_->id() : 0; }

 private:
  Status begin() {
    reads_.clear();
    writes_.clear();
    number_ += kThreads;
    level_ = shared_.levels[random_.below(shared_.levels.size())];
    next_version_ = number_ * kVersionsEach;
    TransactionOptions options(level_);
    only_reads_ = options.read_only = random_.below(6) == 0;
    Result<Transaction> begun = shared_.database.begin(options);
    if (!begun.ok()) return begun.status();
    transaction_.emplace(*std::move(begun));
    began_ = shared_.places.fetch_add(1);
    steps_left_ = 1 + random_.below(kStepsMax);
    return {};
  }

  Status commit() {
    peek_.reset();
    if (const Status status = transaction_->commit(); !status.ok()) return status;
    history_.add({number_, began_, shared_.places.fetch_add(1), level_}, reads_, writes_);
    shared_.committed.fetch_add(1);
    end();
    return {};
  }

  Status step() {
    --steps_left_;
    const auto key = static_cast<std::uint32_t>(random_.below(random_.below(3) == 0 ? kKeys : kHotKeys));
    const std::uint64_t kind = random_.below(only_reads_ ? 10 : 20);
    if (kind < 5) return get(key);
    if (kind < 9)
      return scan(key, key + 1 + static_cast<std::uint32_t>(random_.below(8)),
                  kStopsEarly && random_.below(3) == 0);
    if (kind < 10) return scan(key, kKeys, false);
    return change(key, kind < 14 ? Change::put : kind < 17 ? Change::insert : Change::erase);
  }

  Status get(std::uint32_t key) {
    const Status status = transaction_->get(shared_.rows, number_text(key), value_);
    if (status.ok()) note_row(key, value_);
    if (status.is(StatusCode::not_found)) return note_absent(key, key + 1, false);
    return status;
  }

  // Stops early, or reads all of it.
  Status scan(std::uint32_t lo, std::uint32_t hi, bool stops) {
    const std::string lo_text = number_text(lo);
    const std::string hi_text = number_text(hi);
    const bool forward = random_.below(2) == 0;
    std::size_t rows_left = stops ? 1 + random_.below(3) : SIZE_MAX;
    found_.clear();
    {
      Result<Cursor> rows = transaction_->cursor(shared_.rows, {lo_text, hi_text});
      if (!rows.ok()) return rows.status();
      forward ? rows->seek_first() : rows->seek_last();
      for (; rows->valid(); forward ? rows->next() : rows->prev()) {
        const auto key = static_cast<std::uint32_t>(number_of(rows->key()));
        found_.push_back(key);
        note_row(key, rows->value());
        if (--rows_left == 0) break;
      }
      if (!rows->status().ok()) return rows->status();
    }
    if (rows_left == 0) (forward ? hi : lo) = forward ? found_.back() + 1 : found_.back();
    hi = std::min(hi, kKeys);
    std::sort(found_.begin(), found_.end());
    return note_absent(lo, hi, true);
  }

  enum class Change : std::uint8_t { put, insert, erase };

  Status change(std::uint32_t key, Change how) {
    const std::string key_text = number_text(key);
    const std::uint64_t version = next_version_;
    const std::string value = number_text(version);
    Status status;
    if (how == Change::put) status = transaction_->put(shared_.rows, key_text, value);
    if (how == Change::insert) status = transaction_->insert(shared_.rows, key_text, value);
    if (how == Change::erase) status = transaction_->erase(shared_.rows, key_text);
    found_.clear();
    if (status.is(StatusCode::not_found)) return note_absent(key, key + 1, false);
    if (status.is(StatusCode::already_exists)) return note_there(key);
    if (!status.ok()) return status;
    ++next_version_;
    const std::uint64_t place = shared_.places.fetch_add(1);
    if (VersionWrite* const before = own_write(key)) {
      before->version = version;
    } else {
      writes_.push_back({key, version, place});
    }
    if (how != Change::erase) return {};
    return transaction_->put(shared_.erasings, key_text + number_text(place), value);
  }

  // ---- what was read; its own writes are no dependency ----

  VersionWrite* own_write(std::uint32_t key) {
    const auto at = std::find_if(writes_.begin(), writes_.end(), [&](const auto& w) { return w.key == key; });
    return at == writes_.end() ? nullptr : &*at;
  }

  void note_row(std::uint32_t key, std::string_view value) {
    if (own_write(key) == nullptr) reads_.push_back({key, false, number_of(value)});
  }

  // It was there: which version does the peek tell.
  Status note_there(std::uint32_t key) {
    if (!can_peek() || own_write(key) != nullptr) return {};
    if (const Status status = open_peek(); !status.ok()) return status;
    const Status status = peek_->get(shared_.rows, number_text(key), value_);
    if (status.ok()) note_row(key, value_);
    return status;
  }

  // Those of [lo, hi) that are not in `found_`.
  Status note_absent(std::uint32_t lo, std::uint32_t hi, bool by_range) {
    if (!can_peek() || (by_range && level_ == Isolation::repeatable_read)) return {};
    for (std::uint32_t key = lo; key < hi; ++key) {
      if (std::binary_search(found_.begin(), found_.end(), key) || own_write(key) != nullptr) continue;
      if (const Status status = open_peek(); !status.ok()) return status;
      const std::string from = number_text(key);
      const std::string to = number_text(key + 1);
      Result<Cursor> erasings = peek_->cursor(shared_.erasings, {from, to});
      if (!erasings.ok()) return erasings.status();
      erasings->seek_last();
      reads_.push_back({key, by_range, erasings->valid() ? number_of(erasings->value()) : kFirstVersion});
      if (!erasings->status().ok()) return erasings->status();
    }
    found_.clear();
    return {};
  }

  // Elsewhere nothing keeps what was read as it was, and the edges that are left out only come from erasings.
  [[nodiscard]] bool can_peek() const {
    return level_ != Isolation::read_uncommitted && level_ != Isolation::read_committed;
  }

  // Of its own snapshot; where it has locked what it read, of now.
  Status open_peek() {
    const bool has_snapshot = level_ == Isolation::serializable_ssi || level_ == Isolation::snapshot;
    if (peek_ && has_snapshot) return {};
    peek_.reset();
    TransactionOptions options(Isolation::snapshot);
    options.read_only = true;
    std::optional<Snapshot> own;
    if (has_snapshot) {
      Result<Snapshot> shared = transaction_->snapshot();
      if (!shared.ok()) return shared.status();
      own = *std::move(shared);
      options.snapshot = &*own;
    }
    Result<Transaction> begun = shared_.database.begin(options);
    if (!begun.ok()) return begun.status();
    peek_.emplace(*std::move(begun));
    return {};
  }

  Shared& shared_;
  std::uint64_t number_;
  History& history_;
  base::Random random_;
  std::optional<Transaction> transaction_;
  std::optional<Transaction> peek_;
  Isolation level_ = Isolation::serializable_ssi;
  bool only_reads_ = false;
  std::uint64_t began_ = 0;
  std::uint64_t steps_left_ = 0;
  std::uint64_t next_version_ = 0;
  std::vector<VersionRead> reads_;
  std::vector<VersionWrite> writes_;
  std::vector<std::uint32_t> found_;  // by a scan; scratch
  std::string value_;                 // scratch
};

// A database with every second key, and workers on it.
class World {
 public:
  World(std::vector<Isolation> levels, const Options& options, std::uint64_t seed)
      : seed_(seed), shared_{*Database::open_in_memory(options), {}, {}, std::move(levels)} {
    shared_.rows = *shared_.database.ensure_table("rows");
    shared_.erasings = *shared_.database.ensure_table("erasings");
    Transaction first = *shared_.database.begin(Isolation::read_committed);
    for (std::uint32_t key = 0; key < kKeys; key += 2)
      EXPECT_TRUE(first.put(shared_.rows, number_text(key), number_text(kFirstVersion)).ok());
    EXPECT_TRUE(first.commit().ok());
    for (std::size_t i = 0; i < kThreads; ++i)
      workers_.push_back(std::make_unique<Worker>(shared_, i, histories_[i], seed * kThreads));
  }

  void run_threads(std::uint64_t wanted) {
    std::vector<std::thread> threads;
    for (const auto& worker : workers_) {
      threads.emplace_back([&, random = base::Random(seed_)]() mutable {
        while (shared_.committed.load() < wanted && !::testing::Test::HasFailure()) {
          worker->advance();
          if (random.below(3) == 0) std::this_thread::yield();  // the others come in between
        }
        worker->end();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // One step at a time, in an order that the seed gives.
  void run_drawn(anomalies::Runner& runner, std::size_t steps_each) {
    anomalies::Program program;
    for (const auto& worker : workers_) {
      anomalies::Session& session = program.sessions.emplace_back();
      session.name = std::string(1, static_cast<char>('A' + program.sessions.size() - 1));
      for (std::size_t i = 0; i < steps_each; ++i)
        session.steps.emplace_back([&worker] { worker->advance(); });
    }
    program.transaction_of = [this](std::size_t i) { return workers_[i]->id(); };
    anomalies::Trace trace;
    const Status status = runner.run(program, seed_, trace);
    ASSERT_TRUE(status.ok()) << status.to_string();
    for (const auto& worker : workers_) worker->end();
  }

  GraphReport check(Promise promise = Promise::of_its_level) {
    GraphReport report = check_history({histories_.begin(), histories_.end()}, kKeys, promise);
    EXPECT_EQ(report.problem, "");
    EXPECT_EQ(report.transactions, shared_.committed.load());
    return report;
  }

  void print(const GraphReport& report) const {
    std::printf("%llu transactions, %llu aborts, %llu edges, %llu cycles; seed %llu\n",
                static_cast<unsigned long long>(report.transactions),
                static_cast<unsigned long long>(shared_.aborted.load()),
                static_cast<unsigned long long>(report.edges), static_cast<unsigned long long>(report.cycles),
                static_cast<unsigned long long>(seed_));
  }

 private:
  const std::uint64_t seed_;
  Shared shared_;
  std::array<History, kThreads> histories_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Half of them at serializable_ssi.
std::vector<Isolation> mixed_levels() {
  using enum Isolation;
  return {serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_ssi,
          serializable_2pl,
          serializable_2pl,
          serializable_2pl,
          snapshot,
          snapshot,
          read_committed,
          read_committed,
          read_uncommitted,
          repeatable_read,
          serial};
}

GraphReport run_threads(std::vector<Isolation> levels, std::uint64_t wanted, const LockOptions& locks = {},
                        Promise promise = Promise::of_its_level) {
  Options options;
  options.locks = locks;
  World world(std::move(levels), options, test_seed());
  world.run_threads(wanted);
  GraphReport report = world.check(promise);
  world.print(report);
  return report;
}

// Many small runs, each of which can be replayed.
void run_drawn(const std::vector<Isolation>& levels, const LockOptions& locks = {}) {
  const std::uint64_t wanted = transactions_wanted() / 2;
  std::uint64_t transactions = 0;
  for (std::uint64_t seed = test_seed(); transactions < wanted && !::testing::Test::HasFailure(); ++seed) {
    anomalies::Runner runner;
    Options options;
    options.locks = locks;
    options.cache_bytes = std::size_t{4} << 20;
    options.wait_hook = &runner;
    World world(levels, options, seed);
    world.run_drawn(runner, 100);
    const GraphReport report = world.check();
    transactions += report.transactions;
    EXPECT_EQ(report.cycles, 0U) << "replay with ISOLITH_TEST_SEED=" << seed << "\n" << report.cycle;
    if (report.cycles > 0) world.print(report);
  }
}

TEST(SerializableThreadsTest, WhatCommitsIsAsInASerialOrder) {
  const GraphReport report = run_threads({Isolation::serializable_ssi}, transactions_wanted());
  EXPECT_EQ(report.cycles, 0U) << report.cycle;
}

TEST(SerializableThreadsTest, WhatCommitsAtMixedLevelsIsAsEachWasPromised) {
  const GraphReport report = run_threads(mixed_levels(), transactions_wanted());
  EXPECT_EQ(report.cycles, 0U) << report.cycle;
}

// The other levels, for the test itself: those that promise a serial order have no cycle, those that do not
// have some.
TEST(SerializableThreadsTest, ACycleIsSeenWhereThereIsOne) {
  for (const Isolation level : {Isolation::snapshot, Isolation::read_committed}) {
    SCOPED_TRACE(to_string(level));
    EXPECT_EQ(run_threads({level}, 5000).cycles, 0U);
    EXPECT_GT(run_threads({level}, 5000, {}, Promise::serial_order).cycles, 0U);
  }
  EXPECT_EQ(run_threads({Isolation::serializable_2pl}, 5000, {}, Promise::serial_order).cycles, 0U);
}

TEST(SerializableThreadsTest, WithTheTestForDangerousStructuresWhatCommitsIsAsInASerialOrder) {
  LockOptions locks;
  locks.conflict_test = ConflictTest::dangerous_structure;
  const GraphReport report = run_threads({Isolation::serializable_ssi}, transactions_wanted() / 4, locks);
  EXPECT_EQ(report.cycles, 0U) << report.cycle;
}

TEST(SerializableThreadsTest, WithLittleMemoryWhatCommitsIsAsInASerialOrder) {
  LockOptions locks;
  locks.tracking_bytes = 10'000;
  const GraphReport report = run_threads({Isolation::serializable_ssi}, transactions_wanted() / 4, locks);
  EXPECT_EQ(report.cycles, 0U) << report.cycle;
}

TEST(SerializableDrawnTest, WhatCommitsIsAsInASerialOrder) { run_drawn({Isolation::serializable_ssi}); }

TEST(SerializableDrawnTest, WhatCommitsAtMixedLevelsIsAsEachWasPromised) {
  run_drawn(mixed_levels());
}

TEST(SerializableDrawnTest, WithTheTestForDangerousStructuresWhatCommitsIsAsInASerialOrder) {
  LockOptions locks;
  locks.conflict_test = ConflictTest::dangerous_structure;
  run_drawn({Isolation::serializable_ssi}, locks);
}

TEST(SerializableDrawnTest, WithLittleMemoryWhatCommitsIsAsInASerialOrder) {
  LockOptions locks;
  locks.tracking_bytes = 10'000;
  run_drawn({Isolation::serializable_ssi}, locks);
}

}  // namespace
}  // namespace isolith::testing
