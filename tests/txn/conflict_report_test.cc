// ConflictReport: every conflict says who met whom, where and by which rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "isolith/isolith.h"

namespace isolith {
namespace {

using ::testing::HasSubstr;

class ConflictReportTest : public ::testing::Test {
 protected:
  static Options options() {
    Options options;
    options.locks.victim = DeadlockVictim::last_to_wait;
    return options;
  }
  Transaction begin(const char* label, Isolation level = Isolation::serializable,
                    std::uint64_t timeout_ms = 0) {
    TransactionOptions options(level);
    options.label = label;
    options.lock_timeout_ms = timeout_ms;
    return *database_.begin(options);
  }
  void SetUp() override {
    Transaction first = begin("first");
    for (const char* key : {"x", "y"}) ASSERT_TRUE(first.put(table_, key, "0").ok());
    ASSERT_TRUE(first.commit().ok());
  }

  Database database_ = *Database::open_in_memory(options());
  Table table_ = *database_.ensure_table("t");
};

TEST_F(ConflictReportTest, WriteSkewTellsTheCircle) {
  Transaction a = begin("alice");
  Transaction b = begin("bob");
  ASSERT_TRUE(a.get(table_, "x").ok());
  ASSERT_TRUE(b.get(table_, "y").ok());
  ASSERT_TRUE(a.put(table_, "y", "1").ok());
  ASSERT_TRUE(b.put(table_, "x", "1").ok());
  const std::uint64_t first = a.id();
  const std::uint64_t second = b.id();
  ASSERT_TRUE(a.commit().ok());
  const Status status = b.commit();
  ASSERT_EQ(status.reason(), ConflictReason::serialization) << status.to_string();
  const ConflictReport* report = status.conflict_report();
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->rule, "no circle of committed transactions");
  EXPECT_TRUE(report->can_retry_now);
  EXPECT_GT(report->snapshot, 0U);
  ASSERT_EQ(report->parties.size(), 2U);
  EXPECT_EQ(report->parties[0].transaction, second);
  EXPECT_EQ(report->parties[0].label, "bob");
  EXPECT_EQ(report->parties[0].state, "failed");
  EXPECT_EQ(report->parties[1].transaction, first);
  EXPECT_EQ(report->parties[1].label, "alice");
  EXPECT_EQ(report->parties[1].level, "serializable_ssi");
  EXPECT_EQ(report->parties[1].state, "committed");
  EXPECT_GT(report->parties[1].commit, report->snapshot);
  ASSERT_EQ(report->edges.size(), 2U);
  EXPECT_EQ(report->edges[0].kind, "rw");
  EXPECT_EQ(report->edges[0].table, "t");
  EXPECT_EQ(report->edges[0].key, "y");
  EXPECT_EQ(report->edges[0].from, 0U);
  EXPECT_EQ(report->edges[0].to, 1U);
  EXPECT_EQ(report->edges[1].key, "x");
  EXPECT_EQ(report->edges[1].from, 1U);
  EXPECT_EQ(report->edges[1].to, 0U);
  EXPECT_THAT(std::string(status.message()), HasSubstr("(bob) comes before T"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("which wrote over what it read at t/y"));
}

// What is remembered of one is used again for others, which have no label.
TEST_F(ConflictReportTest, NobodyHasTheLabelOfOneBefore) {
  for (int i = 0; i < 100; ++i) {
    Transaction named = begin("named");
    ASSERT_TRUE(named.put(table_, "z", "1").ok());
    ASSERT_TRUE(named.commit().ok());
  }
  for (int i = 0; i < 100; ++i) {
    Transaction a = begin("");
    Transaction b = begin("");
    ASSERT_TRUE(a.get(table_, "x").ok());
    ASSERT_TRUE(b.get(table_, "y").ok());
    ASSERT_TRUE(a.put(table_, "y", "1").ok());
    ASSERT_TRUE(b.put(table_, "x", "1").ok());
    ASSERT_TRUE(a.commit().ok());
    const Status status = b.commit();
    ASSERT_EQ(status.reason(), ConflictReason::serialization) << status.to_string();
    for (const ConflictReport::Party& party : status.conflict_report()->parties) EXPECT_EQ(party.label, "");
  }
}

// The report's two members are the first writer and who only read.
TEST_F(ConflictReportTest, TheReadOnlyAnomalyTellsAllThree) {
  Transaction pivot = begin("pivot");
  ASSERT_TRUE(pivot.get(table_, "x").ok());
  Transaction writer = begin("writer");
  ASSERT_TRUE(writer.put(table_, "x", "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  Transaction reader = begin("reader");
  ASSERT_TRUE(reader.get(table_, "x").ok());
  ASSERT_TRUE(reader.get(table_, "y").ok());
  ASSERT_TRUE(reader.commit().ok());
  ASSERT_TRUE(pivot.put(table_, "y", "1").ok());
  const Status status = pivot.commit();
  ASSERT_EQ(status.reason(), ConflictReason::serialization) << status.to_string();
  const ConflictReport& report = *status.conflict_report();
  ASSERT_EQ(report.parties.size(), 3U) << status.message();
  EXPECT_EQ(report.parties[1].label, "writer");
  EXPECT_EQ(report.parties[2].label, "reader");
  EXPECT_EQ(report.edges[1].kind, "wr") << "the reader read what the writer wrote";
  EXPECT_EQ(report.edges[2].kind, "rw");
  EXPECT_EQ(report.edges[2].key, "y");
}

TEST_F(ConflictReportTest, TheFirstUpdaterIsNamed) {
  Transaction a = begin("alice");
  Transaction b = begin("bob");
  ASSERT_TRUE(a.put(table_, "x", "1").ok());
  const std::uint64_t winner = a.id();
  ASSERT_TRUE(a.commit().ok());
  const Status status = b.put(table_, "x", "2");
  const ConflictReport* report = status.conflict_report();
  ASSERT_NE(report, nullptr) << status.to_string();
  EXPECT_EQ(report->rule, "first updater wins");
  EXPECT_TRUE(report->can_retry_now);
  ASSERT_EQ(report->parties.size(), 2U);
  EXPECT_EQ(report->parties[0].level, "serializable_ssi");
  EXPECT_EQ(report->parties[0].label, "bob");
  EXPECT_EQ(report->parties[1].transaction, winner);
  EXPECT_EQ(report->parties[1].label, "alice");
  EXPECT_EQ(report->parties[1].level, "serializable_ssi");
  EXPECT_EQ(report->parties[1].state, "committed");
  ASSERT_EQ(report->edges.size(), 1U);
  EXPECT_EQ(report->edges[0].from, 1U) << "the first updater comes before";
  EXPECT_EQ(report->edges[0].key, "x");
  EXPECT_THAT(std::string(status.message()), HasSubstr("(alice), which committed after the snapshot of T"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(bob) (at "));
}

// Of whom nothing was described the level is told, whichever it is.
TEST_F(ConflictReportTest, TheFirstUpdatersLevelIsToldWithoutALabel) {
  for (const Isolation level : {Isolation::read_uncommitted, Isolation::read_committed, Isolation::snapshot,
                                Isolation::repeatable_read, Isolation::serializable_2pl,
                                Isolation::serializable_ssi, Isolation::serial}) {
    Transaction b = begin("bob", Isolation::snapshot);
    Transaction a = begin("", level);
    ASSERT_TRUE(a.put(table_, "x", "1").ok());
    ASSERT_TRUE(a.commit().ok());
    const Status status = b.put(table_, "x", "2");
    ASSERT_EQ(status.reason(), ConflictReason::write_conflict) << status.to_string();
    const ConflictReport::Party& winner = status.conflict_report()->parties[1];
    EXPECT_EQ(winner.level, to_string(level));
    EXPECT_EQ(winner.label, "");
  }
}

class NamedPolicy final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "one_of_my_own"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest_committed; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

// The policy is gone by the time that its name is told.
TEST_F(ConflictReportTest, TheFirstUpdatersLevelMayBeOfTheProgramsOwn) {
  Transaction b = begin("bob", Isolation::snapshot);
  {
    const NamedPolicy policy;
    TransactionOptions options;
    options.policy = &policy;
    Transaction a = *database_.begin(options);
    ASSERT_TRUE(a.put(table_, "x", "1").ok());
    ASSERT_TRUE(a.commit().ok());
  }
  const Status status = b.put(table_, "x", "2");
  ASSERT_EQ(status.reason(), ConflictReason::write_conflict) << status.to_string();
  EXPECT_EQ(status.conflict_report()->parties[1].level, "one_of_my_own");
}

// What is remembered has a bound; then the level is there, and the label not.
TEST_F(ConflictReportTest, LabelsOfTheLastThousandAreRemembered) {
  Transaction early = begin("early", Isolation::snapshot);
  Transaction late = begin("late", Isolation::snapshot);
  Transaction first = begin("alice", Isolation::read_committed);
  ASSERT_TRUE(first.put(table_, "x", "1").ok());
  ASSERT_TRUE(first.commit().ok());
  const auto commit_more = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Transaction more = begin("more", Isolation::read_committed);
      ASSERT_TRUE(more.put(table_, "z", "1").ok());
      ASSERT_TRUE(more.commit().ok());
    }
  };
  commit_more(1023);
  const Status known = early.put(table_, "x", "2");
  ASSERT_EQ(known.reason(), ConflictReason::write_conflict) << known.to_string();
  EXPECT_EQ(known.conflict_report()->parties[1].label, "alice");
  commit_more(1024);
  const Status forgotten = late.put(table_, "x", "2");
  ASSERT_EQ(forgotten.reason(), ConflictReason::write_conflict) << forgotten.to_string();
  EXPECT_EQ(forgotten.conflict_report()->parties[1].label, "");
  EXPECT_EQ(forgotten.conflict_report()->parties[1].level, "read_committed");
}

TEST_F(ConflictReportTest, ATimeoutNamesTheHolderAndThatItIsStillThere) {
  Transaction a = begin("alice", Isolation::read_committed);
  Transaction b = begin("bob", Isolation::read_committed, 1);
  ASSERT_TRUE(a.put(table_, "x", "1").ok());
  const Status status = b.put(table_, "x", "2");
  ASSERT_EQ(status.reason(), ConflictReason::lock_timeout) << status.to_string();
  const ConflictReport* report = status.conflict_report();
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->rule, "lock timeout");
  EXPECT_FALSE(report->can_retry_now);
  ASSERT_EQ(report->parties.size(), 2U);
  EXPECT_EQ(report->parties[0].label, "bob");
  EXPECT_EQ(report->parties[0].level, "read_committed");
  EXPECT_EQ(report->parties[1].transaction, a.id());
  EXPECT_EQ(report->parties[1].state, "active");
  EXPECT_EQ(report->parties[1].label, "alice") << "who waits for nothing itself";
  EXPECT_EQ(report->parties[1].level, "read_committed");
  EXPECT_THAT(std::string(status.message()), HasSubstr("(alice), which"));
  ASSERT_EQ(report->edges.size(), 1U);
  EXPECT_EQ(report->edges[0].kind, "waits");
  EXPECT_EQ(report->edges[0].key, "x");
}

// Holders end, and begin again as others, while those that wait for them give up and tell of them.
TEST_F(ConflictReportTest, TimeoutsTellOfHoldersThatEndMeanwhile) {
  constexpr int kRounds = 60;
  std::atomic<int> held{-1};
  std::atomic<int> given_up{-1};
  const auto reach = [](std::atomic<int>& place, int round) {
    place = round;
    place.notify_all();
  };
  const auto wait_for = [](const std::atomic<int>& place, int round) {
    for (int now = place; now < round; now = place) place.wait(now);
  };
  std::thread holds([&] {
    for (int round = 0; round < kRounds; ++round) {
      const Isolation level = round % 3 == 0 ? Isolation::read_committed : Isolation::serializable_2pl;
      Transaction a = begin((std::string(to_string(level)) + " of a holder").c_str(), level);
      ASSERT_TRUE(a.put(table_, "x", "1").ok());
      reach(held, round);
      // In every other round it goes as the other one's time is over, or before, or after.
      if (round % 2 == 0) wait_for(given_up, round);
      ASSERT_TRUE(a.commit().ok());
      wait_for(given_up, round);
    }
  });
  int timeouts = 0;
  for (int round = 0; round < kRounds; ++round) {
    wait_for(held, round);
    Transaction b = begin("waiter", Isolation::read_committed, 1);
    const Status status = b.put(table_, "x", "2");
    if (!status.ok()) {
      ASSERT_EQ(status.reason(), ConflictReason::lock_timeout) << status.to_string();
      const ConflictReport::Party& holder = status.conflict_report()->parties.at(1);
      EXPECT_EQ(holder.label, holder.level + " of a holder");
      ++timeouts;
    } else {
      EXPECT_TRUE(b.abort().ok());
    }
    reach(given_up, round);
  }
  holds.join();
  EXPECT_GE(timeouts, kRounds / 2);
}

TEST_F(ConflictReportTest, ADeadlockIsACircleOfWaits) {
  Transaction a = begin("alice", Isolation::read_committed);
  Transaction b = begin("bob", Isolation::read_committed);
  ASSERT_TRUE(a.put(table_, "x", "1").ok());
  ASSERT_TRUE(b.put(table_, "y", "1").ok());
  std::thread waits([&] { EXPECT_TRUE(a.put(table_, "y", "2").ok()); });
  while (database_.stats().lock_waits == 0) std::this_thread::yield();
  const Status status = b.put(table_, "x", "2");
  waits.join();
  ASSERT_EQ(status.reason(), ConflictReason::deadlock) << status.to_string();
  const ConflictReport* report = status.conflict_report();
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->rule, "no deadlock");
  ASSERT_EQ(report->parties.size(), 2U);
  EXPECT_EQ(report->parties[0].label, "bob");
  EXPECT_EQ(report->parties[1].label, "alice");
  EXPECT_EQ(report->parties[1].state, "waiting");
  ASSERT_EQ(report->edges.size(), 2U);
  EXPECT_EQ(report->edges[0].key, "x");
  EXPECT_EQ(report->edges[1].key, "y");
  EXPECT_NE(status.deadlock_report(), nullptr);
}

}  // namespace
}  // namespace isolith
