// What rolling back, locking and collecting leave: nothing in the pages that does not belong there, whatever
// a checkpoint or a crash catches in between, and nothing in cursors.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/txn/database_fixture.h"

namespace isolith::testing {
namespace {

class UndoTest : public DatabaseTest {
 protected:
  ~UndoTest() override { database_.reset(); }  // before the disk that it may be on

  static std::string large(char fill) { return std::string(60'000, fill); }

  // Makes whatever can be collected collected, small amounts at once: enough transactions end, and the log is
  // durable.
  static constexpr std::uint64_t kCollectingPuts = 141;
  void collect() {
    for (int i = 0; i < 70; ++i) put("collect", std::to_string(i));
    ASSERT_TRUE(database_->sync().ok());
    put("collect", "last");
    for (int i = 0; i < 70; ++i) put("collect", std::to_string(i));
  }

  // Opens what a crash now would leave.
  void crash_and_reopen() {
    crashed_ = disk_.crash(11);
    options_.file_system = crashed_.get();
    reopen();
  }

  std::unique_ptr<base::SimulatedDisk> crashed_;
};

TEST_F(UndoTest, ALockThatWasCommittedLeavesItsRow) {
  put("small", "s");
  put("large", large('l'));
  Transaction transaction = begin();
  EXPECT_EQ(*transaction.get_for_update(table_, "small"), "s");
  EXPECT_EQ(*transaction.get_for_update(table_, "large"), large('l'));
  ASSERT_TRUE(transaction.commit().ok());
  verify();
  collect();
  verify();
  reopen();
  verify();
  EXPECT_EQ(get("large"), large('l'));
}

TEST_F(UndoTest, ADropOfATableWithLockedRowsLeavesNoPages) {
  Transaction transaction = begin();
  const Table other = *transaction.create_table("other");
  ASSERT_TRUE(transaction.put(other, "large", large('l')).ok());
  ASSERT_TRUE(transaction.commit().ok());
  transaction = begin();
  EXPECT_EQ(*transaction.get_for_update(other, "large"), large('l'));
  ASSERT_TRUE(transaction.commit().ok());
  transaction = begin();
  ASSERT_TRUE(transaction.drop_table(other).ok());
  ASSERT_TRUE(transaction.commit().ok());
  collect();
  reopen();
  verify();
}

TEST_F(UndoTest, ADropThatWasRolledBackLeavesTheTable) {
  {
    Transaction transaction = begin();
    const Table other = *transaction.create_table("other");
    ASSERT_TRUE(transaction.put(other, "k", "v").ok());
    ASSERT_TRUE(transaction.commit().ok());
    transaction = begin();
    const Savepoint savepoint = *transaction.savepoint();
    ASSERT_TRUE(transaction.drop_table(other).ok());
    ASSERT_TRUE(transaction.rollback_to(savepoint).ok());
    ASSERT_TRUE(transaction.put(other, "l", "w").ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  verify();
  reopen();
  EXPECT_EQ(*database_->tables(), (std::vector<std::string>{"other", "t"}));
  EXPECT_EQ(*begin().get(*database_->open_table("other"), "l"), "w");
}

TEST_F(UndoTest, ATableThatAnotherDroppedMeanwhileIsNotDroppedTwice) {
  const Table old = *database_->ensure_table("other");
  Transaction first = begin();
  ASSERT_TRUE(first.drop_table(old).ok());
  Status dropped;
  std::thread second([&] {
    Transaction transaction = begin();
    dropped = transaction.drop_table(old);
    EXPECT_TRUE(transaction.commit().ok());
  });
  while (database_->stats().lock_waits == 0) std::this_thread::yield();
  const Table made = *first.create_table("other");
  ASSERT_TRUE(first.put(made, "k", "v").ok());
  ASSERT_TRUE(first.commit().ok());
  second.join();
  EXPECT_TRUE(dropped.is(StatusCode::not_found)) << dropped.to_string();
  EXPECT_EQ(*begin().get(made, "k"), "v");
  collect();
  reopen();
  EXPECT_EQ(*begin().get(*database_->open_table("other"), "k"), "v");
  verify();
}

TEST_F(UndoTest, LockTimeoutsBesideLargeValuesFreeTheirOwnPagesOnly) {
  options_.locks.timeout_ms = 1;
  reopen();
  put("held", "h");
  Transaction holder = begin();
  ASSERT_TRUE(holder.put(table_, "held", "still").ok());
  std::atomic<bool> stop{false};
  std::thread others([&] {
    while (!stop.load()) {
      Transaction transaction = begin();
      EXPECT_TRUE(transaction.put(table_, "held", large('x')).is(StatusCode::conflict));
    }
  });
  for (int i = 0; i < 300; ++i) put("k" + std::to_string(i % 40), large(static_cast<char>('a' + i % 26)));
  stop.store(true);
  others.join();
  for (int i = 260; i < 300; ++i)
    EXPECT_TRUE(get("k" + std::to_string(i % 40)) == large(static_cast<char>('a' + i % 26))) << i;
  ASSERT_TRUE(holder.commit().ok());
  verify();
  EXPECT_EQ(get("held"), "still");
}

TEST_F(UndoTest, CheckpointsBesideOpenTransactionsLeaveNoPagesBehind) {
  Transaction open = begin();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(open.put(table_, "open" + std::to_string(i), std::string(1000, 'o')).ok());
  }
  for (int i = 0; i < 20; ++i) {
    put("k", std::to_string(i));
    ASSERT_TRUE(database_->checkpoint().ok());
  }
  const std::uint64_t pages = database_->stats().pages;
  for (int i = 0; i < 20; ++i) {
    put("k", std::to_string(i));
    ASSERT_TRUE(database_->checkpoint().ok());
  }
  EXPECT_EQ(database_->stats().pages, pages);
  ASSERT_TRUE(open.abort().ok());
  ASSERT_TRUE(database_->checkpoint().ok());
  crash_and_reopen();
  verify();
  EXPECT_EQ(scan(), "k=19");
}

TEST_F(UndoTest, ACrashAfterACheckpointTakesBackWhatWasInProgress) {
  put("a", "old");
  put("large", large('o'));
  Transaction open = begin();
  ASSERT_TRUE(open.put(table_, "a", "new").ok());
  ASSERT_TRUE(open.put(table_, "large", large('n')).ok());
  ASSERT_TRUE(open.erase(table_, "a").ok());
  const Table made = *open.create_table("made");
  ASSERT_TRUE(open.put(made, "k", large('m')).ok());
  ASSERT_TRUE(database_->checkpoint().ok());
  crashed_ = disk_.crash(3);
  Options options = options_;
  options.file_system = crashed_.get();
  Result<Database> again = Database::open("/db", options);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_GT(again->recovery().undone_operations, 0U);
  EXPECT_EQ(*again->tables(), std::vector<std::string>{"t"});
  Transaction reader = *again->begin();
  const Table table = *reader.open_table("t");
  EXPECT_EQ(*reader.get(table, "a"), "old");
  EXPECT_TRUE(*reader.get(table, "large") == large('o'));
  EXPECT_EQ(again->verify()->problems, std::vector<std::string>());
}

// Who dropped the table cannot free its tree while what others erased there is still to be collected.
TEST_F(UndoTest, ATreeIsFreedAfterTheLastWriterToItIsCollected) {
  const Table other = *database_->ensure_table("other");
  {
    Transaction transaction = begin();
    for (int i = 0; i < 2000; ++i)
      ASSERT_TRUE(transaction.put(other, std::to_string(i), std::string(100, 'x')).ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  Transaction reader = begin();
  const Cursor cursor = *reader.cursor(table_);  // keeps what ends from now on from being collected
  Transaction writer = begin();
  ASSERT_TRUE(writer.erase(other, "7").ok());
  ASSERT_TRUE(writer.commit().ok());
  {
    Transaction dropper = begin();
    ASSERT_TRUE(dropper.drop_table(other).ok());
    ASSERT_TRUE(dropper.commit().ok());
  }
  collect();
  ASSERT_TRUE(database_->checkpoint().ok());
  crash_and_reopen();
  verify();
  EXPECT_EQ(*database_->tables(), std::vector<std::string>{"t"});
}

TEST_F(UndoTest, TombstonesThatRollbacksMetAreCollectedAllTheSame) {
  const auto leaves = [this] { return database_->table_stats(table_)->leaf_pages; };
  constexpr int kRows = 3000;
  const auto key = [](int i) { return "key" + std::to_string(100000 + i); };
  {
    Transaction transaction = begin();
    for (int i = 0; i < kRows; ++i) ASSERT_TRUE(transaction.put(table_, key(i), "v").ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  ASSERT_GT(leaves(), 5U);
  Transaction writer = begin();
  {
    // The eraser's tombstones wait for this cursor; meanwhile the writer writes over them.
    Transaction reader = begin();
    const Cursor cursor = *reader.cursor(table_);
    Transaction eraser = begin();
    for (int i = 0; i < kRows; ++i) ASSERT_TRUE(eraser.erase(table_, key(i)).ok());
    ASSERT_TRUE(eraser.commit().ok());
    for (int i = 0; i < kRows; ++i) ASSERT_TRUE(writer.put(table_, key(i), "w").ok());
  }
  // In commit order, by the background thread too: the eraser's are done when no more are left than the
  // writer's, and those of the rows that `collect` puts.
  collect();
  while (database_->stats().versions > kRows + kCollectingPuts) std::this_thread::yield();
  EXPECT_GT(leaves(), 5U);
  ASSERT_TRUE(writer.abort().ok());
  EXPECT_LE(leaves(), 2U);
  verify();
}

TEST_F(UndoTest, ACursorOnALargeValueSaysThatItsTransactionIsOver) {
  put("large", large('l'));
  Transaction transaction = begin();
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek_first();
  ASSERT_TRUE(cursor.valid());
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(cursor.value(), "");
  EXPECT_FALSE(cursor.valid());
  EXPECT_TRUE(cursor.status().is(StatusCode::aborted)) << cursor.status().to_string();
  Transaction second = begin();
  Cursor closed = *second.cursor(table_);
  closed.seek_first();
  ASSERT_TRUE(closed.valid());
  ASSERT_TRUE(database_->close().ok());
  EXPECT_EQ(closed.value(), "");
  EXPECT_TRUE(closed.status().is(StatusCode::aborted)) << closed.status().to_string();
}

TEST_F(UndoTest, ACursorShowsNoRowThatWasRolledBack) {
  put("a", "old");
  put("b", "old");
  Transaction transaction = begin();
  const Savepoint savepoint = *transaction.savepoint();
  ASSERT_TRUE(transaction.put(table_, "aa", "new").ok());
  ASSERT_TRUE(transaction.put(table_, "b", "new").ok());
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek_first();
  EXPECT_EQ(cursor.key(), "a");
  ASSERT_TRUE(transaction.rollback_to(savepoint).ok());
  cursor.next();
  ASSERT_TRUE(cursor.valid());
  EXPECT_EQ(cursor.key(), "b");
  EXPECT_EQ(cursor.value(), "old");
}

TEST_F(UndoTest, ALockDoesNotMoveAnOlderCursorOn) {
  put("a", "old");
  Transaction transaction = begin();
  Cursor cursor = *transaction.cursor(table_);
  put("a", "new");
  put("b", "new");
  EXPECT_EQ(*transaction.get_for_update(table_, "a"), "new");
  EXPECT_EQ(*transaction.get_for_update(table_, "b"), "new");
  cursor.seek_first();
  ASSERT_TRUE(cursor.valid());
  EXPECT_EQ(cursor.key(), "a");
  EXPECT_EQ(cursor.value(), "old");
  cursor.next();
  EXPECT_FALSE(cursor.valid());
  EXPECT_EQ(scan(transaction), "a=new b=new");
}

// Nothing acknowledged at `sync` rests on a commit that a crash can lose, though its tombstone is gone.
TEST_F(UndoTest, WhoFoundNothingWaitsForTheEraserToBeDurable) {
  options_.async_interval_ms = 60'000;
  reopen();
  put("k", "v");
  ASSERT_TRUE(database_->checkpoint().ok());
  TransactionOptions lazy;
  lazy.durability = Durability::none;
  const auto change = [&](bool erases) {
    Transaction transaction = begin(lazy);
    EXPECT_TRUE((erases ? transaction.erase(table_, "k") : transaction.put(table_, "other", "x")).ok());
    EXPECT_TRUE(transaction.commit().ok());
  };
  change(true);
  for (int i = 0; i < 70; ++i) change(false);
  Transaction reader = begin();
  EXPECT_EQ(get(reader, "k"), "(none)");
  ASSERT_TRUE(reader.commit().ok());
  for (int i = 0; i < 20; ++i) {
    const auto crashed = disk_.crash(static_cast<std::uint64_t>(i));
    Options options = options_;
    options.file_system = crashed.get();
    Result<Database> again = Database::open("/db", options);
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    Transaction transaction = *again->begin();
    const Table table = *transaction.open_table("t");
    EXPECT_TRUE(transaction.get(table, "k").status().is(StatusCode::not_found));
  }
}

TEST_F(UndoTest, ADirtyReadersCursorSaysThatItsRowWasTakenBack) {
  Transaction writer = begin();
  ASSERT_TRUE(writer.put(table_, "large", large('l')).ok());
  Transaction reader = begin(Isolation::read_uncommitted);
  Cursor cursor = *reader.cursor(table_);
  cursor.seek_first();
  ASSERT_TRUE(cursor.valid());
  ASSERT_TRUE(writer.abort().ok());
  EXPECT_EQ(cursor.value(), "");
  EXPECT_FALSE(cursor.valid());
  EXPECT_TRUE(cursor.status().is(StatusCode::not_found)) << cursor.status().to_string();
}

// Rolling back to a savepoint is one step to a checkpoint, whatever the transaction made and took back.
TEST_F(UndoTest, CrashesBesideRollbacksLeaveAWholeDatabase) {
  put("large", large('o'));
  std::atomic<bool> stop{false};
  std::thread checkpoints([&] {
    while (!stop.load()) EXPECT_TRUE(database_->checkpoint().ok());
  });
  for (int round = 0; round < 40; ++round) {
    {
      Transaction transaction = begin();
      const Savepoint savepoint = *transaction.savepoint();
      const Table made = *transaction.create_table("made");
      for (int i = 0; i < 50; ++i) ASSERT_TRUE(transaction.put(made, std::to_string(i), large('m')).ok());
      ASSERT_TRUE(transaction.put(table_, "large", large('n')).ok());
      ASSERT_TRUE(transaction.put(table_, "large", large('p')).ok());
      ASSERT_TRUE(transaction.rollback_to(savepoint).ok());
      if (round % 2 == 0) {
        ASSERT_TRUE(transaction.put(table_, "other", "x").ok());
      }
    }
    const auto crashed = disk_.crash(static_cast<std::uint64_t>(round));
    Options options = options_;
    options.file_system = crashed.get();
    Result<Database> again = Database::open("/db", options);
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    ASSERT_EQ(again->verify()->problems, std::vector<std::string>());
    Transaction reader = *again->begin();
    EXPECT_TRUE(*reader.get(*reader.open_table("t"), "large") == large('o'));
  }
  stop.store(true);
  checkpoints.join();
  verify();
}

}  // namespace
}  // namespace isolith::testing
