// The level snapshot: what is seen, who conflicts, what is kept for whom and for how long.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/txn/snapshot_fixture.h"

namespace isolith::testing {
namespace {

TEST_F(SnapshotTest, SeesWhatWasCommittedWhenItBeganAndItsOwnWrites) {
  put("a", "1");
  put("b", "1");
  Transaction old = begin(kSnapshot);
  put("a", "2");
  erase("b");
  put("c", "2");
  EXPECT_EQ(scan(old), "a=1 b=1");
  EXPECT_EQ(get(old, "a"), "1");
  EXPECT_EQ(get(old, "b"), "1");
  EXPECT_EQ(get(old, "c"), "(none)");
  ASSERT_TRUE(old.put(table_, "d", "own").ok());
  EXPECT_EQ(scan(old), "a=1 b=1 d=own");
  EXPECT_EQ(scan(old, KeyRange::all(), true), "d=own b=1 a=1");
  Transaction young = begin(kSnapshot);
  EXPECT_EQ(scan(young), "a=2 c=2");
  ASSERT_TRUE(old.commit().ok());
  EXPECT_EQ(scan(young), "a=2 c=2");
  EXPECT_EQ(scan(), "a=2 c=2 d=own");
}

TEST_F(SnapshotTest, TheFirstUpdaterWinsAndTheOtherLearnsWhoItWas) {
  put("k", "0");
  Transaction first = begin(kSnapshot);
  Transaction second = begin(kSnapshot);
  ASSERT_TRUE(put_at(first, "k").ok());
  const std::uint64_t winner = first.id();
  ASSERT_TRUE(first.commit().ok());
  const Status status = put_at(second, "k");
  expect_conflict(status);
  EXPECT_TRUE(status.is_retryable());
  EXPECT_FALSE(second.active());
  const ConflictReport* report = status.conflict_report();
  ASSERT_NE(report, nullptr);
  ASSERT_EQ(report->parties.size(), 2U);
  EXPECT_EQ(report->parties[1].transaction, winner);
  ASSERT_EQ(report->edges.size(), 1U);
  EXPECT_EQ(report->edges[0].table, "t");
  EXPECT_EQ(report->edges[0].key, "k");
  EXPECT_GT(report->parties[1].commit, report->snapshot);
  EXPECT_NE(status.to_string().find("t/k was written by T" + std::to_string(winner)), std::string::npos)
      << status.to_string();
}

TEST_F(SnapshotTest, EveryKindOfWriteMeetsTheNewerOne) {
  put("there", "0");
  using Write = std::function<Status(Transaction&)>;
  const std::vector<std::pair<std::string, Write>> writes = {
      {"put", [&](Transaction& t) { return t.put(table_, "there", "1"); }},
      {"insert", [&](Transaction& t) { return t.insert(table_, "there", "1"); }},
      {"erase", [&](Transaction& t) { return t.erase(table_, "there"); }},
      {"erase_range", [&](Transaction& t) { return t.erase_range(table_, KeyRange::all()).status(); }},
      {"get_for_update", [&](Transaction& t) { return t.get_for_update(table_, "there").status(); }},
      {"insert of what was made since", [&](Transaction& t) { return t.insert(table_, "made", "1"); }},
      {"get_for_update of what was erased since",
       [&](Transaction& t) { return t.get_for_update(table_, "erased").status(); }},
      {"insert of what came and went since", [&](Transaction& t) { return t.insert(table_, "both", "1"); }},
      {"put of what was only locked", [&](Transaction& t) { return t.put(table_, "locked", "1"); }},
      {"put of an absent key that was only locked",
       [&](Transaction& t) { return t.put(table_, "gap", "1"); }},
  };
  for (const auto& [what, write] : writes) {
    SCOPED_TRACE(what);
    put("there", "0");
    put("erased", "0");
    put("locked", "0");
    Transaction old = begin(kSnapshot);
    put("there", "2");
    put("made", "2");
    erase("erased");
    put("both", "2");
    erase("both");
    Transaction locker = begin();
    (void)locker.get_for_update(table_, "locked").ok();
    (void)locker.get_for_update(table_, "gap").ok();
    ASSERT_TRUE(locker.commit().ok());
    collect();
    expect_conflict(write(old));
    erase("made");
  }
}

TEST_F(SnapshotTest, AWriterThatWaitsGoesOnIfTheOtherAbortsAndFailsIfItCommits) {
  for (const bool commits : {false, true}) {
    put("k", "0");
    Transaction first = begin();
    ASSERT_TRUE(put_at(first, "k").ok());
    Transaction second = begin(kSnapshot);
    const std::uint64_t waits = database_->stats().lock_waits;
    Status status;
    std::thread waiter([&] { status = second.put(table_, "k", "second"); });
    while (database_->stats().lock_waits == waits) std::this_thread::yield();
    ASSERT_TRUE((commits ? first.commit() : first.abort()).ok());
    waiter.join();
    if (commits) {
      expect_conflict(status);
    } else {
      EXPECT_TRUE(status.ok()) << status.to_string();
      EXPECT_TRUE(second.commit().ok());
      EXPECT_EQ(get("k"), "second");
    }
  }
}

TEST_F(SnapshotTest, WriteSkewHappensAndGetForUpdateStopsIt) {
  for (const bool locks : {false, true}) {
    put("alice", "on");
    put("bob", "on");
    Transaction first = begin(kSnapshot);
    Transaction second = begin(kSnapshot);
    EXPECT_EQ(locks ? *first.get_for_update(table_, "bob") : get(first, "bob"), "on");
    ASSERT_TRUE(first.put(table_, "alice", "off").ok());
    ASSERT_TRUE(first.commit().ok());
    EXPECT_EQ(get(second, "alice"), "on");
    const Status status = second.put(table_, "bob", "off");
    EXPECT_EQ(status.ok(), !locks);
    if (status.ok()) {
      ASSERT_TRUE(second.commit().ok());
    }
    EXPECT_EQ(get("bob"), locks ? "on" : "off");
  }
}

TEST_F(SnapshotTest, EachSnapshotKeepsOneVersionOfAKeyAndNoMore) {
  constexpr int kKeys = 10;
  for (int k = 0; k < kKeys; ++k) put(number(k), "first");
  std::vector<Transaction> readers;
  std::vector<std::string> seen;
  for (int s = 0; s < 4; ++s) {
    readers.push_back(begin(reader()));
    seen.push_back(scan(readers.back()));
    for (int i = 0; i < 500; ++i) put(number(i % kKeys), std::to_string(s * 1000 + i));
  }
  for (int s = 0; s < 4; ++s)
    EXPECT_EQ(scan(readers[static_cast<std::size_t>(s)]), seen[static_cast<std::size_t>(s)]);
  collect();
  // One of each key for each of the four, one of the key that collects, and what has just been committed.
  EXPECT_LE(database_->stats().versions, 4U * kKeys + 4 + 64);
  EXPECT_EQ(database_->stats().snapshots, 4U);
  // In the middle first: what only it needed goes, the others still see theirs.
  ASSERT_TRUE(readers[1].commit().ok());
  collect();
  EXPECT_LE(database_->stats().versions, 3U * kKeys + 4 + 64);
  EXPECT_EQ(scan(readers[0]), seen[0]);
  EXPECT_EQ(scan(readers[2]), seen[2]);
  EXPECT_EQ(scan(readers[3]), seen[3]);
  for (Transaction& transaction : readers) (void)transaction.abort().ok();
  collect();
  EXPECT_LE(database_->stats().versions, 64U);
  verify();
}

TEST_F(SnapshotTest, VersionsInTheMiddleAreDroppedBesideAnOldReader) {
  put("k", "0");
  Transaction old = begin(reader());
  for (int i = 1; i <= 20'000; ++i) put("k", std::to_string(i));
  EXPECT_LE(database_->stats().versions, 1U + 64);
  EXPECT_EQ(get(old, "k"), "0");
}

// A reader without a snapshot must not take what an old one keeps for what it missed in the middle.
TEST_F(SnapshotTest, WithoutASnapshotNobodyReadsBackwards) {
  put("k", "0");
  std::atomic<bool> stop{false};
  std::atomic<int> backwards{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      int newest = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        Transaction transaction = begin();
        const int value = std::stoi(*transaction.get(table_, "k"));
        if (value < newest) ++backwards;
        newest = value;
      }
    });
  }
  std::vector<Transaction> old;
  TransactionOptions fast;
  fast.durability = Durability::none;
  for (int i = 1; i <= 30'000; ++i) {
    Transaction writer = begin(fast);
    ASSERT_TRUE(writer.put(table_, "k", std::to_string(i)).ok());
    ASSERT_TRUE(writer.commit().ok());
    if (i % 100 == 0) old.push_back(begin(reader()));
    if (old.size() > 8) old.erase(old.begin() + i % 8);
  }
  stop.store(true);
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(backwards.load(), 0);
}

