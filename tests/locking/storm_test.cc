// Threads that lock, wait and deadlock on a few keys; the default wait hook.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "isolith/isolith.h"
#include "tests/support/seed.h"
#include "tests/support/temporary_directory.h"

namespace isolith::testing {
namespace {

constexpr std::size_t kThreads = 16;
constexpr std::size_t kTransactionsEach = 300;
constexpr std::size_t kKeys = 10;
constexpr int kFirst = 100;  // in each key

std::string key_of(std::size_t i) { return std::string(1, static_cast<char>('a' + i)); }

// Every member once, the victim among them, and each waits for something.
void expect_circle(const DeadlockReport& report) {
  ASSERT_GE(report.circle.size(), 2U);
  std::set<std::uint64_t> members;
  for (const DeadlockReport::Member& member : report.circle) {
    EXPECT_TRUE(members.insert(member.transaction).second) << "a member appears twice";
    EXPECT_NE(member.blocker_holds, "");
    EXPECT_NE(member.blocker_holds, "came first") << "who only stands in front is passed";
    EXPECT_FALSE(member.level.empty());
  }
  EXPECT_TRUE(members.contains(report.victim));
}

// Moves an amount from one key to another, or sums all of them up; some at levels that lock nothing.
class Storm {
 public:
  explicit Storm(const LockOptions& locks) {
    Options options;
    options.locks = locks;
    database_ = std::make_unique<Database>(*Database::open_in_memory(options));
    table_ = *database_->ensure_table("t");
    Transaction transaction = *database_->begin();
    for (std::size_t i = 0; i < kKeys; ++i)
      EXPECT_TRUE(transaction.put(table_, key_of(i), std::to_string(kFirst)).ok());
    EXPECT_TRUE(transaction.commit().ok());
  }

  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { play(i); });
    for (std::thread& thread : threads) thread.join();
    int total = 0;
    Transaction reader = *database_->begin(Isolation::serializable_2pl);
    EXPECT_TRUE(sum(reader, true, total).ok());
    EXPECT_EQ(total, kFirst * static_cast<int>(kKeys));
    EXPECT_TRUE(reader.commit().ok());
    EXPECT_TRUE(database_->locks().empty());
    EXPECT_EQ(database_->stats().lock_bytes, 0U);
    EXPECT_GT(deadlocks_, 0U);
    std::printf("%llu deadlocks, %llu waits\n", static_cast<unsigned long long>(database_->stats().deadlocks),
                static_cast<unsigned long long>(database_->stats().lock_waits));
  }

  [[nodiscard]] DatabaseStats stats() const { return database_->stats(); }

 private:
  void play(std::size_t number) {
    base::Random random(test_seed() + number);
    all_are_there_.arrive_and_wait();
    for (std::size_t i = 0; i < kTransactionsEach; ++i) {
      const std::uint64_t kind = random.below(10);
      for (bool is_over = false; !is_over;) {
        const Status status = kind < 6 ? transfer(random) : kind < 8 ? scan(random) : look(random);
        is_over = status.ok();
        if (status.ok()) continue;
        ASSERT_TRUE(status.is(StatusCode::conflict)) << status.to_string();
        const DeadlockReport* report = status.deadlock_report();
        if (report == nullptr) continue;  // snapshot: write_conflict
        ++deadlocks_;
        expect_circle(*report);
      }
    }
  }

  Status transfer(base::Random& random) {
    static constexpr Isolation kLevels[] = {Isolation::serializable_2pl, Isolation::repeatable_read,
                                            Isolation::serial, Isolation::snapshot};
    Result<Transaction> begun = database_->begin(kLevels[random.below(std::size(kLevels))]);
    if (!begun.ok()) return begun.status();
    const std::string from = key_of(random.below(kKeys));
    const std::string to = key_of(random.below(kKeys));
    std::string value;
    if (Status status = begun->get(table_, from, value); !status.ok()) return status;
    if (Status status = begun->put(table_, from, std::to_string(std::stoi(value) - 1)); !status.ok())
      return status;
    std::this_thread::yield();  // where there are few processors the others come in between, too
    if (Status status = begun->get_for_update(table_, to, value); !status.ok()) return status;
    if (Status status = begun->put(table_, to, std::to_string(std::stoi(value) + 1)); !status.ok())
      return status;
    return begun->commit();
  }

  Status sum(Transaction& transaction, bool forward, int& total) {
    Cursor rows = *transaction.cursor(table_);
    for (forward ? rows.seek_first() : rows.seek_last(); rows.valid(); forward ? rows.next() : rows.prev())
      total += std::stoi(std::string(rows.value()));
    return rows.status();
  }

  Status scan(base::Random& random) {
    Transaction transaction = *database_->begin(Isolation::serializable_2pl);
    int first = 0;
    int second = 0;
    if (Status status = sum(transaction, random.below(2) == 0, first); !status.ok()) return status;
    if (Status status = sum(transaction, random.below(2) == 0, second); !status.ok()) return status;
    EXPECT_EQ(first, kFirst * static_cast<int>(kKeys));
    EXPECT_EQ(second, first);
    return transaction.commit();
  }

  // Locks without waiting, and goes on.
  Status look(base::Random& random) {
    Transaction transaction = *database_->begin(Isolation::read_committed);
    std::string value;
    for (int i = 0; i < 3; ++i) {
      const std::string key = key_of(random.below(kKeys));
      const Status status = random.below(2) == 0
                                ? transaction.get_for_share(table_, key, value, IfLocked::fail)
                                : transaction.get_for_update(table_, key, value, IfLocked::fail);
      if (!status.ok() && !status.is(StatusCode::busy)) return status;
    }
    return transaction.commit();
  }

