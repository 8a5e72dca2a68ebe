// Who waits for whom among transactions of engines that are asked without waiting.
#include "anomalies/adapters/lock_waits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "anomalies/runner.h"

namespace isolith::anomalies {
namespace {

using Outcome = LockWaits::Outcome;

// Sessions A, B, C are transactions 1, 2, 3, all of them active from the start.
class LockWaitsTest : public ::testing::Test {
 protected:
  LockWaitsTest() {
    program_.sessions = {{"A", {}}, {"B", {}}, {"C", {}}};
    for (std::uint64_t id = 1; id <= 3; ++id) waits_.begun(id);
  }

  void step_waits(std::size_t session, std::vector<std::uint64_t> holders) {
    program_.sessions[session].steps.push_back([=, this] {
      outcomes_.push_back({session, waits_.wait(session + 1, holders, "t", "k")});
    });
  }
  void step_ends(std::size_t session) {
    program_.sessions[session].steps.push_back([=, this] { waits_.ended(session + 1); });
  }

  std::string run(const std::string& order) {
    const Result<Schedule> schedule = parse_schedule(order, program_);
    EXPECT_TRUE(schedule.ok()) << schedule.status().to_string();
    EXPECT_TRUE(runner_.run(program_, *schedule, trace_).ok());
    std::string text;
    for (const auto& [session, outcome] : outcomes_) {
      text += program_.sessions[session].name;
      text += outcome == Outcome::again      ? " again, "
              : outcome == Outcome::deadlock ? " deadlock, "
                                             : " timed out, ";
    }
    return text;
  }

  Runner runner_;
  LockWaits waits_{runner_};
  Program program_;
  Trace trace_;
  std::vector<std::pair<std::size_t, Outcome>> outcomes_;
};

TEST_F(LockWaitsTest, a_waiter_goes_on_when_its_holder_ends_and_not_before) {
  step_waits(0, {2});
  step_ends(2);
  step_ends(1);
  EXPECT_EQ(run("A C B"), "A again, ");
  const std::string text = to_string(trace_, program_);
  EXPECT_NE(text.find("C1 done\nB1 done\nA1 resumed\n"), std::string::npos) << text;
}

TEST_F(LockWaitsTest, who_closes_a_ring_does_not_wait) {
  step_waits(0, {2});
  step_waits(1, {3});
  step_waits(2, {1});
  step_ends(2);
  step_ends(1);
  EXPECT_EQ(run("A B C C B"), "C deadlock, B again, A again, ");
}

TEST_F(LockWaitsTest, who_waits_for_several_waits_while_one_of_them_is_stuck_on_it) {
  step_waits(0, {2});
  step_waits(1, {1, 3});
  step_ends(1);
  EXPECT_EQ(run("A B B"), "B deadlock, A again, ");
}

TEST_F(LockWaitsTest, who_knows_no_holder_waits_as_long_as_anybody_can_go_on) {
  step_waits(0, {});
  step_waits(1, {});
  step_ends(2);
  EXPECT_EQ(run("A B C"), "A again, B again, ");
}

TEST_F(LockWaitsTest, nobody_waits_where_all_others_know_no_holder_and_wait) {
  step_waits(0, {});
  step_waits(1, {});
  step_waits(2, {});
  step_ends(2);
  EXPECT_EQ(run("A B C C"), "C deadlock, A again, B again, ");
}

TEST_F(LockWaitsTest, the_only_other_one_is_the_holder) {
  waits_.ended(3);
  program_.transaction_of = [](std::size_t session) { return session + 1; };
  step_waits(0, {});
  step_ends(1);
  EXPECT_EQ(run("A B"), "A again, ");
  ASSERT_FALSE(trace_.events.empty());
  EXPECT_EQ(trace_.events.front().holder_sessions, std::vector<std::size_t>{1});
}

TEST_F(LockWaitsTest, nobody_waits_for_one_that_is_over) {
  waits_.ended(2);
  step_waits(0, {2});
  EXPECT_EQ(run("A"), "A deadlock, ");
}

TEST_F(LockWaitsTest, a_wait_that_the_schedule_ends_has_timed_out) {
  step_waits(0, {2});
  step_ends(1);
  EXPECT_EQ(run("A A! B"), "A timed out, ");
}

}  // namespace
}  // namespace isolith::anomalies
