// Transactions at serializable_ssi that only read: safe snapshots, and those that wait for one.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "isolith/isolith.h"

namespace isolith {
namespace {

// Counts the waits for a safe snapshot.
class CountingHook : public WaitHook {
 public:
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
            std::uint64_t timeout_ms) override {
    if (info.kind == WaitKind::safe_snapshot) ++waits;
    return default_wait_hook().wait(word, expected, info, timeout_ms);
  }
  void wake_all(const std::atomic<std::uint32_t>& word) override { default_wait_hook().wake_all(word); }

  std::atomic<int> waits{0};
};

class SafeSnapshotTest : public ::testing::Test {
 protected:
  SafeSnapshotTest() {
    Options options;
    options.wait_hook = &hook_;
    database_.emplace(*Database::open_in_memory(options));
    table_ = *database_->ensure_table("t");
    Transaction first = *database_->begin();
    for (const char* key : {"x", "y", "z"}) EXPECT_TRUE(first.put(table_, key, "0").ok());
    EXPECT_TRUE(first.commit().ok());
  }

  static TransactionOptions to_read(bool deferrable = false) {
    TransactionOptions options;
    options.read_only = true;
    options.deferrable = deferrable;
    return options;
  }
  std::uint64_t tracked() { return database_->stats().tracked_transactions; }
  // So much that it looks whether its snapshot is safe.
  void read_much(Transaction& reader) {
    for (int i = 0; i < 64; ++i) EXPECT_TRUE(reader.get(table_, "x").ok());
  }
  void commit_one() {
    Transaction one = *database_->begin();
    EXPECT_TRUE(one.put(table_, "z", "1").ok());
    EXPECT_TRUE(one.commit().ok());
  }

