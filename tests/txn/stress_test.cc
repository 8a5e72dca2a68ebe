// Many threads on few rows and few pages: what must hold at the end, and in every snapshot on the way,
// whatever the order was.
//
// The cache is as small as it may be and checkpoints follow closely on one another, so that pages are
// evicted, loaded, kept for checkpoints and split under the feet of readers and writers. A latch that is
// never given back shows as a test that never ends. The seed decides what each thread does, not when.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/seed.h"
#include "tests/txn/database_fixture.h"

namespace isolith::testing {
namespace {

constexpr int kThreads = 24;

// Conflicts are expected in masses; each of them ends well once the others are done.
RetryOptions retry_for_ever() {
  RetryOptions retry;
  retry.attempts_max = 1'000'000;
  retry.longest_pause = std::chrono::microseconds(2000);
  return retry;
}

class StressTest : public DatabaseTest {
 protected:
  StressTest() {
    options_.cache_bytes = std::size_t{1} << 20;
    options_.checkpoint_log_bytes = std::uint64_t{1} << 20;
    options_.default_durability = Durability::async;
    reopen();
  }

  using Random = std::mt19937_64;

  // All begin at once; returns when all have ended.
  static void run_threads(int count, const std::function<void(int, Random&)>& body) {
    const std::uint64_t seed = test_seed();
    std::latch start(count);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        Random random(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15ULL);
        start.arrive_and_wait();
        body(i, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  Status run(const std::function<Status(Transaction&)>& body, const TransactionOptions& options = {}) {
    return run_transaction(*database_, body, options, retry_for_ever());
  }

  // Adds to a number under the key's write lock.
  Status add(Transaction& transaction, std::string_view key, std::int64_t amount) {
    std::string value;
    if (Status status = transaction.get_for_update(table_, key, value); !status.ok()) return status;
    std::this_thread::yield();  // others run into the lock, also where there are few processors
    return transaction.put(table_, key, std::to_string(std::stoll(value) + amount));
  }

  // The sum of all numbers, as one cursor sees them.
  std::int64_t sum(std::size_t& rows) {
    Transaction transaction = begin();
    Result<Cursor> cursor = transaction.cursor(table_);
    EXPECT_TRUE(cursor.ok());
    std::int64_t total = 0;
    rows = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++rows)
      total += std::stoll(std::string(cursor->value()));
    EXPECT_TRUE(cursor->status().ok()) << cursor->status().to_string();
    return total;
  }

  // All is well now, and also after closing and opening.
  void verify_twice(const std::function<void()>& check) {
    check();
    verify();
    reopen();
    check();
    verify();
  }
};

std::string key_of(std::uint64_t number) { return "row " + std::to_string(1'000'000 + number); }

TEST_F(StressTest, IncrementsOfHotCountersAreAllCounted) {
  constexpr std::uint64_t kCounters = 3;
  constexpr int kIncrements = 1500;
  for (std::uint64_t i = 0; i < kCounters; ++i) put(key_of(i), "0");
  run_threads(kThreads, [&](int, Random& random) {
    for (int i = 0; i < kIncrements; ++i) {
      const std::string key = key_of(random() % kCounters);
      const Status status = run([&](Transaction& transaction) { return add(transaction, key, 1); });
      ASSERT_TRUE(status.ok()) << status.to_string();
    }
  });
  verify_twice([&] {
    std::size_t rows = 0;
    EXPECT_EQ(sum(rows), kThreads * kIncrements);
    EXPECT_EQ(rows, kCounters);
  });
}

// Two rows a transfer, in either order, so that cycles of waits are common; some give up half-way, some go
// back to a savepoint. Every scan meanwhile sees all of a transfer or nothing.
// A writer commits while a reader is between its row, which it found in progress, and the versions below, of
// which some are the same writer's.
TEST_F(StressTest, NobodyReadsWhatACommittedOneWroteFirstAndThenReplaced) {
  constexpr int kWriters = 2;
  constexpr int kReaders = 2;
  constexpr int kCommits = 20000;
  put("k", "whole");
  std::atomic<int> writing{kWriters};
  std::atomic<int> halves{0};
  run_threads(kWriters + kReaders, [&](int number, Random& random) {
    if (number < kWriters) {
      for (int i = 0; i < kCommits; ++i) {
        Transaction writer = begin(Isolation::read_committed);
        ASSERT_TRUE(writer.put(table_, "k", "half").ok());
        if (random() % 2 == 0) {
          ASSERT_TRUE(writer.erase(table_, "k").ok());
        }
        ASSERT_TRUE(writer.put(table_, "k", "whole").ok());
        ASSERT_TRUE(writer.commit().ok());
      }
      --writing;
      return;
    }
    Transaction reader = begin(Isolation::read_committed);
    for (std::string value; writing > 0;) {
      ASSERT_TRUE(reader.get(table_, "k", value).ok());
      if (value != "whole") ++halves;
    }
  });
  EXPECT_EQ(halves, 0);
}

TEST_F(StressTest, TransfersKeepTheSumInEveryScan) {
  constexpr std::uint64_t kAccounts = 8;
  constexpr std::int64_t kEach = 1000;
  constexpr int kTransfers = 200;
  constexpr int kReaders = 2;
  for (std::uint64_t i = 0; i < kAccounts; ++i) put(key_of(i), std::to_string(kEach));
  constexpr auto kTotal = static_cast<std::int64_t>(kAccounts) * kEach;
  std::atomic<int> writers_left{kThreads - kReaders};
  run_threads(kThreads, [&](int thread, Random& random) {
    if (thread < kReaders) {
      while (writers_left.load() != 0) {
        std::size_t rows = 0;
        ASSERT_EQ(sum(rows), kTotal);
        ASSERT_EQ(rows, kAccounts);
        std::this_thread::yield();
      }
      return;
    }
    for (int i = 0; i < kTransfers; ++i) {
      const std::uint64_t from = random() % kAccounts;
      const std::uint64_t to = (from + 1 + random() % (kAccounts - 1)) % kAccounts;
      const auto amount = static_cast<std::int64_t>(random() % 100);
      const std::uint64_t fate = random() % 8;
      const Status status = run([&](Transaction& transaction) {
        Status done;
        if (fate == 1) {
          const Result<Savepoint> savepoint = transaction.savepoint();
          if (!savepoint.ok()) return savepoint.status();
          if (done = add(transaction, key_of(to), 17); !done.ok()) return done;
          if (done = transaction.rollback_to(*savepoint); !done.ok()) return done;
        }
        if (done = add(transaction, key_of(from), -amount); !done.ok()) return done;
        if (fate == 0) return Status(StatusCode::not_found);
        return add(transaction, key_of(to), amount);
      });
      EXPECT_TRUE(fate == 0 ? status.is(StatusCode::not_found) : status.ok()) << status.to_string();
    }
    writers_left.fetch_sub(1);
  });
  verify_twice([&] {
    std::size_t rows = 0;
    EXPECT_EQ(sum(rows), kTotal);
  });
}

// Inserts and erases of the same few keys: what was inserted and not erased is there, and nothing was
// inserted twice.
TEST_F(StressTest, InsertsAndErasesOfTheSameKeysBalance) {
  constexpr std::uint64_t kKeys = 5;
  std::array<std::atomic<int>, kKeys> balance{};
  run_threads(kThreads, [&](int, Random& random) {
    for (int i = 0; i < 1500; ++i) {
      const std::uint64_t number = random() % kKeys;
      const bool inserts = random() % 2 == 0;
      Status inner;
      const Status status = run([&](Transaction& transaction) {
        inner = inserts ? transaction.insert(table_, key_of(number), "x")
                        : transaction.erase(table_, key_of(number));
        std::this_thread::yield();
        return inner;
      });
      if (status.ok()) {
        balance[number].fetch_add(inserts ? 1 : -1);
      } else {
        EXPECT_TRUE(status.is(inserts ? StatusCode::already_exists : StatusCode::not_found))
            << status.to_string();
      }
    }
  });
  verify_twice([&] {
    for (std::uint64_t number = 0; number < kKeys; ++number) {
      EXPECT_EQ(balance[number].load(), get(key_of(number)) == "(none)" ? 0 : 1) << key_of(number);
    }
  });
}

// A tree that splits and merges all the time, several times the cache: neighbours in a leaf belong to
// different threads.
TEST_F(StressTest, EveryThreadFindsItsRowsInATreeThatSplitsAndMerges) {
  constexpr int kWriters = kThreads - 2;
  constexpr std::uint64_t kRowsEach = 150;
  std::vector<std::map<std::string, std::string>> models(kWriters);
  std::atomic<int> writers_left{kWriters};
  run_threads(kThreads, [&](int thread, Random& random) {
    if (thread >= kWriters) {
      while (writers_left.load() != 0) {
        Transaction transaction = begin();
        Result<Cursor> cursor = transaction.cursor(table_);
        ASSERT_TRUE(cursor.ok());
        std::string last;
        const bool forward = thread == kWriters;
        for (forward ? cursor->seek_first() : cursor->seek_last(); cursor->valid();
             forward ? cursor->next() : cursor->prev()) {
          const std::string key(cursor->key());
          ASSERT_TRUE(last.empty() || (forward ? last < key : key < last)) << last << " then " << key;
          ASSERT_EQ(cursor->value().substr(0, key.size()), key);
          last = key;
        }
        ASSERT_TRUE(cursor->status().ok()) << cursor->status().to_string();
      }
      return;
    }
    auto& model = models[static_cast<std::size_t>(thread)];
    for (int i = 0; i < 1500; ++i) {
      const std::string key = key_of(random() % kRowsEach * kWriters + static_cast<std::uint64_t>(thread));
      const std::string value = key + std::string(random() % 1200, static_cast<char>('a' + i % 26));
      const bool erases = i % 400 > 200 && random() % 4 != 0;
      const Status status = run([&](Transaction& transaction) {
        return erases ? transaction.erase(table_, key) : transaction.put(table_, key, value);
      });
      if (erases) {
        ASSERT_EQ(status.ok(), model.erase(key) == 1) << status.to_string();
      } else {
        ASSERT_TRUE(status.ok()) << status.to_string();
        model[key] = value;
      }
      const std::string other = key_of(random() % kRowsEach * kWriters + static_cast<std::uint64_t>(thread));
      const auto expected = model.find(other);
      ASSERT_EQ(get(other), expected == model.end() ? "(none)" : expected->second) << other;
    }
    writers_left.fetch_sub(1);
  });
  std::map<std::string, std::string> all;
  for (auto& model : models) all.merge(model);
  verify_twice([&] {
    Transaction transaction = begin();
    Result<Cursor> cursor = transaction.cursor(table_);
    ASSERT_TRUE(cursor.ok());
    auto expected = all.begin();
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++expected) {
      ASSERT_NE(expected, all.end());
      ASSERT_EQ(cursor->key(), expected->first);
      ASSERT_EQ(cursor->value(), expected->second);
    }
    EXPECT_EQ(expected, all.end());
  });
}

// Few names for many threads. Whoever has a handle of a table that goes is told so, and reads no page of
// another one.
TEST_F(StressTest, TablesComeAndGoUnderTheirUsers) {
  constexpr std::uint64_t kNames = 4;
  std::array<std::atomic<int>, kNames> balance{};
  run_threads(kThreads, [&](int thread, Random& random) {
    for (int i = 0; i < 250; ++i) {
      const std::uint64_t number = random() % kNames;
      const std::string name = "table " + std::to_string(number);
      int change = 0;
      const Status status = run([&](Transaction& transaction) {
        change = 0;
        Result<Table> table = transaction.open_table(name);
        if (thread % 3 == 0 && table.ok()) {
          change = -1;
          return transaction.drop_table(*table);
        }
        if (thread % 3 == 1 && table.status().is(StatusCode::not_found)) {
          table = transaction.create_table(name);
          if (!table.ok()) return table.status();
          change = 1;
        }
        if (!table.ok()) return table.status();
        for (std::uint64_t row = 0; row < 20; ++row) {
          Status put =
              transaction.put(*table, key_of(random() % 40), name + std::string(random() % 900, '.'));
          if (!put.ok()) return put;
        }
        Result<Cursor> cursor = transaction.cursor(*table);
        if (!cursor.ok()) return cursor.status();
        std::this_thread::yield();
        for (cursor->seek_first(); cursor->valid(); cursor->next())
          EXPECT_TRUE(cursor->value().starts_with(name));
        return cursor->status();
      });
      if (status.ok()) {
        balance[number].fetch_add(change);
      } else {
        EXPECT_TRUE(status.is(StatusCode::not_found) || status.is(StatusCode::already_exists))
            << status.to_string();
      }
    }
  });
  verify_twice([&] {
    std::vector<std::string> expected = {"t"};
    for (std::uint64_t number = 0; number < kNames; ++number) {
      const int there = balance[number].load();
      EXPECT_TRUE(there == 0 || there == 1) << there;
      if (there == 1) expected.push_back("table " + std::to_string(number));
    }
    const Result<std::vector<std::string>> tables = database_->tables();
    ASSERT_TRUE(tables.ok());
    EXPECT_EQ(*tables, expected);
  });
}

// Transfers of random amounts at `snapshot` while others sum all accounts: by a cursor, by gets, and in
// snapshots that are held over many transfers, with a budget so small that old versions spill.
class SnapshotStressTest : public StressTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  SnapshotStressTest() {
    options_.snapshots.version_bytes = GetParam();
    reopen();
  }
};

INSTANTIATE_TEST_SUITE_P(Budgets, SnapshotStressTest, ::testing::Values(std::uint64_t{16} << 10, 256 << 20));

TEST_P(SnapshotStressTest, SumsAreExact) {
  constexpr std::uint64_t kAccounts = 1000;
  constexpr std::int64_t kEach = 1000;
  constexpr std::int64_t kTotal = kEach * static_cast<std::int64_t>(kAccounts);
  constexpr int kBankThreads = 16;
  constexpr int kTransfers = 2500;
  constexpr int kSums = 60;
  for (std::uint64_t i = 0; i < kAccounts; ++i) put(key_of(i), std::to_string(kEach));

  const auto transfer = [&](Random& random) {
    const std::string from = key_of(random() % kAccounts);
    const std::string to = key_of(random() % kAccounts);
    const auto amount = static_cast<std::int64_t>(random() % 100);
    const bool gives_up = random() % 16 == 0;
    return run(
        [&](Transaction& transaction) {
          if (from == to) return Status();
          const std::int64_t had = std::stoll(*transaction.get(table_, from));
          Status status = transaction.put(table_, from, std::to_string(had - amount));
          if (!status.ok()) return status;
          const std::int64_t has = std::stoll(*transaction.get(table_, to));
          status = transaction.put(table_, to, std::to_string(has + amount));
          return status.ok() && gives_up ? transaction.abort() : status;
        },
        Isolation::snapshot);
  };
  const auto sum_by_gets = [&](Transaction& transaction) {
    std::int64_t total = 0;
    for (std::uint64_t i = 0; i < kAccounts; ++i) total += std::stoll(*transaction.get(table_, key_of(i)));
    return total;
  };
  const auto sum_by_cursor = [&](Transaction& transaction) {
    std::int64_t total = 0;
    Cursor cursor = *transaction.cursor(table_);
    for (cursor.seek_last(); cursor.valid(); cursor.prev()) total += std::stoll(std::string(cursor.value()));
    EXPECT_TRUE(cursor.status().ok()) << cursor.status().to_string();
    return total;
  };
  const auto look = [&](Random& random) {
    TransactionOptions reading(Isolation::snapshot);
    reading.read_only = true;
    Snapshot held = *database_->snapshot();
    for (int i = 0; i < kSums; ++i) {
      if (random() % 8 == 0) held = *database_->snapshot();
      Transaction now = begin(reading);
      ASSERT_EQ(random() % 2 == 0 ? sum_by_gets(now) : sum_by_cursor(now), kTotal);
      TransactionOptions past;
      past.snapshot = &held;
      Transaction then = begin(past);
      ASSERT_EQ(random() % 2 == 0 ? sum_by_gets(then) : sum_by_cursor(then), kTotal);
    }
  };
  run_threads(kBankThreads, [&](int self, Random& random) {
    if (self % 4 == 0) return look(random);
    for (int i = 0; i < kTransfers; ++i) {
      const Status status = transfer(random);
      ASSERT_TRUE(status.ok() || status.is(StatusCode::aborted)) << status.to_string();
    }
  });
  verify_twice([&] {
    std::size_t rows = 0;
    EXPECT_EQ(sum(rows), kTotal);
    EXPECT_EQ(rows, kAccounts);
  });
}

}  // namespace
}  // namespace isolith::testing