TEST_F(SnapshotTest, ErasedKeysLeaveTheirLeavesBesideAReaderThatNeverSawThem) {
  put("kept", "1");
  Transaction old = begin(reader());
  for (int i = 0; i < 20'000; ++i) {
    put(number(i), std::string(100, 'q'));
    erase(number(i));
  }
  collect();
  EXPECT_LE(database_->table_stats(table_)->leaf_pages, 3U);
  EXPECT_EQ(scan(old), "kept=1");
  EXPECT_LE(database_->stats().versions, 64U);
}

TEST_F(SnapshotTest, ErasedKeysLeaveTheirLeavesWhenWhoSawThemHasEnded) {
  for (const bool may_write : {false, true}) {
    for (int i = 0; i < 2000; ++i) put(number(i), std::string(100, 'q'));
    Transaction old = begin(may_write ? TransactionOptions(kSnapshot) : reader());
    Transaction eraser = begin();
    ASSERT_TRUE(eraser.erase_range(table_, KeyRange::all()).ok());
    ASSERT_TRUE(eraser.commit().ok());
    // What the old one never saw, and has to meet only if it writes.
    for (int i = 0; i < 500; ++i) {
      put("x" + number(i), std::string(100, 'q'));
      erase("x" + number(i));
    }
    collect();
    EXPECT_GE(database_->table_stats(table_)->leaf_pages, 4U) << "tombstones lead to what it sees";
    EXPECT_EQ(scan(old, {number(0), number(1)}), number(0) + "=" + std::string(100, 'q'));
    ASSERT_TRUE(old.commit().ok());
    collect();
    EXPECT_EQ(database_->table_stats(table_)->leaf_pages, 1U);
  }
}

