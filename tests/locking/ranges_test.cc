// Ranges and tables through the public interface: exactly what was read is locked.
#include <gtest/gtest.h>

#include <thread>

#include "tests/locking/locks_fixture.h"

namespace isolith::testing {
namespace {

using RangesTest = LocksFixture;
using Keys = std::vector<std::string>;

// After the scan of A, B inserts `key`: whether it waits.
class ScanTest : public LocksFixture {
 protected:
  bool insert_waits(const Scan& read, const std::string& key, const std::vector<std::string>& rows) {
    open({}, rows);
    const auto a = session();
    const auto b = session(Isolation::read_committed);
    scan(a, read);
    commit(a);
    put(b, key);
    commit(b);
    run("A1 B1 A2 B2");
    EXPECT_EQ(answer(b, 2), "");
    return waited(b, 1);
  }
  bool insert_waits(const Scan& read, const std::string& key) {
    return insert_waits(read, key, {"a", "c", "e"});
  }
};

TEST_F(ScanTest, BothEndsAreExact) {
  for (const bool forward : {true, false}) {
    const Scan read{"b", "d", forward};
    for (const std::string& inside : Keys{"b", "bb", "c", "cz"})
      EXPECT_TRUE(insert_waits(read, inside)) << inside;
    for (const std::string& outside : Keys{"", "a", "az", "d", "e"})
      EXPECT_FALSE(insert_waits(read, outside)) << outside;
  }
}

TEST_F(ScanTest, AGapBetweenAbsentKeysAndAnEmptyTableAreLocked) {
  for (const bool forward : {true, false}) {
    EXPECT_TRUE(insert_waits({"ca", "cz", forward}, "cm"));
    EXPECT_FALSE(insert_waits({"ca", "cz", forward}, "cz"));
    EXPECT_TRUE(insert_waits({"", std::nullopt, forward}, "", {}));
    EXPECT_TRUE(insert_waits({"", std::nullopt, forward}, "m", {}));
    EXPECT_TRUE(insert_waits({"", std::nullopt, forward}, std::string(2000, '\xff'), {}));
    EXPECT_FALSE(insert_waits({"m", std::nullopt, forward}, "lz", {}));
  }
}

TEST_F(ScanTest, ACursorThatStopsLocksAsFarAsItWent) {
  const Scan first{"", std::nullopt, true, 1};
  for (const std::string& inside : Keys{"", "A", "a"}) EXPECT_TRUE(insert_waits(first, inside)) << inside;
  for (const std::string& behind : Keys{std::string("a\0", 2), "b", "c"})
    EXPECT_FALSE(insert_waits(first, behind)) << behind;
  const Scan last{"", std::nullopt, false, 1};
  for (const std::string& inside : Keys{"e", "f", "z"}) EXPECT_TRUE(insert_waits(last, inside)) << inside;
  for (const std::string& behind : Keys{"dz", "c", ""}) EXPECT_FALSE(insert_waits(last, behind)) << behind;
}

TEST_F(RangesTest, RangesThatTouchOrShareAPageDoNotWait) {
  const auto a = session();
  const auto b = session();
  for (int i = 0; i < 3; ++i) {
    scan(a, {"a", "c"});
    scan(b, {"c", "f", i != 1});
    put(a, "b" + std::to_string(i));
    put(b, "d" + std::to_string(i));
  }
  commit(a);
  commit(b);
  run("A1 B1 A2 B2 A3 B3 A4 B4 A5 B5 A6 B6 A7 B7");
  EXPECT_EQ(answer(a, 5), "ab0b1");
  EXPECT_EQ(answer(b, 5), "cd0d1e");
  EXPECT_EQ(database_->stats().lock_waits, 0U) << text();
}

// ---- cursors that lock rows ----

class RowLocksTest : public LocksFixture, public ::testing::WithParamInterface<Isolation> {};
INSTANTIATE_TEST_SUITE_P(Levels, RowLocksTest,
                         ::testing::Values(Isolation::read_committed, Isolation::repeatable_read, kTwoPhase));

TEST_P(RowLocksTest, SkipLeavesOutWhatOthersHaveAndNeverWaits) {
  for (const bool forward : {true, false}) {
    for (const auto lock : {CursorOptions::Lock::share, CursorOptions::Lock::update}) {
      open({});
      const auto a = session(Isolation::read_committed);
      const auto b = session(GetParam());
      const auto c = session(Isolation::read_committed);
      put(a, "c");
      get_for_share(a, "e");
      commit(a);
      put(c, "e");  // in line
      scan(b, {"", std::nullopt, forward, SIZE_MAX, {lock, IfLocked::skip}});
      commit(b);
      run("A1 A2 C1 B1 B2 A3");
      EXPECT_FALSE(waited(b, 1)) << text();
      // Whether one more may share "e" while a writer stands in line for it is left open.
      const std::string keys = answer(b, 1);
      EXPECT_TRUE(keys == "a" || (lock == CursorOptions::Lock::share && (keys == "ae" || keys == "ea")))
          << keys;
    }
  }
}

TEST_P(RowLocksTest, FailAnswersBusyAndLeavesNothingLocked) {
  const auto a = session(Isolation::read_committed);
  const auto b = session(GetParam());
  const auto c = session(Isolation::read_committed);
  put(a, "a");
  commit(a);
  get_for_update(b, "a", IfLocked::fail);
  get_for_share(b, "a", IfLocked::fail);
  scan(b, {"", "b", true, SIZE_MAX, {CursorOptions::Lock::share, IfLocked::fail}});
  put(b, "z");
  put(c, "a");
  commit(c);
  commit(b);
  run("A1 B1 B2 B3 B4 A2 C1 C2 B5");
  for (const std::size_t step : {1U, 2U, 3U}) EXPECT_EQ(answer(b, step), "busy") << step << text();
  EXPECT_EQ(answer(b, 5), "");
  // The cursor at a level with ranges has read as far as it came, and that stays so.
  EXPECT_EQ(waited(c, 1), false) << text();
}

TEST_P(RowLocksTest, WhatATransactionHoldsItGetsAgainWithOthersInLine) {
  const auto a = session(GetParam());
  const auto b = session(Isolation::read_committed);
  put(a, "a", "mine");
  get_for_share(a, "a", IfLocked::fail);
  get_for_update(a, "a", IfLocked::fail);
  commit(a);
  put(b, "a");
  run("A1 B1 A2 A3 A4");
  EXPECT_EQ(answer(a, 2), "mine") << text();
  EXPECT_EQ(answer(a, 3), "mine");
}

// ---- tables ----

// More rows than a batch and than a leaf, each once, whatever is locked already.
TEST_F(RangesTest, CursorsThatLockRowsGiveOutEachOnce) {
  for (const std::size_t rows : {10U, 1000U}) {
    std::vector<std::string> keys;
    std::string forward;
    std::string backward;
    for (std::size_t i = 0; i < rows; ++i) {
      keys.push_back("k" + std::to_string(10'000 + i) + ' ' + std::string(40, 'x'));
      forward += keys.back();
      backward = keys.back() + backward;
    }
    for (const Isolation level : {Isolation::read_committed, Isolation::repeatable_read, kTwoPhase}) {
      for (const auto lock : {CursorOptions::Lock::share, CursorOptions::Lock::update}) {
        open({}, keys);
        const auto a = session(level);
        for (int times = 0; times < 2; ++times) {
          scan(a, {"", std::nullopt, true, SIZE_MAX, {lock, IfLocked::wait}});
          scan(a, {"", std::nullopt, false, SIZE_MAX, {lock, IfLocked::wait}});
        }
        run("A1 A2 A3 A4");
        EXPECT_TRUE(answer(a, 1) == forward) << to_string(level);
        EXPECT_TRUE(answer(a, 2) == backward) << to_string(level);
        EXPECT_TRUE(answer(a, 3) == forward) << to_string(level);
        EXPECT_TRUE(answer(a, 4) == backward) << to_string(level);
      }
    }
  }
}

TEST_F(RangesTest, WhatComesInBeforeARowThatIsWaitedForIsGivenOut) {
  const auto a = session();
  const auto b = session(Isolation::read_committed);
  const auto c = session(Isolation::read_committed);
  const auto d = session();
  get(a, "b");
  commit(a);
  put(b, "b");  // behind A
  commit(b);
  put(c, "c");
  commit(c);
  scan(d, {"b", std::nullopt, true, SIZE_MAX, {CursorOptions::Lock::update, IfLocked::wait}});
  run("A1 B1 C1 D1 A2 B2 C2");
  EXPECT_EQ(answer(d, 1), "bce") << text();
}

TEST_F(RangesTest, ARangeEndsWhereItEndsAlsoWhereTheLeafGoesOn) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; i += 2) keys.push_back("k" + std::to_string(10'000 + i) + std::string(40, 'x'));
  open({}, keys);
  const auto reader = session();
  // Ends at any place of the leaves: some between a leaf's last row and its fence.
  for (int i = 100; i < 900; ++i) {
    const std::string at = "k" + std::to_string(10'000 + i);
    scan(reader, {"k" + std::to_string(10'000 + i - 5), at, i % 2 == 0});
    const auto writer = session(Isolation::read_committed);
    insert(writer, at);
    insert(writer, "k" + std::to_string(10'000 + i - 6) + "y");
    abort(writer);
    commit(reader);
    run("A1 B1 B2 B3 A2");
    ASSERT_FALSE(waited(writer, 1) || waited(writer, 2)) << at << "\n" << text();
    sessions_.clear();
    program_.sessions.clear();
    (void)session();
  }
}

TEST_F(RangesTest, ACursorThatDoesNotWaitForRowsDoesNotWaitForTheTableEither) {
  for (const Isolation level : {Isolation::read_committed, Isolation::repeatable_read, kTwoPhase}) {
    open({});
    const auto a = session(Isolation::read_committed);
    const auto b = session(level);
    lock_table(a, TableLock::exclusive);
    commit(a);
    scan(b, {"", std::nullopt, true, SIZE_MAX, {CursorOptions::Lock::update, IfLocked::fail}});
    run("A1 B1 A2");
    EXPECT_EQ(answer(b, 1), "busy") << to_string(level);
  }
}

TEST_F(RangesTest, AShareLockOnATableStopsWritersAndNoReaders) {
  const auto a = session(Isolation::read_committed);
  const auto b = session(Isolation::read_committed);
  const auto c = session();
  const auto d = session(Isolation::read_committed);
  lock_table(a, TableLock::share);
  commit(a);
  put(b, "a");
  commit(b);
  scan(c, {"", "b"});
  commit(c);
  lock_table(d, TableLock::share, IfLocked::fail);
  commit(d);
  run("A1 C1 D1 D2 C2 B1 A2 B2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_FALSE(waited(c, 1));
  EXPECT_EQ(answer(d, 1), "");
}

TEST_F(RangesTest, AnExclusiveLockOnATableStopsReadersWithLocks) {
  const auto a = session(Isolation::read_committed);
  const auto b = session();
  const auto c = session(Isolation::read_committed);
  lock_table(a, TableLock::exclusive);
  put(a, "a", "new");
  commit(a);
  get(b, "a");
  get(c, "a");
  get_for_share(c, "a", IfLocked::fail);
  get_for_update(c, "a", IfLocked::fail);
  run("A1 B1 C1 A2 C2 C3 A3");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 1), "new");
  EXPECT_EQ(answer(c, 1), "a0");
  EXPECT_EQ(answer(c, 2), "busy");
  EXPECT_EQ(answer(c, 3), "busy");
}

TEST_F(RangesTest, ATableIsLockedOnceItsUsersHaveEnded) {
  const auto a = session(Isolation::read_committed);
  const auto b = session();
  const auto c = session(Isolation::read_committed);
  const auto d = session(Isolation::read_committed);
  put(a, "a");
  commit(a);
  get(b, "c");
  commit(b);
  lock_table(c, TableLock::exclusive, IfLocked::fail);
  lock_table(c, TableLock::share, IfLocked::fail);
  lock_table(c, TableLock::exclusive);
  commit(c);
  put(d, "e");  // behind C
  run("A1 B1 C1 C2 C3 D1 A2 B2 C4");
  EXPECT_EQ(answer(c, 1), "busy");
  EXPECT_EQ(answer(c, 2), "busy");
  EXPECT_TRUE(waited(c, 3));
  EXPECT_EQ(answer(c, 4), "");
  EXPECT_TRUE(waited(d, 1)) << text();
  EXPECT_EQ(done_order(1, "D"), "D");
}

TEST_F(RangesTest, WhoReadsATableWritesToItWithSomebodyInLineForTheWhole) {
  const auto a = session();
  const auto b = session(Isolation::read_committed);
  get(a, "a");
  put(a, "a");  // behind B, who waits for A
  commit(a);
  lock_table(b, TableLock::exclusive);
  commit(b);
  run("A1 B1 A2 A3 B2");
  EXPECT_EQ(answer(a, 2), "");
  EXPECT_EQ(answer(a, 3), "");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 1), "");
}

TEST_F(RangesTest, ATableIsDroppedOnceItsWritersAndReadersWithLocksHaveEnded) {
  for (const Isolation level : {Isolation::read_committed, Isolation::serializable_2pl}) {
    open({});
    const auto a = session(level);
    const auto b = session(Isolation::read_committed);
    const auto c = session(level);
    level == kTwoPhase ? get(a, "a") : put(a, "a");
    commit(a);
    add(b, [&](Transaction& t, std::string&) { return t.drop_table(table_); });
    commit(b);
    put(c, "c");
    run("A1 B1 C1 A2 B2");
    EXPECT_TRUE(waited(b, 1)) << text();
    EXPECT_EQ(answer(b, 1), "");
    EXPECT_TRUE(waited(c, 1)) << text();
    EXPECT_EQ(answer(c, 1), "not_found");
  }
}

TEST_F(RangesTest, TwoThatShareATableAndWantItAloneAreADeadlock) {
  const auto a = session(Isolation::read_committed);
  const auto b = session(Isolation::read_committed);
  for (const auto at : {a, b}) {
    lock_table(at, TableLock::share);
    lock_table(at, TableLock::exclusive);
    commit(at);
  }
  run("A1 B1 A2 B2 A3 B3");
  EXPECT_EQ(answer(a, 3), "") << text();
  EXPECT_EQ(answer(b, 2), "conflict/deadlock");
  EXPECT_NE(status(b, 2).message().find("the table t"), std::string::npos) << status(b, 2).to_string();
  ASSERT_NE(status(b, 2).deadlock_report(), nullptr);
  EXPECT_TRUE(status(b, 2).deadlock_report()->circle.front().is_whole);
}

TEST_F(RangesTest, ATransactionOfManyTablesMeetsTheLockOnEach) {
  std::vector<Table> tables;
  for (int i = 0; i < 12; ++i) tables.push_back(*database_->ensure_table("t" + std::to_string(i)));
  const auto a = session(Isolation::read_committed);
  const auto b = session(Isolation::read_committed);
  add(a, [&](Transaction& t, std::string&) { return t.lock_table(tables.back(), TableLock::exclusive); });
  commit(a);
  add(b, [&](Transaction& t, std::string&) {
    for (std::size_t i = 0; i + 1 < tables.size(); ++i) {
      if (Status status = t.put(tables[i], "k", "v"); !status.ok()) return status;
    }
    return Status();
  });
  add(b, [&](Transaction& t, std::string&) { return t.put(tables.back(), "k", "v"); });
  commit(b);
  const auto c = session(Isolation::read_committed);
  add(c, [&](Transaction& t, std::string&) {
    return t.lock_table(tables[10], TableLock::exclusive, IfLocked::fail);
  });
  add(c, [&](Transaction& t, std::string&) { return t.lock_table(table_, TableLock::exclusive); });
  run("A1 B1 C1 C2 B2 A2 B3");
  EXPECT_FALSE(waited(b, 1)) << text();
  EXPECT_TRUE(waited(b, 2)) << text();
  EXPECT_EQ(answer(c, 1), "busy") << "B has written there";
  EXPECT_FALSE(waited(c, 2)) << "nobody has used it";
}

// ---- serial ----

TEST_F(RangesTest, SerialRunsAloneAmongWritersWhileReadersGoOn) {
  const auto a = session(Isolation::serial);
  const auto b = session(Isolation::read_committed);
  const auto c = session();
  const auto d = session(Isolation::serial);
  get(a, "a");
  put(a, "a");
  commit(a);
  put(b, "c");
  commit(b);
  get(c, "c");
  commit(c);
  get(d, "a");
  commit(d);
  run("A1 D1 B1 C1 C2 A2 A3 D2 B2");
  EXPECT_FALSE(waited(c, 1));
  EXPECT_FALSE(waited(a, 2)) << text();
  EXPECT_TRUE(waited(d, 1));
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(d, 1), "v");
}

TEST_F(RangesTest, SerialBeginsWhenTheWritersHaveEnded) {
  const auto a = session(Isolation::read_committed);
  const auto b = session(Isolation::serial);
  put(a, "a");
  commit(a);
  get(b, "a");
  commit(b);
  run("A1 B1 A2 B2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 1), "v");
}

TEST_F(RangesTest, WhoWaitsForTheDatabaseInVainIsTold) {
  const auto a = session(Isolation::serial);
  put(a, "a");
  run("A1");
  TransactionOptions options(Isolation::serial);
  options.lock_timeout_ms = 1;
  const Status status = database_->begin(options).status();
  EXPECT_EQ(status.reason(), ConflictReason::lock_timeout);
  EXPECT_NE(status.message().find("at the database for T"), std::string::npos) << status.to_string();
}

// ---- memory ----

TEST_F(RangesTest, PastTheBudgetLocksBecomeOneRangeAndStayLocks) {
  Options options;
  options.locks.memory_bytes = 1;
  open(options);
  const auto a = session();
  const auto b = session(Isolation::read_committed);
  const auto c = session(Isolation::read_committed);
  get(a, "a");
  get(a, "e");
  commit(a);
  put(b, "a");
  commit(b);
  put(c, "c");  // not read, but in between
  commit(c);
  run("A1 A2 B1 C1 A3 B2 C2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_TRUE(waited(c, 1));
  EXPECT_GT(database_->stats().lock_escalations, 0U);
  EXPECT_EQ(database_->stats().lock_bytes, 0U);
}

TEST_F(RangesTest, ADroppedTableTakesItsLocksAlong) {
  const auto a = session();
  scan(a, {"", std::nullopt});
  commit(a);
  run("A1 A2");
  Transaction dropper = *database_->begin(kTwoPhase);
  std::string value;
  ASSERT_TRUE(dropper.get(table_, "a", value).ok());
  ASSERT_TRUE(dropper.drop_table(table_).ok());
  ASSERT_TRUE(dropper.commit().ok());
  EXPECT_TRUE(database_->locks().empty());
  EXPECT_EQ(database_->stats().lock_bytes, 0U);
}

}  // namespace
}  // namespace isolith::testing
