// Lines: who waits, who goes first, and how a wait ends.
#include <gtest/gtest.h>

#include <thread>

#include "locking/key_locks.h"
#include "locking/table_locks.h"
#include "tests/locking/locks_fixture.h"

namespace isolith::testing {
namespace {

using LinesTest = LocksFixture;

TEST_F(LinesTest, AWaiterGoesOnWhenItsBlockerCommitsOrAborts) {
  for (const bool commits : {true, false}) {
    open({});
    const auto a = session();
    const auto b = session();
    put(a, "a", "new");
    commits ? commit(a) : abort(a);
    get(b, "a");
    run("A1 B1 A2");
    EXPECT_TRUE(waited(b, 1));
    EXPECT_EQ(answer(b, 1), commits ? "new" : "a0");
  }
}

TEST_F(LinesTest, AWaiterGoesOnWhenItsBlockerIsAVictimOrTimesOut) {
  const auto a = session();
  const auto b = session();
  const auto c = session();
  put(a, "a");
  put(b, "c");
  put(a, "c");
  put(b, "a");
  put(c, "c");
  commit(a);
  commit(c);
  // C waits for B and stands behind A; B is the youngest of the circle.
  run("A1 B1 A2 C1 B2 A3 C2");
  EXPECT_EQ(answer(b, 2), "conflict/deadlock") << text();
  EXPECT_EQ(answer(a, 3), "");
  EXPECT_EQ(answer(c, 2), "");

  open({});
  const auto d = session();
  const auto e = session();
  const auto f = session();
  get(d, "a");
  put(e, "a");
  get(f, "a");  // behind E
  commit(f);
  commit(d);
  run("A1 B1 C1 B! C2 A2");
  EXPECT_EQ(answer(e, 1), "conflict/lock_timeout") << text();
  EXPECT_TRUE(waited(f, 1));
  EXPECT_EQ(answer(f, 2), "");
  EXPECT_EQ(answer(d, 2), "");
}

TEST_F(LinesTest, WritersGoInOrderAndReadersTogether) {
  for (int i = 0; i < 6; ++i) session();
  put(0, "a");
  commit(0);
  for (const std::size_t writer : {1U, 2U, 5U}) {
    put(writer, "a");
    commit(writer);
  }
  for (const std::size_t reader : {3U, 4U}) {
    get(reader, "a");
    commit(reader);
  }
  run("A1 B1 C1 D1 E1 F1 A2 B2 C2 D2 E2 F2");
  EXPECT_EQ(done_order(1, "BCDEF"), "BCDEF") << text();
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(answer(i, 2), "");
  // B, C and F: once each, or once more for who is in front; nobody is woken for nothing.
  for (std::size_t i = 1; i < 6; ++i) EXPECT_LE(waits(i, 1), 2U) << i << text();
}

TEST_F(LinesTest, AReaderDoesNotPassAWriterInLineAndAnUpgradeDoes) {
  const auto a = session();
  const auto b = session();
  const auto c = session();
  const auto d = session();
  get(a, "a");
  put(a, "a", "a's");
  commit(a);
  get(b, "a");
  commit(b);
  put(c, "a", "c's");
  commit(c);
  get(d, "a");
  commit(d);
  run("A1 B1 C1 D1 A2 B2 A3 C2 D2");
  EXPECT_TRUE(waited(c, 1));
  EXPECT_TRUE(waited(d, 1)) << text();
  EXPECT_EQ(answer(a, 3), "");
  EXPECT_EQ(answer(d, 1), "c's") << text();
}

TEST_F(LinesTest, ARangeIsNotExtendedPastAWriterInLine) {
  const auto a = session();
  const auto b = session();
  const auto c = session();
  scan(a, {"a", "d"});
  commit(a);
  insert(b, "b");
  commit(b);
  scan(c, {"", std::nullopt});
  commit(c);
  run("A1 B1 C1 A2 B2 C2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(c, 1), "abce") << text();
}

TEST_F(LinesTest, AReaderOfARangeGoesBeforeWritersThatCameLater) {
  const auto a = session(Isolation::read_committed);
  const auto b = session(Isolation::read_committed);
  const auto r = session();
  const auto d = session(Isolation::read_committed);
  const auto e = session(Isolation::read_committed);
  for (const auto at : {a, b, d, e}) {
    put(at, "c");
    commit(at);
  }
  scan(r, {"b", "d"});
  commit(r);
  // B is in line before the reader, D and E after it.
  run("A1 B1 C1 D1 E1 A2 B2 C2 D2 E2");
  EXPECT_TRUE(waited(r, 1)) << text();
  EXPECT_EQ(done_order(1, "BCD"), "BCD") << text();
}

TEST_F(LinesTest, WhoDoesNotWaitIsToldSoWhereHeWouldPassTheLineInVain) {
  const auto a = session(Isolation::read_committed);
  const auto b = session();
  const auto c = session(Isolation::read_committed);
  put(a, "a");
  get_for_update(a, "c", IfLocked::fail);
  commit(a);
  scan(b, {"c", "d"});
  get(b, "a");
  commit(b);
  put(c, "c");
  commit(c);
  run("A1 B1 B2 C1 A2 A3 B3 C2");
  EXPECT_EQ(answer(a, 2), "busy") << text();
  EXPECT_EQ(answer(b, 2), "v");
}

// Whichever way the one ends that is writing the row, what it writes over is too new.
TEST_F(LinesTest, AWriterThatWouldFailAnywayDoesNotWait) {
  for (const bool waits_for_rows : {true, false}) {
    open({});
    const auto a = session(Isolation::snapshot);
    const auto b = session(Isolation::snapshot);
    const auto c = session(Isolation::snapshot);
    get(a, "c");
    waits_for_rows ? put(a, "a") : get_for_update(a, "a", IfLocked::fail);
    commit(a);
    put(b, "a");
    commit(b);
    put(c, "a");
    abort(c);
    run("A1 B1 B2 C1 A2 A3 C2");
    EXPECT_FALSE(waited(a, 2));
    EXPECT_EQ(answer(a, 2), waits_for_rows ? "conflict/write_conflict" : "busy") << text();
    EXPECT_EQ(answer(a, 3), waits_for_rows ? "aborted" : "") << text();
  }
}

// Who stands in line and can only fail is in nobody's way.
TEST(LineTest, NobodyWaitsBehindAWriterThatCanOnlyFail) {
  locking::KeyLocks keys;
  locking::TableLocks table;
  const locking::KeyPlace place{table, TableId{1}, "k", locking::hash_of(TableId{1}, "k")};
  locking::Owner waiter;
  locking::Owner other;
  locking::Request request;
  request.owner = &waiter;
  request.table_locks = &table;
  request.key = place.key;
  request.hash = place.hash;
  request.fails_above = 5;
  keys.stand_in_line(request, place);
  EXPECT_FALSE(keys.may_write(other, place, false, nullptr, 0));
  EXPECT_FALSE(keys.may_write(other, place, false, nullptr, 5));
  EXPECT_TRUE(keys.may_write(other, place, false, nullptr, 6));
  keys.leave_line(request);
  EXPECT_TRUE(keys.may_write(other, place, false, nullptr, 0));
}

TEST_F(LinesTest, ATakenTableNameThatWasMetStaysTaken) {
  const auto a = session();
  const auto b = session(Isolation::read_committed);
  add(a, [](Transaction& t, std::string&) { return t.create_table("t").status(); });
  add(a, [](Transaction& t, std::string&) { return t.open_table("t").status(); });
  commit(a);
  add(b, [this](Transaction& t, std::string&) { return t.drop_table(table_); });
  commit(b);
  run("A1 B1 A2 A3 B2");
  EXPECT_EQ(answer(a, 1), "already_exists");
  EXPECT_EQ(answer(a, 2), "") << text();
  EXPECT_TRUE(waited(b, 1));
}

TEST_F(LinesTest, AnErasedKeyIsInsertedByAnother) {
  const auto a = session();
  const auto b = session();
  erase(a, "c");
  commit(a);
  insert(b, "c");
  commit(b);
  run("A1 B1 A2 B2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 1), "");
  EXPECT_EQ(answer(b, 2), "");
}

TEST_F(LinesTest, SavepointsKeepReadLocks) {
  const auto a = session();
  const auto b = session();
  add(a, [this](Transaction& t, std::string& read) {
    Result<Savepoint> savepoint = t.savepoint();
    if (!savepoint.ok()) return savepoint.status();
    if (Status status = t.get(table_, "a", read); !status.ok()) return status;
    Cursor rows = *t.cursor(table_, KeyRange{"c", "d"});
    for (rows.seek_first(); rows.valid(); rows.next()) read += rows.key();
    return t.rollback_to(*savepoint);
  });
  commit(a);
  put(b, "a");
  commit(b);
  const auto c = session();
  insert(c, "cc");
  run("A1 B1 C1 A2 B2");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_TRUE(waited(c, 1));
}

TEST_F(LinesTest, GetForShareLocksAtEveryLevel) {
  for (const Isolation level : {Isolation::read_uncommitted, Isolation::read_committed, Isolation::snapshot,
                                Isolation::repeatable_read, kTwoPhase}) {
    open({});
    const auto a = session(level);
    const auto b = session(Isolation::read_committed);
    const auto c = session(level);
    const auto d = session(Isolation::read_committed);
    get_for_share(a, "a");
    get_for_share(a, "b");
    commit(a);
    put(b, "a");
    get_for_share(c, "c");
    insert(d, "b");
    run("A1 A2 C1 B1 D1 A3");
    EXPECT_EQ(answer(a, 2), "not_found");
    EXPECT_EQ(answer(c, 1), "c0");
    EXPECT_TRUE(waited(b, 1)) << to_string(level);
    EXPECT_TRUE(waited(d, 1)) << to_string(level) << ": a key that is not there";
  }
}

TEST_F(LinesTest, GetForShareAtSnapshotMeetsWhatWasErasedOrChangedSince) {
  const auto a = session(Isolation::snapshot);
  const auto b = session(Isolation::snapshot);
  get(a, "e");
  get(b, "e");
  get_for_share(a, "a");
  get_for_share(b, "c");
  const auto c = session(Isolation::read_committed);
  erase(c, "a");
  put(c, "c");
  commit(c);
  run("A1 B1 C1 C2 C3 A2 B2");
  EXPECT_EQ(answer(a, 2), "conflict/write_conflict");
  EXPECT_EQ(answer(b, 2), "conflict/write_conflict");
}

TEST_F(LinesTest, GetForShareInAReadOnlySnapshotMeetsWhatWasErasedLongSince) {
  TransactionOptions options(Isolation::snapshot);
  options.read_only = true;
  Transaction reader = *database_->begin(options);
  std::string value;
  ASSERT_TRUE(reader.get(table_, "e", value).ok());
  Transaction eraser = *database_->begin();
  ASSERT_TRUE(eraser.erase(table_, "a").ok());
  ASSERT_TRUE(eraser.commit().ok());
  for (int i = 0; i < 100; ++i) {  // the row's tombstone goes meanwhile, or does not
    Transaction writer = *database_->begin();
    ASSERT_TRUE(writer.put(table_, "b", "v").ok());
    ASSERT_TRUE(writer.commit().ok());
  }
  ASSERT_TRUE(reader.get(table_, "a", value).ok());
  EXPECT_EQ(value, "a0");
  const Status met = reader.get_for_share(table_, "a", value);
  EXPECT_EQ(met.reason(), ConflictReason::write_conflict);
  EXPECT_EQ(met.message().find("T0"), std::string_view::npos) << met.to_string();
}

// What others leave of a key that was never there goes sooner or later. The answer is the same before.
TEST_F(LinesTest, GetForShareInAReadOnlySnapshotIsTheSameBeforeAndAfterATombstoneGoes) {
  TransactionOptions options(Isolation::snapshot);
  options.read_only = true;
  Transaction reader = *database_->begin(options);
  std::string value;
  ASSERT_TRUE(reader.get(table_, "e", value).ok());
  Transaction locker = *database_->begin();
  ASSERT_TRUE(locker.get_for_update(table_, "b", value).is(StatusCode::not_found));
  ASSERT_TRUE(locker.insert(table_, "d", "v").ok());
  ASSERT_TRUE(locker.erase(table_, "d").ok());
  ASSERT_TRUE(locker.commit().ok());
  EXPECT_EQ(reader.get_for_share(table_, "b", value).code(), StatusCode::not_found);
  for (int i = 0; i < 100; ++i) {
    Transaction writer = *database_->begin();
    ASSERT_TRUE(writer.put(table_, "c", "v").ok());
    ASSERT_TRUE(writer.commit().ok());
  }
  EXPECT_EQ(reader.get_for_share(table_, "b", value).code(), StatusCode::not_found);
  EXPECT_EQ(reader.get_for_share(table_, "d", value).code(), StatusCode::not_found);
  EXPECT_EQ(reader.get_for_share(table_, "c", value).reason(), ConflictReason::write_conflict);
}

TEST_F(LinesTest, TheTimeoutOfATransactionIsItsOwn) {
  const auto a = session();
  put(a, "a");
  run("A1");
  TransactionOptions options(kTwoPhase);
  options.lock_timeout_ms = 1;
  Transaction hasty = *database_->begin(options);
  std::string value;
  EXPECT_EQ(hasty.get(table_, "a", value).reason(), ConflictReason::lock_timeout);
  EXPECT_FALSE(hasty.active());
}

TEST_F(LinesTest, ATransactionMovesToAnotherThreadWithItsLocks) {
  const auto a = session();
  get(a, "a");
  run("A1");
  std::thread([&] {
    Transaction moved = std::move(*transaction(a));
    EXPECT_TRUE(moved.put(table_, "a", "moved").ok());
    EXPECT_TRUE(moved.commit().ok());
  }).join();
  EXPECT_TRUE(database_->locks().empty());
}

TEST_F(LinesTest, LargeValuesAreReadWithLocksAsOthers) {
  const std::string large(100'000, 'x');
  const auto a = session();
  const auto b = session();
  put(a, "large", large);
  commit(a);
  get(b, "large");
  commit(b);
  const auto c = session();
  put(c, "large");
  run("A1 B1 A2 C1 B2");
  EXPECT_EQ(answer(b, 1), large);
  EXPECT_TRUE(waited(c, 1));
}

TEST_F(LinesTest, LocksListsHoldersRangesAndWaiters) {
  const auto a = session();
  get(a, "a");
  scan(a, {"c", "d"});
  const auto b = session();
  put(b, "a");
  bool has_key = false;
  bool has_range = false;
  bool has_waiter = false;
  add(a, [&](Transaction& t, std::string&) {
    for (const LockInfo& lock : database_->locks()) {
      has_key = has_key || (lock.key == "a" && lock.mode == "read" && lock.transaction == t.id());
      has_range = has_range || (lock.is_range && lock.key == "c" && lock.hi == "d");
      has_waiter = has_waiter || (lock.is_waiting && lock.key == "a" && lock.mode == "write" &&
                                  lock.waits_for == std::vector<std::uint64_t>{t.id()});
    }
    return t.commit();
  });
  run("A1 A2 B1 A3");
  EXPECT_TRUE(has_key && has_range && has_waiter);
  sessions_.clear();
  EXPECT_TRUE(database_->locks().empty());
  EXPECT_EQ(database_->stats().lock_bytes, 0U);
}

}  // namespace
}  // namespace isolith::testing
