// The level serializable_ssi beside the others: each transaction gets what its own level promises, and no
// less for the levels of its neighbours.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/txn/serializable_fixture.h"

namespace isolith::testing {
namespace {

class MixedLevelsTest : public SerializableTest {};

INSTANTIATE_TEST_SUITE_P(Judging, MixedLevelsTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

TransactionOptions read_only(TransactionOptions options) {
  options.read_only = true;
  return options;
}

// ---- the read-only anomaly (Fekete, O'Neil, O'Neil 2004): the batch comes before the deposit, whose change
// it did not see; the report has seen the deposit and not the batch ----

// The batch has read both and has yet to write "a"; the deposit to "c" has committed.
Player& begin_batch(Player& batch, Player& deposit) {
  batch.get("a");
  batch.get("c");
  deposit.get("c");
  deposit.put("c", "20");
  EXPECT_TRUE(deposit.commit());
  return batch;
}

TEST_P(MixedLevelsTest, AReportThatIsPromisedASerialOrderFailsTheBatch) {
  const std::vector<TransactionOptions> levels = {
      Isolation::serializable_ssi, read_only(Isolation::serializable_ssi),
      Isolation::serializable_2pl, read_only(Isolation::serializable_2pl),
      Isolation::repeatable_read,  Isolation::serial};
  for (const TransactionOptions& level : levels) {
    for (const bool by_scan : {false, true}) {
      if (by_scan && level.isolation == Isolation::repeatable_read) continue;
      SCOPED_TRACE(to_string(*level.isolation));
      open_with({"a", "c"});
      Player& deposit = player();
      Player& batch = begin_batch(player(), deposit);
      alone(
          [&](Player& report) {
            const std::string seen = by_scan ? report.scan() : report.get("a") + report.get("c");
            EXPECT_EQ(seen, by_scan ? "a c " : "020");
          },
          level);
      batch.put("a", "-11");
      expect_one_fails({&batch});
    }
  }
}

// Two that read, of which the second one reads after the batch has written and before it commits.
TEST_P(MixedLevelsTest, AReportDuringTheBatchsLastStepFailsOneOfThem) {
  for (const bool batch_first : {true, false}) {
    open_with({"a", "c"});
    Player& deposit = player();
    Player& batch = begin_batch(player(), deposit);
    batch.put("a", "-11");
    Player& report = player(read_only(Isolation::serializable_ssi));
    EXPECT_EQ(report.get("a") + report.get("c"), "020");
    batch_first ? expect_one_fails({&batch, &report}) : expect_one_fails({&report, &batch});
  }
}

TEST_F(SerializableExactTest, AReportThatIsPromisedLessFailsNobody) {
  for (const Isolation level :
       {Isolation::snapshot, Isolation::read_committed, Isolation::read_uncommitted}) {
    SCOPED_TRACE(to_string(level));
    open({}, {"a", "c"});
    Player& deposit = player();
    Player& batch = begin_batch(player(), deposit);
    alone([](Player& report) { EXPECT_EQ(report.get("a") + report.get("c"), "020"); }, level);
    batch.put("a", "-11");
    expect_all_commit({&batch});
  }
}

TEST_F(SerializableExactTest, AReportBeforeTheDepositFailsNobody) {
  Player& batch = player();
  Player& deposit = player();
  batch.get("a");
  batch.get("c");
  deposit.put("c", "20");
  alone([](Player& report) { report.scan(); });
  EXPECT_TRUE(deposit.commit());
  batch.put("a", "-11");
  expect_all_commit({&batch});
}

// ---- two-phase locking ----

TEST_P(MixedLevelsTest, WriteSkewWithOneThatLocksFailsTheOneThatDoesNot) {
  for (const Isolation level : {Isolation::serializable_2pl, Isolation::repeatable_read, Isolation::serial}) {
    SCOPED_TRACE(to_string(level));
    open_with({"a", "c"});
    Player& tracked = player();
    tracked.get("a");
    alone(
        [](Player& locking) {
          locking.get("c");
          locking.put("a");
        },
        level);
    tracked.put("c");
    expect_one_fails({&tracked});
  }
}

TEST_P(MixedLevelsTest, WriteSkewThroughTheRangeOfOneThatLocksFailsTheOneThatDoesNot) {
  for (const Isolation level : {Isolation::serializable_2pl, Isolation::serial}) {
    SCOPED_TRACE(to_string(level));
    open_with({"a", "z"});
    Player& tracked = player();
    EXPECT_EQ(tracked.scan({"b", "c"}), "");
    alone(
        [](Player& locking) {
          EXPECT_EQ(locking.scan({"m", "n"}), "");
          locking.insert("b");
        },
        level);
    tracked.insert("m");
    expect_one_fails({&tracked});
  }
}

TEST_F(SerializableExactTest, OneThatLocksAndReadsNothingOfTheOthersFailsNobody) {
  Player& tracked = player();
  tracked.get("a");
  alone(
      [](Player& locking) {
        locking.get("e");
        locking.put("a");
      },
      Isolation::serializable_2pl);
  tracked.put("c");
  expect_all_commit({&tracked});
}

// ---- neighbours that read without a promise ----

TEST_F(SerializableExactTest, WriteSkewWithOneThatMayHaveItFailsNobody) {
  for (const Isolation level :
       {Isolation::snapshot, Isolation::read_committed, Isolation::read_uncommitted}) {
    SCOPED_TRACE(to_string(level));
    Player& tracked = player();
    Player& loose = player(level);
    tracked.get("a");
    loose.get("c");
    loose.put("a");
    EXPECT_TRUE(loose.commit());
    tracked.put("c");
    expect_all_commit({&tracked});
  }
}

// It overwrote what one has read, a second one has read what it wrote: between those two it is as any other.
TEST_P(MixedLevelsTest, TheWritesOfANeighbourOfAnyLevelPutOthersInOrder) {
  for (const Isolation level : {Isolation::snapshot, Isolation::read_committed, Isolation::read_uncommitted,
                                Isolation::repeatable_read, Isolation::serializable_2pl}) {
    SCOPED_TRACE(to_string(level));
    open_with({"a", "c"});
    Player& before = player();
    EXPECT_EQ(before.get("a"), "0");
    alone([](Player& neighbour) { neighbour.put("a", "1"); }, level);
    alone([](Player& behind) { EXPECT_EQ(behind.get("a") + behind.get("c"), "10"); });
    before.put("c");  // which comes before `behind` then, which comes before it
    expect_one_fails({&before});
  }
}

// As above, over two neighbours, the second of which wrote over what the first one did.
TEST_P(MixedLevelsTest, TheWritesOfSeveralNeighboursPutOthersInOrder) {
  for (const Isolation level : {Isolation::snapshot, Isolation::read_committed, Isolation::read_uncommitted,
                                Isolation::repeatable_read, Isolation::serializable_2pl}) {
    SCOPED_TRACE(to_string(level));
    open_with({"a", "b", "c"});
    Player& before = player();
    EXPECT_EQ(before.get("a"), "0");
    alone(
        [](Player& neighbour) {
          neighbour.put("a", "1");
          neighbour.put("b", "1");
        },
        level);
    alone([](Player& neighbour) { neighbour.put("b", "2"); }, level);
    alone([](Player& behind) { EXPECT_EQ(behind.get("b") + behind.get("c"), "20"); });
    before.put("c");
    expect_one_fails({&before});
  }
}

TEST_P(MixedLevelsTest, TwoThatArePromisedASerialOrderGetItBesideOthersThatWriteTheSame) {
  for (const Isolation level : {Isolation::snapshot, Isolation::read_committed}) {
    open_with({"a", "c"});
    Player& a = player();
    Player& b = player();
    Player& loose = player(level);
    a.get("a");
    b.get("c");
    loose.put("b");
    a.put("c");
    b.put("a");
    EXPECT_TRUE(loose.commit());
    expect_one_fails({&a, &b});
  }
}

}  // namespace
}  // namespace isolith::testing