  CountingHook hook_;
  std::optional<Database> database_;
  Table table_;
};

TEST_F(SafeSnapshotTest, AReaderOnItsOwnIsNotTracked) {
  Transaction reader = *database_->begin(to_read());
  EXPECT_EQ(tracked(), 0U);
  EXPECT_TRUE(reader.commit().ok());
}

TEST_F(SafeSnapshotTest, WithNobodyWhoMayWriteAReaderIsNotTrackedForLong) {
  Transaction other = *database_->begin(to_read());
  Transaction reader = *database_->begin(to_read());
  read_much(reader);
  EXPECT_EQ(tracked(), 0U);
  EXPECT_TRUE(reader.commit().ok());
}

TEST_F(SafeSnapshotTest, AReaderStopsBeingTrackedWhenThoseBeforeItHaveEnded) {
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  commit_one();
  Transaction reader = *database_->begin(to_read());
  read_much(reader);
  EXPECT_EQ(tracked(), 2U);
  ASSERT_TRUE(writer.commit().ok());
  EXPECT_EQ(tracked(), 1U);
  read_much(reader);
  EXPECT_EQ(tracked(), 0U) << "it looked again";
  EXPECT_EQ(*reader.get(table_, "x"), "0");
  EXPECT_TRUE(reader.commit().ok());
}

TEST_F(SafeSnapshotTest, RowsOfCursorsCountAsWell) {
  {
    Transaction fill = *database_->begin();
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(fill.put(table_, "row" + std::to_string(i), "0").ok());
    ASSERT_TRUE(fill.commit().ok());
  }
  Transaction other = *database_->begin(to_read());
  Transaction reader = *database_->begin(to_read());
  EXPECT_EQ(tracked(), 1U) << "the other one was on its own when it began";
  Cursor rows = *reader.cursor(table_);
  for (rows.seek_first(); rows.valid(); rows.next()) {
  }
  EXPECT_EQ(tracked(), 0U);
}

// Who began with the same snapshot has nothing in it that he does not see himself.
TEST_F(SafeSnapshotTest, AWriterWithTheSameSnapshotIsHarmless) {
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  Transaction reader = *database_->begin(to_read());
  read_much(reader);
  EXPECT_EQ(tracked(), 1U) << "the writer";
  Transaction patient = *database_->begin(to_read(true));
  EXPECT_EQ(hook_.waits.load(), 0);
  ASSERT_TRUE(writer.commit().ok());
  EXPECT_EQ(*reader.get(table_, "x"), "0");
  EXPECT_EQ(*patient.get(table_, "x"), "0");
  EXPECT_TRUE(reader.commit().ok());
}

// The read-only anomaly: a pivot that overlaps the reader, and a writer that committed before it.
TEST_F(SafeSnapshotTest, AReaderBesideAPivotIsNeverSafe) {
  Transaction pivot = *database_->begin();
  ASSERT_TRUE(pivot.get(table_, "x").ok());
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  Transaction reader = *database_->begin(to_read());
  ASSERT_EQ(*reader.get(table_, "x"), "1");
  ASSERT_TRUE(pivot.put(table_, "y", "1").ok());
  ASSERT_TRUE(pivot.commit().ok()) << "so far it is before the writer, and nothing else";
  EXPECT_EQ(*reader.get(table_, "y"), "0");
  EXPECT_EQ(reader.commit().reason(), ConflictReason::serialization);
}

// ---- what one has read that only reads, and that has ended before the pivot ----

class EndedReaderTest : public SafeSnapshotTest {
 protected:
  // The pivot has read what the writer, which has committed, wrote over.
  EndedReaderTest() {
    pivot_.emplace(*database_->begin());
    EXPECT_TRUE(pivot_->get(table_, "x").ok());
    Transaction writer = *database_->begin();
    EXPECT_TRUE(writer.put(table_, "x", "1").ok());
    EXPECT_TRUE(writer.commit().ok());
  }
  void read(const std::string& key) {
    Transaction reader = *database_->begin(to_read());
    (void)reader.get(table_, key);
    EXPECT_TRUE(reader.commit().ok());
  }
  ConflictReason reason_of_pivot(const std::string& writes) {
    EXPECT_TRUE(pivot_->put(table_, writes, "1").ok());
    return pivot_->commit().reason();
  }
  std::optional<Transaction> pivot_;
};

TEST_F(EndedReaderTest, IsSeen) {
  read("y");
  EXPECT_EQ(reason_of_pivot("y"), ConflictReason::none) << "it has not read what the writer wrote";
}

TEST_F(EndedReaderTest, IsSeenWhereItClosesACircle) {
  {
    Transaction reader = *database_->begin(to_read());
    EXPECT_EQ(*reader.get(table_, "x"), "1");
    EXPECT_EQ(*reader.get(table_, "y"), "0");
    EXPECT_TRUE(reader.commit().ok());
  }
  EXPECT_EQ(reason_of_pivot("y"), ConflictReason::serialization);
}

TEST_F(EndedReaderTest, IsSeenByItsMarksWhenItsSetIsGone) {
  read("y");
  for (int i = 0; i < 100; ++i) read("z");
  EXPECT_EQ(reason_of_pivot("y"), ConflictReason::serialization) << "nobody knows what else it has read";
}

TEST_F(EndedReaderTest, IsSeenByRangesWhenItsSetIsGone) {
  {
    Transaction reader = *database_->begin(to_read());
    Cursor rows = *reader.cursor(table_, {"y", "yy"});
    rows.seek_first();
    EXPECT_TRUE(rows.valid());
    rows.next();
    EXPECT_TRUE(reader.commit().ok());
  }
  for (int i = 0; i < 100; ++i) read("z");
  EXPECT_EQ(reason_of_pivot("yx"), ConflictReason::serialization);
}

TEST_F(EndedReaderTest, HarmsNobodyWhoseRowsItHasNotReadWhenItsSetIsGone) {
  read("y");
  for (int i = 0; i < 100; ++i) read("z");
  EXPECT_EQ(reason_of_pivot("w"), ConflictReason::none);
}

TEST_F(EndedReaderTest, IsSeenWhenItHasReadTooMuchToBeKept) {
  {
    Transaction other = *database_->begin();  // from before the reader: so that it stays tracked
    commit_one();
    Transaction reader = *database_->begin(to_read());
    EXPECT_EQ(*reader.get(table_, "y"), "0");
    for (int i = 0; i < 5000; ++i) (void)reader.get(table_, "none" + std::to_string(i));
    EXPECT_TRUE(reader.commit().ok());
  }
  EXPECT_EQ(reason_of_pivot("y"), ConflictReason::serialization);
}

// Its slot has kept nothing before, and nobody has an older snapshot by the time that it commits.
TEST_F(SafeSnapshotTest, AReaderIsTestedWhereNobodyWillLookForIt) {
  Transaction reader = *database_->begin(to_read());
  Transaction second = *database_->begin(to_read());  // tracked, and in a slot that is new
  ASSERT_EQ(*second.get(table_, "x"), "0");
  Transaction pivot = *database_->begin();
  ASSERT_TRUE(pivot.get(table_, "y").ok());
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "y", "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  ASSERT_TRUE(pivot.put(table_, "x", "1").ok());
  ASSERT_TRUE(pivot.commit().ok());
  for (int i = 0; i < 100; ++i) commit_one();
  EXPECT_TRUE(second.commit().ok()) << "it comes before the pivot, and the writer before nobody";
}

TEST_F(SafeSnapshotTest, ADeferrableOneBeginsAtOnceWhereNobodyWrites) {
  Transaction reader = *database_->begin(to_read(true));
  EXPECT_TRUE(reader.get(table_, "x").ok());
  EXPECT_EQ(tracked(), 0U);
  EXPECT_EQ(hook_.waits.load(), 0);
  EXPECT_TRUE(reader.commit().ok());
}

TEST_F(SafeSnapshotTest, ADeferrableOneWaitsForThoseThatMayWrite) {
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  commit_one();
  std::string read;
  std::thread reads([&] {
    Transaction reader = *database_->begin(to_read(true));
    EXPECT_TRUE(reader.get(table_, "x", read).ok());
    EXPECT_TRUE(reader.commit().ok());
  });
  while (hook_.waits.load() == 0) std::this_thread::yield();
  ASSERT_TRUE(writer.commit().ok());
  reads.join();
  EXPECT_EQ(read, "0") << "its snapshot is from before, and proved to be safe";
}

TEST_F(SafeSnapshotTest, ADeferrableOneBeginsAgainWhereItsSnapshotTurnsOutUnsafe) {
  Transaction pivot = *database_->begin();
  ASSERT_TRUE(pivot.get(table_, "x").ok());
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  std::string x;
  std::string y;
  std::thread reads([&] {
    Transaction reader = *database_->begin(to_read(true));
    EXPECT_TRUE(reader.get(table_, "x", x).ok());
    EXPECT_TRUE(reader.get(table_, "y", y).ok());
    EXPECT_TRUE(reader.commit().ok());
  });
  while (hook_.waits.load() == 0) std::this_thread::yield();
  ASSERT_TRUE(pivot.put(table_, "y", "1").ok());
  ASSERT_TRUE(pivot.commit().ok());
  reads.join();
  EXPECT_EQ(x, "1");
  EXPECT_EQ(y, "1") << "the first snapshot had the writer and not the pivot";
}

TEST_F(SafeSnapshotTest, ADeferrableOneGivesUpAfterTheTimeForWaits) {
  TransactionOptions named;
  named.label = "payroll";
  Transaction writer = *database_->begin(named);
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  Transaction idle = *database_->begin();
  commit_one();
  TransactionOptions options = to_read(true);
  options.label = "backup";
  options.lock_timeout_ms = 1;
  const Status status = database_->begin(options).status();
  EXPECT_EQ(status.reason(), ConflictReason::lock_timeout) << status.to_string();
  ASSERT_NE(status.conflict_report(), nullptr);
  const std::vector<ConflictReport::Party>& parties = status.conflict_report()->parties;
  ASSERT_EQ(parties.size(), 3U);
  EXPECT_EQ(parties[0].label, "backup");
  EXPECT_EQ(parties[1].transaction, writer.id());
  EXPECT_EQ(parties[1].label, "payroll");
  EXPECT_EQ(parties[1].level, "serializable_ssi");
  EXPECT_EQ(parties[2].transaction, 0U) << "it has not written";
  EXPECT_NE(std::string(status.message()).find("(payroll), one that has not written yet"), std::string::npos)
      << status.message();
  EXPECT_EQ(tracked(), 2U) << "those two alone";
  EXPECT_TRUE(writer.commit().ok());
}

TEST_F(SafeSnapshotTest, DeferrableMeansNothingToOneThatMayWrite) {
  Transaction writer = *database_->begin();
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  TransactionOptions options;
  options.deferrable = true;
  Transaction other = *database_->begin(options);
  EXPECT_TRUE(other.put(table_, "y", "1").ok());
  EXPECT_TRUE(other.commit().ok());
  EXPECT_TRUE(writer.commit().ok());
}

}  // namespace
}  // namespace isolith
