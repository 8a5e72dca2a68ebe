// What serializable_ssi remembers: within its budget, and never too little.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "isolith/isolith.h"

namespace isolith {
namespace {

constexpr std::uint64_t kBudget = 64 << 10;
constexpr std::uint64_t kSlack = 3 << 10;  // what all together may have uncounted, and a last read

class TrackingMemoryTest : public ::testing::Test {
 protected:
  static Options options(ConflictTest test = ConflictTest::circle) {
    Options options;
    options.locks.tracking_bytes = kBudget;
    options.locks.conflict_test = test;
    return options;
  }
  static std::string key(int i) { return "key" + std::to_string(1'000'000 + i); }
  [[nodiscard]] std::uint64_t bytes() const { return database_.stats().tracking_bytes; }
  void change(const std::string& key) {
    Transaction one = *database_.begin();
    ASSERT_TRUE(one.put(table_, key, "1").ok());
    ASSERT_TRUE(one.commit().ok());
  }
  // One that reads a range of its own and commits.
  void scan(int from, int to) {
    Transaction one = *database_.begin();
    Cursor rows = *one.cursor(table_, KeyRange{key(from), key(to)});
    for (rows.seek_first(); rows.valid(); rows.next()) {
    }
    ASSERT_TRUE(rows.status().ok());
    ASSERT_TRUE(one.commit().ok());
  }
  void fill(int rows) {
    Transaction first = *database_.begin(Isolation::read_committed);
    for (int i = 0; i < rows; ++i) ASSERT_TRUE(first.put(table_, key(i), "0").ok());
    ASSERT_TRUE(first.commit().ok());
  }