TEST_F(SnapshotTest, AKeyErasedAndMadeAgainUnderAnOldReaderStaysWhatItWas) {
  put("a", "old");
  Transaction old = begin(reader());
  for (int i = 0; i < 300; ++i) {
    erase("a");
    put("b", std::to_string(i));
    put("a", std::to_string(i));
    erase("b");
    if (i % 50 == 0) {
      Transaction young = begin(kSnapshot);
      EXPECT_EQ(get(young, "a"), std::to_string(i));
      collect();
      EXPECT_EQ(get(young, "a"), std::to_string(i));
      EXPECT_EQ(get(young, "b"), "(none)");
    }
    ASSERT_EQ(get(old, "a"), "old");
    ASSERT_EQ(get(old, "b"), "(none)");
  }
  erase("a");
  collect();
  EXPECT_EQ(scan(old), "a=old");
  ASSERT_TRUE(old.commit().ok());
  collect();
  EXPECT_EQ(scan(), "collect=69");
  verify();
}

TEST_F(SnapshotTest, ASnapshotBetweenAnErasingAndAnInsertSeesNothing) {
  put("k", "1");
  Transaction first = begin(reader());
  erase("k");
  Transaction between = begin(reader());
  put("k", "2");
  collect();
  EXPECT_EQ(get(first, "k"), "1");
  EXPECT_EQ(get(between, "k"), "(none)");
  EXPECT_EQ(get("k"), "2");
}

