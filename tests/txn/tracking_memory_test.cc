// What serializable_ssi remembers: within its budget, and never too little.
#include <gtest/gtest.h>

#include <string>

#include "isolith/isolith.h"

namespace isolith {
namespace {

constexpr std::uint64_t kBudget = 64 << 10;
constexpr std::uint64_t kSlack = 8 << 10;  // what each may have uncounted

class TrackingMemoryTest : public ::testing::Test {
 protected:
  static Options options(ConflictTest test = ConflictTest::circle) {
    Options options;
    options.locks.tracking_bytes = kBudget;
    options.locks.conflict_test = test;
    return options;
  }
  static std::string key(int i) { return "key" + std::to_string(1'000'000 + i); }
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
