// What transactions promise, one behaviour a test.
#include <thread>

#include "tests/txn/database_fixture.h"

namespace isolith::testing {
namespace {

using TransactionTest = DatabaseTest;

TEST_F(TransactionTest, CommittedWritesSurviveReopening) {
  put("a", "1");
  put("", "empty key");
  put("b", "");
  reopen();
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get(""), "empty key");
  EXPECT_EQ(get("b"), "");
  EXPECT_TRUE(database_->recovery().clean);
  verify();
}

TEST_F(TransactionTest, CommittedWritesSurviveACrash) {
  put("a", "1");
  Transaction open = begin();
  ASSERT_TRUE(open.put(table_, "b", "never committed").ok());
  const auto crashed = disk_.crash(7);
  Options options = options_;
  options.file_system = crashed.get();
  Result<Database> again = Database::open("/db", options);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_FALSE(again->recovery().clean);
  Table table = *again->open_table("t");
  Transaction reader = *again->begin();
  EXPECT_EQ(*reader.get(table, "a"), "1");
  EXPECT_TRUE(reader.get(table, "b").status().is(StatusCode::not_found));
}

TEST_F(TransactionTest, ALevelThatIsNotThereIsRefused) {
  const Status status = database_->begin(static_cast<Isolation>(7)).status();
  EXPECT_TRUE(status.is(StatusCode::invalid_argument)) << status.to_string();
  put("a", "1");
  EXPECT_EQ(get("a"), "1");
}

TEST_F(TransactionTest, DroppingAHandleAborts) {
  put("a", "1");
  {
    Transaction transaction = begin();
    ASSERT_TRUE(transaction.put(table_, "a", "2").ok());
    ASSERT_TRUE(transaction.erase(table_, "a").ok());
    ASSERT_TRUE(transaction.put(table_, "new", "3").ok());
  }
  EXPECT_EQ(scan(), "a=1");
  verify();
}

TEST_F(TransactionTest, OwnWritesAreSeenByGetsAndCursors) {
  put("b", "old");
  Transaction transaction = begin();
  ASSERT_TRUE(transaction.put(table_, "a", "1").ok());
  ASSERT_TRUE(transaction.erase(table_, "b").ok());
  ASSERT_TRUE(transaction.insert(table_, "c", "3").ok());
  EXPECT_EQ(scan(transaction), "a=1 c=3");
  EXPECT_EQ(scan(transaction, KeyRange::all(), true), "c=3 a=1");
  EXPECT_EQ(get(transaction, "b"), "(none)");
  EXPECT_EQ(scan(), "b=old");
}

TEST_F(TransactionTest, InsertAndEraseTellWhatTheyMet) {
  put("a", "1");
  Transaction transaction = begin();
  EXPECT_TRUE(transaction.insert(table_, "a", "2").is(StatusCode::already_exists));
  EXPECT_TRUE(transaction.erase(table_, "x").is(StatusCode::not_found));
  EXPECT_TRUE(transaction.active());
  ASSERT_TRUE(transaction.erase(table_, "a").ok());
  EXPECT_TRUE(transaction.erase(table_, "a").is(StatusCode::not_found));
  EXPECT_TRUE(transaction.insert(table_, "a", "3").ok());
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(scan(), "a=3");
}

TEST_F(TransactionTest, ReadCommittedSeesNoDirtyWrites) {
  put("a", "1");
  Transaction writer = begin();
  ASSERT_TRUE(writer.put(table_, "a", "2").ok());
  ASSERT_TRUE(writer.put(table_, "b", "new").ok());
  Transaction reader = begin();
  EXPECT_EQ(scan(reader), "a=1");
  EXPECT_EQ(get(reader, "a"), "1");
  ASSERT_TRUE(writer.commit().ok());
  EXPECT_EQ(get(reader, "a"), "2");  // each operation has a snapshot of its own
  EXPECT_EQ(scan(reader), "a=2 b=new");
}

TEST_F(TransactionTest, ReadUncommittedSeesDirtyWrites) {
  put("a", "1");
  put("gone", "x");
  Transaction writer = begin();
  ASSERT_TRUE(writer.put(table_, "a", "2").ok());
  ASSERT_TRUE(writer.erase(table_, "gone").ok());
  Transaction reader = begin(Isolation::read_uncommitted);
  EXPECT_EQ(get(reader, "a"), "2");
  EXPECT_EQ(scan(reader), "a=2");
  ASSERT_TRUE(writer.abort().ok());
  EXPECT_EQ(scan(reader), "a=1 gone=x");
}

TEST_F(TransactionTest, ACursorKeepsTheSnapshotOfItsOpening) {
  for (char c = 'a'; c <= 'z'; ++c) put(std::string(1, c), "old");
  Transaction reader = begin();
  Cursor cursor = *reader.cursor(table_);
  for (char c = 'a'; c <= 'z'; ++c) put(std::string(1, c), "new");
  {
    Transaction eraser = begin();
    ASSERT_TRUE(eraser.erase(table_, "c").ok());
    ASSERT_TRUE(eraser.put(table_, "cc", "new").ok());
    ASSERT_TRUE(eraser.commit().ok());
  }
  int rows = 0;
  for (cursor.seek_first(); cursor.valid(); cursor.next(), ++rows)
    EXPECT_EQ(cursor.value(), "old") << cursor.key();
  EXPECT_EQ(rows, 26);
  rows = 0;
  for (cursor.seek_last(); cursor.valid(); cursor.prev(), ++rows)
    EXPECT_EQ(cursor.value(), "old") << cursor.key();
  EXPECT_EQ(rows, 26);
  EXPECT_EQ(get(reader, "a"), "new");
}

TEST_F(TransactionTest, AWriterWaitsForTheWriterOfTheSameKey) {
  put("n", "0");
  Transaction first = begin();
  ASSERT_TRUE(first.put(table_, "n", "1").ok());
  std::string met;
  std::thread second([&] {
    Transaction transaction = begin();
    EXPECT_TRUE(transaction.get_for_update(table_, "n", met).ok());
    EXPECT_TRUE(transaction.put(table_, "n", met + "+").ok());
    EXPECT_TRUE(transaction.commit().ok());
  });
  while (database_->stats().lock_waits == 0) std::this_thread::yield();
  ASSERT_TRUE(first.commit().ok());
  second.join();
  EXPECT_EQ(met, "1");
  EXPECT_EQ(get("n"), "1+");
}

TEST_F(TransactionTest, GetForUpdateLocksKeysThatAreNotThere) {
  options_.locks.timeout_ms = 1;
  reopen();
  Transaction holder = begin();
  EXPECT_TRUE(holder.get_for_update(table_, "k").status().is(StatusCode::not_found));
  Transaction other = begin();
  const Status status = other.insert(table_, "k", "x");
  EXPECT_TRUE(status.is(StatusCode::conflict));
  EXPECT_EQ(status.reason(), ConflictReason::lock_timeout);
  EXPECT_NE(status.message().find("t/k"), std::string_view::npos) << status.message();
  EXPECT_FALSE(other.active());
  EXPECT_TRUE(other.get(table_, "k").status().is(StatusCode::aborted));
  ASSERT_TRUE(holder.commit().ok());
  put("k", "y");
  EXPECT_EQ(scan(), "k=y");
}

TEST_F(TransactionTest, ADeadlockIsFoundAtOnceAndNamesItsCircle) {
  put("a", "0");
  put("b", "0");
  Transaction first = begin();
  Transaction second = begin();
  ASSERT_TRUE(first.put(table_, "a", "1").ok());
  ASSERT_TRUE(second.put(table_, "b", "2").ok());
  Status waited;
  std::thread waiter([&] { waited = first.put(table_, "b", "1"); });
  while (database_->stats().lock_waits == 0) std::this_thread::yield();
  const Status status = second.put(table_, "a", "2");
  waiter.join();
  EXPECT_EQ(status.reason(), ConflictReason::deadlock);
  EXPECT_NE(status.message().find("t/a"), std::string_view::npos);
  EXPECT_NE(status.message().find("t/b"), std::string_view::npos);
  EXPECT_TRUE(waited.ok());
  ASSERT_TRUE(first.commit().ok());
  EXPECT_EQ(scan(), "a=1 b=1");
}

TEST_F(TransactionTest, RunTransactionRetriesConflicts) {
  options_.locks.timeout_ms = 1;
  reopen();
  put("n", "0");
  Transaction holder = begin();
  ASSERT_TRUE(holder.put(table_, "n", "held").ok());
  int runs = 0;
  const Status status = run_transaction(*database_, [&](Transaction& transaction) {
    if (++runs == 3) {
      EXPECT_TRUE(holder.abort().ok());
    }
    return transaction.put(table_, "n", "done");
  });
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(get("n"), "done");
}

TEST_F(TransactionTest, RunTransactionRetriesABeginThatFailed) {
  options_.locks.timeout_ms = 1;
  reopen();
  Transaction holder = *database_->begin(Isolation::serial);
  ASSERT_TRUE(holder.put(table_, "n", "held").ok());
  RetryOptions retry;
  retry.attempts_max = 3;
  int runs = 0;
  const auto body = [&](Transaction& transaction) {
    ++runs;
    return transaction.put(table_, "n", "done");
  };
  const std::uint64_t waits = database_->stats().lock_waits;
  EXPECT_EQ(run_transaction(*database_, body, Isolation::serial, retry).reason(),
            ConflictReason::lock_timeout);
  EXPECT_EQ(database_->stats().lock_waits - waits, 3U);
  EXPECT_EQ(runs, 0);
  ASSERT_TRUE(holder.commit().ok());
  EXPECT_TRUE(run_transaction(*database_, body, Isolation::serial, retry).ok());
  EXPECT_EQ(runs, 1);
}

TEST_F(TransactionTest, SavepointsTakeBackAndKeepTheLock) {
  options_.locks.timeout_ms = 1;
  reopen();
  put("a", "0");
  put("b", "0");
  Transaction transaction = begin();
  ASSERT_TRUE(transaction.put(table_, "a", "1").ok());
  const Savepoint first = *transaction.savepoint();
  ASSERT_TRUE(transaction.put(table_, "a", "2").ok());
  ASSERT_TRUE(transaction.put(table_, "b", "2").ok());
  ASSERT_TRUE(transaction.put(table_, "c", "2").ok());
  const Savepoint second = *transaction.savepoint();
  ASSERT_TRUE(transaction.erase(table_, "a").ok());
  ASSERT_TRUE(transaction.rollback_to(second).ok());
  EXPECT_EQ(scan(transaction), "a=2 b=2 c=2");
  ASSERT_TRUE(transaction.rollback_to(first).ok());
  EXPECT_EQ(scan(transaction), "a=1 b=0");
  EXPECT_TRUE(transaction.rollback_to(second).is(StatusCode::invalid_argument));
  Transaction other = begin();
  EXPECT_EQ(other.put(table_, "b", "x").reason(), ConflictReason::lock_timeout);
  ASSERT_TRUE(transaction.put(table_, "d", "4").ok());
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(scan(), "a=1 b=0 d=4");
  reopen();
  EXPECT_EQ(scan(), "a=1 b=0 d=4");
  verify();
}

TEST_F(TransactionTest, EraseRangeErasesExactlyTheRange) {
  for (int i = 0; i < 1000; ++i) put("k" + std::to_string(1000 + i), "v");
  Transaction transaction = begin();
  const KeyRange range{"k1100", "k1200"};
  EXPECT_EQ(*transaction.erase_range(table_, range), 100U);
  EXPECT_EQ(*transaction.erase_range(table_, range), 0U);
  EXPECT_EQ(scan(transaction, range), "");
  ASSERT_TRUE(transaction.commit().ok());
  reopen();
  Transaction reader = begin();
  EXPECT_EQ(scan(reader, range), "");
  EXPECT_EQ(get("k1099"), "v");
  EXPECT_EQ(get("k1200"), "v");
  verify();
}

TEST_F(TransactionTest, ACursorMayWriteToWhatItScans) {
  for (int i = 0; i < 500; ++i) put("k" + std::to_string(1000 + i), "v");
  Transaction transaction = begin();
  Cursor cursor = *transaction.cursor(table_);
  int rows = 0;
  for (cursor.seek_first(); cursor.valid(); cursor.next(), ++rows) {
    const std::string key(cursor.key());
    if (rows % 2 == 0) {
      ASSERT_TRUE(transaction.erase(table_, key).ok());
    } else {
      ASSERT_TRUE(transaction.put(table_, key, std::string(300, 'x')).ok());
    }
  }
  EXPECT_EQ(rows, 500);
  ASSERT_TRUE(transaction.commit().ok());
  Transaction reader = begin();
  Cursor check = *reader.cursor(table_);
  rows = 0;
  for (check.seek_last(); check.valid(); check.prev(), ++rows) EXPECT_EQ(check.value().size(), 300U);
  EXPECT_EQ(rows, 250);
}

TEST_F(TransactionTest, CursorsSeekWithinTheirRange) {
  for (const char* key : {"a", "c", "e", "g"}) put(key, "v");
  Transaction transaction = begin();
  Cursor cursor = *transaction.cursor(table_, {"b", "g"});
  const auto at = [&] { return cursor.valid() ? std::string(cursor.key()) : std::string("(none)"); };
  cursor.seek("a");
  EXPECT_EQ(at(), "c");
  cursor.seek("d");
  EXPECT_EQ(at(), "e");
  cursor.prev();
  EXPECT_EQ(at(), "c");
  cursor.prev();
  EXPECT_EQ(at(), "(none)");
  cursor.seek_before("e");
  EXPECT_EQ(at(), "e");
  cursor.seek_before("z");
  EXPECT_EQ(at(), "e");
  cursor.next();
  EXPECT_EQ(at(), "(none)");
  cursor.seek_before("a");
  EXPECT_EQ(at(), "(none)");
  cursor.seek("f");
  EXPECT_EQ(at(), "(none)");
}

TEST_F(TransactionTest, AHugeTransactionIsOneWhole) {
  Transaction transaction = begin();
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(transaction.put(table_, "k" + std::to_string(i), std::string(50, 'a')).ok());
  }
  const auto before = disk_.crash(1);
  ASSERT_TRUE(database_->checkpoint().ok());
  for (int i = 0; i < 20'000; i += 2) ASSERT_TRUE(transaction.erase(table_, "k" + std::to_string(i)).ok());
  const auto in_between = disk_.crash(2);
  ASSERT_TRUE(transaction.commit().ok());
  const auto after = disk_.crash(3);
  for (const auto& [disk, rows] :
       {std::pair{before.get(), 0}, {in_between.get(), 0}, {after.get(), 10'000}}) {
    Options options = options_;
    options.file_system = disk;
    Result<Database> again = Database::open("/db", options);
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    Result<Table> table = again->open_table("t");
    ASSERT_TRUE(table.ok());
    Result<TableStats> stats = again->table_stats(*table);
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    EXPECT_EQ(stats->rows, static_cast<std::uint64_t>(rows));
    EXPECT_EQ(again->verify()->problems, std::vector<std::string>());
  }
}

TEST_F(TransactionTest, TransactionsMoveBetweenThreads) {
  Transaction transaction = begin();
  ASSERT_TRUE(transaction.put(table_, "a", "1").ok());
  std::thread([moved = std::move(transaction), this]() mutable {
    EXPECT_TRUE(moved.put(table_, "b", "2").ok());
    EXPECT_TRUE(moved.commit().ok());
  }).join();
  EXPECT_EQ(scan(), "a=1 b=2");
}

}  // namespace
}  // namespace isolith::testing