TEST_F(SnapshotTest, ARollbackDoesNotBringACollectedTombstoneBack) {
  put("k", "1");
  Transaction old = begin(reader());
  erase("k");
  Transaction writer = begin();
  ASSERT_TRUE(writer.put(table_, "k", "2").ok());
  ASSERT_TRUE(old.commit().ok());
  collect();
  ASSERT_TRUE(writer.abort().ok());
  EXPECT_EQ(scan(), "collect=69");
  collect();
  erase("collect");
  for (int i = 0; i < 70; ++i) {
    Transaction empty = begin();
    (void)empty.get_for_update(table_, "other").ok();
    ASSERT_TRUE(empty.commit().ok());
  }
  verify();
}

TEST_F(SnapshotTest, SharedAndNamedSnapshotsAreOneMoment) {
  put("k", "1");
  Transaction first = begin(kSnapshot);
  Snapshot shared = *first.snapshot();
  Snapshot named = *database_->snapshot("backup");
  EXPECT_EQ(database_->snapshot("backup").status().code(), StatusCode::already_exists);
  put("k", "2");
  ASSERT_TRUE(first.commit().ok());
  collect();
  Transaction second = begin(on(shared));
  Transaction third = begin(on(*database_->find_snapshot("backup")));
  EXPECT_EQ(get(second, "k"), "1");
  EXPECT_EQ(get(third, "k"), "1");
  EXPECT_TRUE(second.put(table_, "k", "3").is(StatusCode::read_only));
  // Still held by who reads from it.
  const std::uint64_t timestamp = shared.timestamp();
  EXPECT_EQ(named.timestamp(), timestamp);
  shared = *database_->snapshot();
  named = shared;
  EXPECT_EQ(database_->find_snapshot("backup").status().code(), StatusCode::not_found);
  collect();
  Snapshot past = *database_->snapshot_at(timestamp);
  ASSERT_TRUE(second.commit().ok());
  ASSERT_TRUE(third.commit().ok());
  collect();
  Transaction fourth = begin(on(past));
  EXPECT_EQ(get(fourth, "k"), "1");
  past = shared;
  ASSERT_TRUE(fourth.commit().ok());
  EXPECT_EQ(database_->snapshot_at(timestamp).status().code(), StatusCode::snapshot_too_old);
  const Snapshot away = std::move(past);
  EXPECT_EQ(database_->begin(on(past)).status().code(), StatusCode::invalid_argument);
  Database other = *Database::open_in_memory();
  EXPECT_EQ(other.begin(on(away)).status().code(), StatusCode::invalid_argument);
  EXPECT_EQ(begin().snapshot().status().code(), StatusCode::invalid_argument);
}

TEST_F(SnapshotTest, SnapshotsOutliveTheirDatabase) {
  Snapshot held = *database_->snapshot("held");
  Transaction open = begin(on(held));
  ASSERT_TRUE(database_->close().ok());
  const Snapshot copy = held;
  EXPECT_TRUE(open.get(table_, "k").status().is(StatusCode::aborted));
  EXPECT_TRUE(database_->snapshot().status().is(StatusCode::aborted));
  EXPECT_TRUE(database_->begin(on(copy)).status().is(StatusCode::aborted));
  database_.reset();
  reopen();
}

TEST_F(SnapshotTest, ReadOnlyAndFinishedTransactionsRefuse) {
  put("k", "1");
  Transaction transaction = begin(reader());
  EXPECT_TRUE(transaction.put(table_, "k", "2").is(StatusCode::read_only));
  EXPECT_TRUE(transaction.get_for_update(table_, "k").status().is(StatusCode::read_only));
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek_first();
  ASSERT_TRUE(cursor.valid());
  ASSERT_TRUE(transaction.commit().ok());
  cursor.next();
  EXPECT_FALSE(cursor.valid());
  EXPECT_TRUE(cursor.status().is(StatusCode::aborted));
  EXPECT_TRUE(transaction.get(table_, "k").status().is(StatusCode::aborted));
  EXPECT_TRUE(transaction.snapshot().status().is(StatusCode::aborted));
}

