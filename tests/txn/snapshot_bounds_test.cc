// What snapshots cost: many of them, what each holds back, and what happens when that is too much.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/txn/snapshot_fixture.h"

namespace isolith::testing {
namespace {

TEST_F(SnapshotTest, TenThousandSnapshotsAtOnce) {
  constexpr int kSnapshots = 10'000;
  std::vector<Transaction> readers;
  TransactionOptions fast;
  fast.durability = Durability::none;
  for (int i = 0; i < kSnapshots; ++i) {
    Transaction writer = begin(fast);
    ASSERT_TRUE(writer.put(table_, "k", std::to_string(i)).ok());
    ASSERT_TRUE(writer.commit().ok());
    readers.push_back(begin(reader()));
  }
  EXPECT_EQ(database_->stats().snapshots, static_cast<std::uint64_t>(kSnapshots));
  EXPECT_EQ(database_->active_transactions().size(), static_cast<std::size_t>(kSnapshots));
  for (int i = 0; i < kSnapshots; i += 7) {
    ASSERT_EQ(get(readers[static_cast<std::size_t>(i)], "k"), std::to_string(i));
  }
  readers.erase(readers.begin(), readers.begin() + kSnapshots / 2);
  for (int i = kSnapshots / 2; i < kSnapshots; i += 7) {
    ASSERT_EQ(get(readers[static_cast<std::size_t>(i - kSnapshots / 2)], "k"), std::to_string(i));
  }
}

TEST_F(SnapshotTest, ActiveTransactionsTellWhoHoldsWhatBack) {
  put("k", std::string(500, 'a'));
  TransactionOptions options(kSnapshot);
  options.read_only = true;
  options.label = "nightly report";
  Transaction report = begin(options);
  const Snapshot held = *database_->snapshot("backup");
  put("k", std::string(500, 'b'));
  Transaction writer = begin();
  ASSERT_TRUE(writer.put(table_, "other", "1").ok());
  collect();
  const std::vector<TransactionInfo> infos = database_->active_transactions();
  ASSERT_EQ(infos.size(), 3U);
  std::map<std::string, TransactionInfo> by_label;
  for (const TransactionInfo& info : infos) by_label[info.label] = info;
  const TransactionInfo& reported = by_label["nightly report"];
  EXPECT_EQ(reported.level, "snapshot");
  EXPECT_EQ(reported.snapshot, held.timestamp());
  EXPECT_EQ(reported.id, 0U);
  EXPECT_GE(reported.held_versions, 1U);
  EXPECT_GE(reported.held_bytes, 500U);
  EXPECT_GE(reported.snapshot_age_commits, 141U);
  EXPECT_EQ(by_label["backup"].level, "(held snapshot)");
  EXPECT_EQ(by_label[""].level, "read_committed");
  EXPECT_EQ(by_label[""].id, writer.id());
  EXPECT_EQ(by_label[""].snapshot, 0U);
  EXPECT_EQ(database_->stats().oldest_snapshot, held.timestamp());

  // Cursors of read committed have snapshots of their own, and so much is told of them.
  Transaction scanning = begin();
  const Cursor first = *scanning.cursor(table_);
  put("k", "c");
  const Cursor second = *scanning.cursor(table_);
  const std::vector<TransactionInfo> more = database_->active_transactions();
  EXPECT_EQ(std::count_if(more.begin(), more.end(),
                          [](const TransactionInfo& info) { return info.level == "(cursor)"; }),
            1);
  EXPECT_EQ(database_->stats().active_transactions, 4U);
}

TEST_F(SnapshotTest, TheOldestReaderFailsWhereTheOptionSaysSo) {
  options_.snapshots.version_bytes = 20'000;
  options_.snapshots.overflow = SnapshotOverflow::fail_oldest;
  reopen();
  for (int i = 0; i < 500; ++i) put(number(i), std::string(100, 'a'));
  Transaction oldest = begin(reader());
  Transaction writing = begin(kSnapshot);
  EXPECT_EQ(get(oldest, number(0)), std::string(100, 'a'));
  ASSERT_TRUE(writing.put(table_, "own", "1").ok());
  Cursor cursor = *oldest.cursor(table_);
  cursor.seek_first();
  for (int i = 0; i < 500; ++i) put(number(i), std::string(100, 'b'));
  collect();
  EXPECT_GE(database_->stats().snapshots_failed, 2U);
  while (cursor.valid()) {
    ASSERT_EQ(cursor.value(), std::string(100, 'a'));
    cursor.next();
  }
  EXPECT_TRUE(cursor.status().is(StatusCode::snapshot_too_old)) << cursor.status().to_string();
  EXPECT_FALSE(oldest.active());
  EXPECT_TRUE(writing.commit().is(StatusCode::snapshot_too_old));
  EXPECT_EQ(get("own"), "(none)");
  EXPECT_LE(database_->stats().version_bytes, 20'000U + 64 * 300);
  Transaction young = begin(reader());
  EXPECT_EQ(get(young, number(0)), std::string(100, 'b'));
}

// serializable_ssi looks once more at what was read last: that it can not any more ends nothing by itself.
TEST_F(SnapshotTest, WhatWasReadLastIsLookedAtThoughTheSnapshotWasFailed) {
  options_.snapshots.version_bytes = 20'000;
  options_.snapshots.overflow = SnapshotOverflow::fail_oldest;
  for (const bool reads_on : {true, false}) {
    reopen();
    for (int i = 0; i < 500; ++i) put(number(i), std::string(100, 'a'));
    Transaction oldest = begin(Isolation::serializable_ssi);
    EXPECT_EQ(get(oldest, number(0)), std::string(100, 'a'));
    for (int i = 0; i < 500; ++i) put(number(i), std::string(100, 'b'));
    collect();
    EXPECT_GE(database_->stats().snapshots_failed, 1U);
    if (reads_on) {
      std::string value;
      EXPECT_TRUE(oldest.get(table_, number(1), value).is(StatusCode::snapshot_too_old));
    } else {
      (void)oldest.commit().ok();  // what it read was right
    }
    EXPECT_FALSE(oldest.active());
    EXPECT_EQ(database_->stats().tracked_transactions, 0U);
  }
}

TEST_F(SnapshotTest, OldVersionsSpillToTheDataFileAndAreReadThere) {
  options_.snapshots.version_bytes = 20'000;
  reopen();
  constexpr int kKeys = 500;
  std::vector<Transaction> readers;
  std::vector<std::string> seen;
  const auto write_all = [&](int round) {
    for (int k = 0; k < kKeys; ++k) {
      if ((k + round) % 7 == 0) {
        Transaction eraser = begin();
        (void)eraser.erase(table_, number(k)).ok();
        ASSERT_TRUE(eraser.commit().ok());
      } else {
        put(number(k), std::string(100, static_cast<char>('a' + round)));
      }
    }
  };
  for (int round = 0; round < 5; ++round) {
    write_all(round);
    readers.push_back(begin(reader()));
    seen.push_back(scan(readers.back()));
  }
  write_all(5);
  collect();
  EXPECT_GE(database_->stats().spilled_versions, 4U * kKeys / 2);
  EXPECT_LE(database_->stats().version_bytes, 20'000U + 300 * 300);
  verify();
  const auto expect_seen = [&](std::initializer_list<std::size_t> which) {
    for (const std::size_t r : which) {
      const std::string now = scan(readers[r]);
      const auto differs = std::mismatch(now.begin(), now.end(), seen[r].begin(), seen[r].end());
      const auto at = static_cast<std::size_t>(differs.first - now.begin());
      EXPECT_EQ(now, seen[r]) << r << ": " << now.substr(at, 20) << " instead of " << seen[r].substr(at, 20);
    }
  };
  expect_seen({0, 1, 2, 3, 4});
  std::uint64_t held = 0;
  for (const TransactionInfo& info : database_->active_transactions()) held += info.held_bytes;
  EXPECT_GE(held, 4U * kKeys / 2 * 100);
  ASSERT_TRUE(database_->checkpoint().ok());
  const std::unique_ptr<base::SimulatedDisk> crashed = disk_.crash(5);
  ASSERT_TRUE(readers[2].commit().ok());
  collect();
  expect_seen({0, 1, 3, 4});
  ASSERT_TRUE(readers[4].commit().ok());
  ASSERT_TRUE(readers[0].commit().ok());
  collect();
  expect_seen({1, 3});
  verify();
  ASSERT_TRUE(readers[1].commit().ok());
  ASSERT_TRUE(readers[3].commit().ok());
  collect();
  while (database_->stats().spilled_versions != 0) collect();
  verify();
  Options options = options_;
  options.file_system = crashed.get();
  Database reopened = *Database::open("/db", options);
  EXPECT_EQ(reopened.verify()->problems, std::vector<std::string>());
  EXPECT_EQ(reopened.stats().spilled_versions, 0U);
  ASSERT_TRUE(reopened.close().ok());
}

TEST_F(SnapshotTest, AnOlderVersionInMemoryDoesNotHideASpilledOne) {
  options_.snapshots.version_bytes = 20'000;
  reopen();
  put("k", "1");
  Transaction oldest = begin(reader());
  put("k", "2");
  for (int i = 0; i < 300; ++i) put(number(i), std::string(100, 'a'));
  Transaction middle = begin(reader());
  put("k", "3");
  for (int i = 0; i < 300; ++i) put(number(i), std::string(100, 'b'));
  collect();
  ASSERT_GT(database_->stats().spilled_versions, 0U);
  EXPECT_EQ(get(oldest, "k"), "1");
  EXPECT_EQ(get(middle, "k"), "2");
  EXPECT_EQ(get("k"), "3");
}

TEST_F(SnapshotTest, WhatIsTooOldSpillsOrFails) {
  for (const SnapshotOverflow overflow : {SnapshotOverflow::spill, SnapshotOverflow::fail_oldest}) {
    options_.snapshots.age_max_ms = 1;
    options_.snapshots.overflow = overflow;
    reopen();
    put("k", "old");
    Transaction old = begin(reader());
    put("k", "new");
    // As long as the coarse clock takes.
    while (database_->stats().spilled_versions + database_->stats().snapshots_failed == 0) collect();
    if (overflow == SnapshotOverflow::spill) {
      EXPECT_EQ(get(old, "k"), "old");
      EXPECT_EQ(database_->stats().snapshots_failed, 0U);
    } else {
      EXPECT_TRUE(old.get(table_, "k").status().is(StatusCode::snapshot_too_old));
      EXPECT_EQ(database_->stats().spilled_versions, 0U);
    }
  }
}

}  // namespace
}  // namespace isolith::testing
