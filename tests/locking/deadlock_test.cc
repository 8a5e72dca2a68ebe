// Deadlocks: found by the wait that closes the cycle, with a report of all of it.
#include <gtest/gtest.h>

#include <set>

#include "tests/locking/locks_fixture.h"

namespace isolith::testing {
namespace {

using DeadlockTest = LocksFixture;

constexpr std::string_view kVictim = "conflict/deadlock";

TEST_F(DeadlockTest, TwoReadersOfAKeyThatBothWantToWriteIt) {
  const auto a = session(kTwoPhase, "first");
  const auto b = session(kTwoPhase, "second");
  for (const auto at : {a, b}) {
    get(at, "a");
    put(at, "a");
    commit(at);
  }
  run("A1 B1 A2 B2 A3 B3");
  EXPECT_TRUE(waited(a, 2));
  EXPECT_EQ(answer(a, 3), "");
  ASSERT_EQ(answer(b, 2), kVictim) << text();
  const DeadlockReport* report = status(b, 2).deadlock_report();
  ASSERT_NE(report, nullptr);
  ASSERT_EQ(report->circle.size(), 2U);
  std::set<std::string> labels;
  for (const DeadlockReport::Member& member : report->circle) {
    labels.insert(member.label);
    EXPECT_EQ(member.level, "serializable_2pl");
    EXPECT_EQ(member.wants, "write");
    EXPECT_EQ(member.table, "t");
    EXPECT_EQ(member.key, "a");
    EXPECT_EQ(member.blocker_holds, "read it with a lock");
  }
  EXPECT_EQ(labels, (std::set<std::string>{"first", "second"}));
}

// Each session writes a key of its own and then the next one's.
class CycleTest : public LocksFixture, public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, CycleTest, ::testing::Values(2, 3, 20));

TEST_P(CycleTest, NamesEveryMemberAndFailsTheYoungest) {
  const std::size_t members = GetParam();
  std::string schedule;
  for (std::size_t i = 0; i < members; ++i) {
    session(kTwoPhase, "member " + std::to_string(i));
    put(i, "k" + std::to_string(i));
    put(i, "k" + std::to_string((i + 1) % members));
    commit(i);
    schedule += name_of(i) + "1 ";
  }
  // The eldest closes the circle, so that the victim is another one.
  for (std::size_t i = members; i-- > 0;) schedule += name_of(i) + "2 ";
  for (std::size_t i = 0; i < members; ++i) schedule += name_of(i) + "3 ";
  run(schedule);
  const std::size_t youngest = members - 1;
  ASSERT_EQ(answer(youngest, 2), kVictim) << text();
  for (std::size_t i = 0; i < youngest; ++i) EXPECT_EQ(answer(i, 3), "") << text();
  const DeadlockReport* report = status(youngest, 2).deadlock_report();
  ASSERT_NE(report, nullptr);
  ASSERT_EQ(report->circle.size(), members);
  std::set<std::uint64_t> numbers;
  std::set<std::string> labels;
  std::set<std::string> keys;
  for (const DeadlockReport::Member& member : report->circle) {
    numbers.insert(member.transaction);
    labels.insert(member.label);
    keys.insert(member.key);
    EXPECT_EQ(member.blocker_holds, "wrote it");
  }
  EXPECT_EQ(numbers.size(), members);
  EXPECT_EQ(labels.size(), members);
  EXPECT_EQ(keys.size(), members);
  EXPECT_TRUE(numbers.contains(report->victim));
  EXPECT_EQ(database_->stats().deadlocks, 1U);
}

TEST_F(DeadlockTest, LeastWrittenGivesWayWhereThatIsTheRule) {
  Options options;
  options.locks.victim = DeadlockVictim::least_written;
  open(options);
  const auto a = session();
  const auto b = session();
  put(a, "a");
  put(a, "c");
  commit(a);
  put(b, "x");
  put(b, "c");
  put(b, "a");
  commit(b);
  run("A1 B1 B2 A2 B3 B4 A3");
  EXPECT_EQ(answer(a, 2), kVictim) << text();
  EXPECT_EQ(answer(b, 4), "");
}

// A began first and has written more, so either other rule would fail B.
TEST_F(DeadlockTest, TheOneThatClosesTheCircleGivesWayWhereThatIsTheRule) {
  Options options;
  options.locks.victim = DeadlockVictim::last_to_wait;
  open(options);
  const auto a = session();
  const auto b = session();
  put(a, "a");
  put(a, "x");
  put(a, "c");
  commit(a);
  put(b, "c");
  put(b, "a");
  commit(b);
  run("A1 A2 B1 B2 A3 B3 A4");
  EXPECT_TRUE(waited(b, 2));
  EXPECT_EQ(answer(a, 3), kVictim) << text();
  EXPECT_EQ(answer(b, 2), "");
  EXPECT_EQ(answer(b, 3), "");
}

TEST_F(DeadlockTest, ARangeInACircleIsReportedWithItsEnds) {
  const auto a = session();
  const auto b = session();
  put(a, "x");
  scan(a, {"a", "d"});
  put(a, "e");
  commit(a);
  put(b, "e");
  put(b, "b");
  commit(b);
  run("A1 B1 A2 A3 B2 A4 B3");
  ASSERT_EQ(answer(b, 2), kVictim) << text();
  bool has_range = false;
  for (const auto& member : status(b, 2).deadlock_report()->circle)
    has_range = has_range || member.blocker_holds == "read a range with it";
  EXPECT_TRUE(has_range);
}

// Nobody is failed because he stands behind somebody who waits for him.
TEST_F(DeadlockTest, APlaceInLineIsGivenUpRatherThanSomebodyFailed) {
  const auto a = session();
  const auto b = session();
  put(a, "a");
  get(a, "c");
  commit(a);
  get(b, "c");
  put(b, "a");
  commit(b);
  const auto c = session();
  put(c, "c");
  commit(c);
  // C stands in line for "c", which B has read; A reads "c" past it, since C is no obstacle in the end.
  run("A1 B1 C1 B2 A2 A3 B3 C2");
  for (const auto at : {a, b}) EXPECT_EQ(answer(at, 3), "") << text();
  EXPECT_EQ(answer(c, 2), "");
  EXPECT_EQ(database_->stats().deadlocks, 0U);
}

TEST_F(DeadlockTest, TwoThatInsertOrEraseOrGoThroughRowsToWriteThemWaitAndAreNoDeadlock) {
  const auto a = session();
  const auto b = session();
  const CursorOptions update{CursorOptions::Lock::update, IfLocked::wait};
  for (const auto at : {a, b}) {
    insert(at, "b");
    erase(at, "c");
    scan(at, {"d", std::nullopt, true, SIZE_MAX, update});
    commit(at);
  }
  run("A1 B1 A2 A3 A4 B2 B3 B4");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 1), "already_exists");
  EXPECT_EQ(answer(b, 2), "not_found");
  EXPECT_EQ(answer(b, 3), "e");
  EXPECT_EQ(answer(b, 4), "");
}