TEST_F(SnapshotTest, ACursorStandsOnARowThatAnotherTransactionErases) {
  for (int i = 0; i < 1000; ++i) put(number(i), "v");
  Transaction transaction = begin(kSnapshot);
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek(number(500));
  Transaction eraser = begin();
  EXPECT_EQ(*eraser.erase_range(table_, KeyRange::all()), 1000U);
  ASSERT_TRUE(eraser.commit().ok());
  collect();
  int rows = 0;
  for (; cursor.valid(); cursor.next()) {
    EXPECT_EQ(cursor.key(), number(500 + rows));
    ++rows;
  }
  EXPECT_EQ(rows, 500);
  int backward = 0;
  for (cursor.seek_last(); cursor.valid(); cursor.prev()) ++backward;
  EXPECT_EQ(backward, 1000);
}

TEST_F(SnapshotTest, TablesAreThereForWhoeverSawThem) {
  put("k", "1");
  Transaction old = begin(kSnapshot);
  const Table made = *database_->ensure_table("made");
  Transaction dropper = begin();
  ASSERT_TRUE(dropper.drop_table(table_).ok());
  ASSERT_TRUE(dropper.commit().ok());
  Transaction young = begin(kSnapshot);
  EXPECT_TRUE(young.open_table("t").status().is(StatusCode::not_found));
  EXPECT_TRUE(young.get(table_, "k").status().is(StatusCode::not_found));
  EXPECT_TRUE(young.put(made, "k", "1").ok());
  ASSERT_TRUE(young.commit().ok());

  EXPECT_EQ(scan(old), "k=1");
  EXPECT_EQ(*old.open_table("t"), table_);
  EXPECT_TRUE(old.open_table("made").status().is(StatusCode::not_found));
  EXPECT_TRUE(old.get(made, "k").status().is(StatusCode::not_found));
  EXPECT_TRUE(old.cursor(made).status().is(StatusCode::not_found));
  EXPECT_TRUE(old.put(made, "another", "1").is(StatusCode::not_found));
  for (int i = 0; i < 200; ++i) {
    Transaction writer = begin();
    ASSERT_TRUE(writer.put(made, "k", std::to_string(i)).ok());
    ASSERT_TRUE(writer.commit().ok());
  }
  EXPECT_EQ(get(old, "k"), "1") << "its tree is still there";
  expect_conflict(old.put(table_, "k", "2"));
  EXPECT_FALSE(old.active());
  verify();
}

TEST_F(SnapshotTest, LargeValuesAreGivenBackOnceWithTheLastWhoNeedsThem) {
  const std::string first(50'000, '1');
  const std::string second(70'000, '2');
  put("large", first);
  Transaction old = begin(reader());
  const auto lock = [&] {
    Transaction locker = begin();
    (void)locker.get_for_update(table_, "large").ok();
    ASSERT_TRUE(locker.commit().ok());
  };
  lock();
  Transaction middle = begin(reader());
  lock();
  put("large", second);
  put("large", second);
  collect();
  EXPECT_EQ(get(middle, "large"), first);
  ASSERT_TRUE(middle.commit().ok());
  collect();
  EXPECT_EQ(get(old, "large"), first);
  erase("large");
  ASSERT_TRUE(database_->checkpoint().ok());
  collect();
  EXPECT_EQ(get(old, "large"), first);
  // A crash now has nobody who reads from the past.
  const std::unique_ptr<base::SimulatedDisk> crashed = disk_.crash(3);
  ASSERT_TRUE(old.commit().ok());
  collect();
  verify();
  Options options = options_;
  options.file_system = crashed.get();
  Database reopened = *Database::open("/db", options);
  EXPECT_EQ(reopened.verify()->problems, std::vector<std::string>());
  ASSERT_TRUE(reopened.close().ok());
}

}  // namespace
}  // namespace isolith::testing