  std::unique_ptr<Database> database_;
  Table table_;
  std::atomic<std::uint64_t> deadlocks_{0};
  std::latch all_are_there_{kThreads};
};

TEST(StormTest, SumsAreKeptAndEveryDeadlockIsACircle) {
  Storm storm({});
  storm.run();
}

TEST(StormTest, SumsAreKeptWhereEveryLockIsWidened) {
  LockOptions locks;
  locks.memory_bytes = 1;
  locks.victim = DeadlockVictim::least_written;
  Storm storm(locks);
  storm.run();
  EXPECT_GT(storm.stats().lock_escalations, 0U);
}

// Each waits for one whose commit is on its way to the disk, too.
TEST(StormTest, WaitsAcrossCommitsThatSyncLoseNothing) {
  constexpr int kWriters = 8;
  constexpr int kEach = 20;
  const TemporaryDirectory directory;
  {
    Database database = *Database::open(directory.path());
    const Table table = *database.ensure_table("t");
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        TransactionOptions each(i % 2 == 0 ? Isolation::serializable_2pl : Isolation::repeatable_read);
        each.durability = Durability::sync;
        for (int done = 0; done < kEach;) {
          Transaction transaction = *database.begin(each);
          std::string value;
          const Status status = transaction.get_for_update(table, "k", value);
          ASSERT_TRUE(status.ok() || status.is(StatusCode::not_found)) << status.to_string();
          const int before = status.ok() ? std::stoi(value) : 0;
          std::this_thread::yield();
          ASSERT_TRUE(transaction.put(table, "k", std::to_string(before + 1)).ok());
          ASSERT_TRUE(transaction.commit().ok());
          ++done;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(database.stats().lock_waits, 0U);
  }
  Database database = *Database::open(directory.path());
  EXPECT_EQ(*database.begin()->get(*database.ensure_table("t"), "k"), std::to_string(kWriters * kEach));
}

// Passes everything on and counts.
class CountingHook final : public WaitHook {
 public:
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
            std::uint64_t timeout_ms) override {
    if (info.kind == WaitKind::write_lock) ++waits_;
    return default_wait_hook().wait(word, expected, info, timeout_ms);
  }
  void wake_all(const std::atomic<std::uint32_t>& word) override {
    ++wakes_;
    default_wait_hook().wake_all(word);
  }
  std::atomic<std::uint64_t> waits_{0};
  std::atomic<std::uint64_t> wakes_{0};
};

TEST(StormTest, AThousandWaitersForAKeyAreWokenOneByOne) {
  constexpr std::uint64_t kWaiters = 1000;
  CountingHook hook;
  Options options;
  options.wait_hook = &hook;
  Database database = *Database::open_in_memory(options);
  const Table table = *database.ensure_table("t");
  Transaction holder = *database.begin(Isolation::read_committed);
  ASSERT_TRUE(holder.put(table, "k", "0").ok());
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> committed{0};
  for (std::uint64_t i = 0; i < kWaiters; ++i) {
    threads.emplace_back([&] {
      Transaction transaction = *database.begin(Isolation::read_committed);
      std::string value;
      if (!transaction.get_for_update(table, "k", value).ok()) return;
      if (!transaction.put(table, "k", std::to_string(std::stoi(value) + 1)).ok()) return;
      if (transaction.commit().ok()) ++committed;
    });
  }
  while (hook.waits_ < kWaiters) std::this_thread::yield();
  const std::uint64_t wakes = hook.wakes_;
  ASSERT_TRUE(holder.commit().ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed, kWaiters);
  EXPECT_EQ(*database.begin()->get(table, "k"), std::to_string(kWaiters));
  EXPECT_LE(hook.wakes_ - wakes, kWaiters * 2);
  std::printf("%llu wakes, %llu sleeps\n", static_cast<unsigned long long>(hook.wakes_ - wakes),
              static_cast<unsigned long long>(hook.waits_));
}

// What is left of a time limit is rounded up: the last part of a millisecond is waited for, too.
TEST(StormTest, AWaitOfAMillisecondIsWaited) {
  CountingHook hook;
  Options options;
  options.wait_hook = &hook;
  Database database = *Database::open_in_memory(options);
  const Table table = *database.ensure_table("t");
  Transaction holder = *database.begin(Isolation::read_committed);
  ASSERT_TRUE(holder.put(table, "k", "0").ok());
  TransactionOptions hasty(Isolation::read_committed);
  hasty.lock_timeout_ms = 1;
  const Status status = database.begin(hasty)->put(table, "k", "1");
  EXPECT_EQ(status.reason(), ConflictReason::lock_timeout) << status.to_string();
  EXPECT_GE(hook.waits_, 1U);
}

// Few and many: they are called in two ways.
TEST(StormTest, AllWhoWaitToReadAreWokenTogether) {
  for (const std::uint64_t readers : {3U, 100U}) {
    CountingHook hook;
    Options options;
    options.wait_hook = &hook;
    Database database = *Database::open_in_memory(options);
    const Table table = *database.ensure_table("t");
    Transaction writer = *database.begin(Isolation::read_committed);
    ASSERT_TRUE(writer.put(table, "k", "1").ok());
    std::vector<std::thread> threads;
    std::atomic<std::uint64_t> committed{0};
    for (std::uint64_t i = 0; i < readers; ++i) {
      threads.emplace_back([&] {
        Transaction transaction = *database.begin(Isolation::serializable_2pl);
        std::string value;
        if (transaction.get(table, "k", value).ok() && value == "1" && transaction.commit().ok()) ++committed;
      });
    }
    while (hook.waits_ < readers) std::this_thread::yield();
    ASSERT_TRUE(writer.commit().ok());
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(committed, readers);
    EXPECT_EQ(hook.waits_, readers) << "each waits once";
  }
}

}  // namespace
}  // namespace isolith::testing