TEST_F(DeadlockTest, TwoThatEraseARangeWaitAndAreNoDeadlock) {
  for (const Isolation level : {Isolation::repeatable_read, Isolation::serializable_2pl}) {
    open({});
    const auto a = session(level);
    const auto b = session(level);
    for (const auto at : {a, b}) {
      add(at, [this](Transaction& t, std::string& read) {
        const Result<std::uint64_t> erased = t.erase_range(table_, KeyRange{"b", "f"});
        if (erased.ok()) read = std::to_string(*erased);
        return erased.status();
      });
      commit(at);
    }
    run("A1 B1 A2 B2");
    EXPECT_EQ(answer(a, 1), "2");
    EXPECT_TRUE(waited(b, 1));
    EXPECT_EQ(answer(b, 1), "0");
  }
}

TEST_F(DeadlockTest, CursorsThatLockRowsToWriteThemWaitAtTheFirst) {
  const auto a = session();
  const auto b = session();
  const CursorOptions update{CursorOptions::Lock::update, IfLocked::wait};
  for (const auto at : {a, b}) {
    scan(at, {"", std::nullopt, true, 1, update});
    scan(at, {"", std::nullopt, true, SIZE_MAX, update});
    commit(at);
  }
  run("A1 B1 A2 A3 B2 B3");
  EXPECT_TRUE(waited(b, 1));
  EXPECT_EQ(answer(b, 2), "ace") << text();
}

}  // namespace
}  // namespace isolith::testing