  Database database_ = *Database::open_in_memory(options());
  Table table_ = *database_.ensure_table("t");
};

TEST_F(TrackingMemoryTest, OneThatReadsMuchIsWidenedAndStillFound) {
  fill(20'000);
  Transaction reader = *database_.begin();
  for (int i = 0; i < 20'000; i += 2) ASSERT_TRUE(reader.get(table_, key(i)).ok());
  EXPECT_GT(database_.stats().tracking_widened, 0U);
  EXPECT_LT(database_.stats().tracking_bytes, kBudget + kSlack);
  Transaction other = *database_.begin();
  ASSERT_TRUE(other.get(table_, "mine").status().is(StatusCode::not_found));
  ASSERT_TRUE(other.put(table_, key(4), "1").ok());
  ASSERT_TRUE(other.commit().ok());
  ASSERT_TRUE(reader.put(table_, "mine", "1").ok());
  EXPECT_EQ(reader.commit().reason(), ConflictReason::serialization) << "each read what the other one wrote";
}

// The cursor's range has become a part of the table by then.
TEST_F(TrackingMemoryTest, ACursorThatStopsEarlyTakesNothingBackOfWhatWasWidened) {
  fill(20'000);
  Transaction reader = *database_.begin();
  {
    Cursor rows = *reader.cursor(table_);
    rows.seek_first();
    ASSERT_TRUE(rows.valid());
    for (int i = 0; i < 20'000; i += 2) ASSERT_TRUE(reader.get(table_, key(i)).ok());
    ASSERT_GT(database_.stats().tracking_widened, 0U);
  }
  Transaction other = *database_.begin();
  ASSERT_TRUE(other.get(table_, "mine").status().is(StatusCode::not_found));
  ASSERT_TRUE(other.put(table_, key(4), "1").ok());
  ASSERT_TRUE(other.commit().ok());
  ASSERT_TRUE(reader.put(table_, "mine", "1").ok());
  EXPECT_EQ(reader.commit().reason(), ConflictReason::serialization);
}

TEST_F(TrackingMemoryTest, ReadsOfCommittedOnesAreGivenUpAndCountAsEverything) {
  fill(40'000);
  Transaction pivot = *database_.begin();
  ASSERT_TRUE(pivot.get(table_, key(1)).ok());
  // Holds all that is read from here on.
  Transaction writer = *database_.begin();
  ASSERT_TRUE(writer.put(table_, key(1), "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  for (int i = 0; i < 40'000; i += 8) {
    Transaction one = *database_.begin();
    for (int j = i; j < i + 8; ++j) ASSERT_TRUE(one.get(table_, key(j)).ok());
    ASSERT_TRUE(one.put(table_, "counter", std::to_string(i)).ok());
    ASSERT_TRUE(one.commit().ok());
    ASSERT_LT(database_.stats().tracking_bytes, kBudget + kSlack);
  }
  EXPECT_GT(database_.stats().tracking_folded, 0U);
  // One of them read key 2 and what the writer wrote; the pivot comes before the writer and after that one.
  ASSERT_TRUE(pivot.put(table_, key(2), "1").ok());
  EXPECT_EQ(pivot.commit().reason(), ConflictReason::serialization);
}

// The ranges of those that have ended, too.
TEST_F(TrackingMemoryTest, RangesOfCommittedOnesCountAndAreGivenUp) {
  fill(4'000);
  Transaction reader = *database_.begin();
  ASSERT_TRUE(reader.get(table_, key(0)).ok());
  change("x");  // whoever begins after this has a newer snapshot
  std::uint64_t most = 0;
  for (int i = 0; i < 100; ++i) scan(4 * i, 4 * i + 2);
  EXPECT_GE(bytes(), std::uint64_t{100} * 2 * 160);
  for (int i = 100; i < 1'000; ++i) {
    scan(4 * i, 4 * i + 2);
    most = std::max(most, bytes());
  }
  EXPECT_LT(most, kBudget + kSlack);
  EXPECT_GT(most, kBudget / 2);
  EXPECT_GT(database_.stats().tracking_folded, 0U);
  ASSERT_TRUE(reader.commit().ok());
  // What was given up was taken off once: what is read from here on still shows.
  Transaction next = *database_.begin();
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(next.get(table_, key(i)).ok());
  EXPECT_GE(bytes(), std::uint64_t{1'000} * 24);
}

// Each has less than one is widened for by itself.
TEST_F(TrackingMemoryTest, ManyThatReadALittleEachStayWithinTheBudgetToo) {
  fill(20'000);
  std::vector<Transaction> readers;
  for (int i = 0; i < 100; ++i) {
    readers.push_back(*database_.begin());
    for (int j = 0; j < 150; ++j) ASSERT_TRUE(readers.back().get(table_, key(200 * i + j)).ok());
    ASSERT_LT(bytes(), kBudget + kBudget / 8 + 100 * (kBudget / 512 + 64)) << i;
  }
  EXPECT_GT(database_.stats().tracking_widened, 0U);
  // And what they have read is known still, of those that were widened and of those that were not.
  for (int i = 0; i < 100; ++i) {
    Transaction other = *database_.begin();
    ASSERT_TRUE(other.get(table_, "mine" + std::to_string(i)).status().is(StatusCode::not_found));
    ASSERT_TRUE(other.put(table_, key(200 * i + 7), "1").ok());
    ASSERT_TRUE(other.commit().ok());
    ASSERT_TRUE(readers[i].put(table_, "mine" + std::to_string(i), "1").ok());
    EXPECT_EQ(readers[i].commit().reason(), ConflictReason::serialization) << i;
  }
}

// They left little to give up, so that more was let grow; that is over with them.
TEST_F(TrackingMemoryTest, AfterTheyHaveEndedTheBudgetIsWhatItWas) {
  fill(20'000);
  const auto read_each = [&](int from, int to, std::uint64_t& most) {
    for (int i = from; i < to; ++i) {
      Transaction one = *database_.begin();
      ASSERT_TRUE(one.get(table_, key(i)).ok());
      ASSERT_TRUE(one.commit().ok());
      most = std::max(most, bytes());
    }
  };
  std::uint64_t most = 0;
  {
    std::vector<Transaction> readers;
    for (int i = 0; i < 21; ++i) {
      readers.push_back(*database_.begin());
      for (int j = 0; j < 131; ++j) ASSERT_TRUE(readers.back().get(table_, key(200 * i + j)).ok());
    }
    change("x");
    read_each(10'000, 15'000, most);
    ASSERT_GT(database_.stats().tracking_folded, 0U);
    ASSERT_GT(most, kBudget + kSlack);
  }
  Transaction reader = *database_.begin();
  ASSERT_TRUE(reader.get(table_, key(0)).ok());
  change("x");
  most = 0;
  read_each(0, 20'000, most);
  EXPECT_GT(most, kBudget / 2);
  EXPECT_LT(most, kBudget + kSlack);
  EXPECT_EQ(database_.stats().tracking_widened, 0U);
}

// What those that committed last have read and written is kept, and may be much.
TEST_F(TrackingMemoryTest, WhatIsKeptOfCommittedOnesIsWithinAPartOfTheBudget) {
  constexpr std::uint64_t kMore = 120 << 10;
  Options options;
  options.locks.tracking_bytes = kMore;
  database_ = *Database::open_in_memory(options);
  table_ = *database_.ensure_table("t");
  fill(20'000);
  for (int i = 0; i < 40; ++i) {
    Transaction one = *database_.begin();
    for (int j = 0; j < 300; ++j) ASSERT_TRUE(one.get(table_, key(300 * i + j)).ok());
    ASSERT_TRUE(one.put(table_, "counter", "1").ok());
    ASSERT_TRUE(one.commit().ok());
    ASSERT_LT(bytes(), kMore / 4 + kSlack) << i;
  }
  EXPECT_GT(bytes(), kMore / 8);
  // The last ones are; but not one that is larger than that part, and whom it closes a circle with is not
  // known.
  for (const int reads : {300, 2'100}) {
    Transaction first = *database_.begin();
    Transaction second = *database_.begin();
    for (int i = 0; i < reads; ++i) ASSERT_TRUE(first.get(table_, key(i)).ok());
    for (int i = 5'000; i < 5'100; ++i) ASSERT_TRUE(second.get(table_, key(i)).ok());
    ASSERT_TRUE(first.put(table_, key(5'050), "1").ok());
    ASSERT_TRUE(second.put(table_, key(50), "1").ok());
    ASSERT_TRUE(first.commit().ok());
    const Status status = second.commit();
    ASSERT_EQ(status.reason(), ConflictReason::serialization) << "write skew";
    ASSERT_NE(status.conflict_report(), nullptr);
    ASSERT_EQ(status.conflict_report()->parties.size(), 2U);
    EXPECT_EQ(status.conflict_report()->parties[1].transaction != 0, reads == 300);
  }
}

// A declared reader has no marks, and comes before a pivot: T1 (declared, with much read) -> T2 -> T3.
TEST_F(TrackingMemoryTest, WhatADeclaredReaderHasReadIsKnownThoughItsSetIsNotKept) {
  fill(3'000);
  Transaction pivot = *database_.begin();
  ASSERT_TRUE(pivot.get(table_, key(1)).ok());
  change(key(1));
  TransactionOptions to_read(Isolation::serializable_ssi);
  to_read.read_only = true;
  Transaction reader = *database_.begin(to_read);
  for (int i = 0; i < 2'100; ++i) ASSERT_TRUE(reader.get(table_, key(i)).ok());
  ASSERT_TRUE(reader.commit().ok());
  ASSERT_TRUE(pivot.put(table_, key(2), "1").ok());
  EXPECT_EQ(pivot.commit().reason(), ConflictReason::serialization)
      << "the reader saw key 1 new and key 2 old";
}

// One of the threads gives up what was read; the others must not run away from it.
TEST(TrackingMemoryThreadsTest, NobodyGetsFarAheadOfTheOneThatGivesUp) {
  constexpr int kThreads = 8;
  constexpr int kEach = 20'000;
  constexpr std::uint64_t kLittle = 16 << 10;
  Options options;
  options.locks.tracking_bytes = kLittle;
  Database database = *Database::open_in_memory(options);
  const Table table = *database.ensure_table("t");
  Transaction reader = *database.begin();
  ASSERT_TRUE(reader.get(table, "r").status().is(StatusCode::not_found));
  {
    Transaction first = *database.begin();
    ASSERT_TRUE(first.put(table, "x", "1").ok());
    ASSERT_TRUE(first.commit().ok());
  }
  std::atomic<std::uint64_t> most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::uint64_t seen = 0;
      for (int i = 0; i < kEach; ++i) {
        Transaction one = *database.begin();
        EXPECT_TRUE(one.get(table, std::to_string(t * kEach + i)).status().is(StatusCode::not_found));
        EXPECT_TRUE(one.commit().ok());
        seen = std::max(seen, database.stats().tracking_bytes);
      }
      std::uint64_t now = most.load();
      while (now < seen && !most.compare_exchange_weak(now, seen)) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(database.stats().tracking_folded, 0U);
  // A thirty-second part ahead, as much untold, and a last read of each.
  EXPECT_LT(most.load(), kLittle + kLittle / 16 + kThreads * std::uint64_t{64});
}

TEST_F(TrackingMemoryTest, NothingIsLeftWhenNobodyIsActive) {
  fill(1'000);
  {
    Transaction a = *database_.begin();
    Transaction b = *database_.begin();
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(a.get(table_, key(i)).ok());
    ASSERT_TRUE(b.put(table_, "b", "1").ok());
    EXPECT_EQ(database_.stats().tracked_transactions, 2U);
    EXPECT_GT(database_.stats().tracking_bytes, 0U);
    ASSERT_TRUE(a.commit().ok());
    ASSERT_TRUE(b.commit().ok());
  }
  EXPECT_EQ(database_.stats().tracked_transactions, 0U);
}

TEST(DefaultLevelTest, IsSerializable) {
  Database database = *Database::open_in_memory();
  Transaction transaction = *database.begin();
  const std::vector<TransactionInfo> active = database.active_transactions();
  ASSERT_EQ(active.size(), 1U);
  EXPECT_EQ(active[0].level, "serializable_ssi");
  EXPECT_EQ(parse_isolation("serializable"), Isolation::serializable);
  EXPECT_EQ(parse_isolation("serializable_ssi"), Isolation::serializable);
}

// Two that read each other's past, and no circle: the plain test fails one of them.
TEST(ConflictTestTest, ADangerousStructureWithoutACircleFailsByThePlainTestAlone) {
  for (const ConflictTest test : {ConflictTest::circle, ConflictTest::dangerous_structure}) {
    Options options;
    options.locks.conflict_test = test;
    Database database = *Database::open_in_memory(options);
    const Table table = *database.ensure_table("t");
    Transaction first = *database.begin();
    Transaction middle = *database.begin();
    Transaction last = *database.begin();
    ASSERT_TRUE(first.get(table, "x").status().is(StatusCode::not_found));
    ASSERT_TRUE(middle.put(table, "x", "1").ok());
    ASSERT_TRUE(middle.get(table, "y").status().is(StatusCode::not_found));
    ASSERT_TRUE(last.put(table, "y", "1").ok());
    ASSERT_TRUE(last.commit().ok());
    const Status status = middle.commit();
    if (test == ConflictTest::circle) {
      EXPECT_TRUE(status.ok()) << status.to_string();
    } else {
      EXPECT_EQ(status.reason(), ConflictReason::serialization);
      ASSERT_NE(status.conflict_report(), nullptr);
      EXPECT_EQ(status.conflict_report()->rule, "no dangerous structure");
    }
    ASSERT_TRUE(first.put(table, "z", "1").ok());
    EXPECT_TRUE(first.commit().ok());
  }
}

}  // namespace
}  // namespace isolith
