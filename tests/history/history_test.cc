// Generated concurrent histories against the model of the isolation levels.
//
// ISOLITH_TEST_HISTORIES=<number> runs so many instead of 2,500 (250 under ThreadSanitizer). Each runs in a
// process of its own.
#include "tests/history/history.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/history/world.h"
#include "tests/support/child.h"
#include "tests/support/seed.h"

namespace isolith::history {
namespace {

constexpr unsigned kHangSeconds = 20;
#ifdef ISOLITH_TSAN
constexpr const char* kHistories = "250";  // of a tenth of the speed
#else
constexpr const char* kHistories = "2500";
#endif
// In so many histories everything happens.
constexpr std::uint64_t kEnoughSteps = 20'000;

std::uint64_t* members(Counts& counts, std::size_t i) {
  std::uint64_t* const all[] = {
      &counts.steps,           &counts.rows,    &counts.waits,     &counts.deadlocks,
      &counts.write_conflicts, &counts.crashes, &counts.reopenings};
  return i < std::size(all) ? all[i] : nullptr;
}

class Histories : public ::testing::Test {
 protected:
  // rapidcheck reads its parameters once, at its first property.
  static void SetUpTestSuite() {
    const char* histories = std::getenv("ISOLITH_TEST_HISTORIES");
    const char* given = std::getenv("RC_PARAMS");
    std::string parameters = given != nullptr ? given : "seed=" + std::to_string(testing::test_seed());
    if (parameters.find("max_success") == std::string::npos) {
      parameters += " max_success=";
      parameters += histories != nullptr ? histories : kHistories;
    }
    setenv("RC_PARAMS", parameters.c_str(), 1);
  }
};

std::string run_here(const History& history, std::string& output) {
  World world(history);
  std::string problem = world.run();
  std::ostringstream text;
  Counts counts = world.counts();
  for (std::size_t i = 0; const std::uint64_t* count = members(counts, i); ++i) text << *count << ' ';
  output = text.str();
  return problem;
}

TEST_F(Histories, EveryAnswerWaitAndConflictIsTheModels) {
  Counts all;
  const bool holds = rc::check("every answer, wait and conflict is the model's", [&all] {
    const History history = *any_history();
    const testing::ChildResult result =
        testing::run_in_child(kHangSeconds, [&](std::string& output) { return run_here(history, output); });
    if (!result.problem.empty()) RC_FAIL(result.problem);
    std::istringstream text(result.output);
    std::uint64_t number = 0;
    for (std::size_t i = 0; std::uint64_t* count = members(all, i); ++i)
      *count += text >> number ? number : 0;
  });
  EXPECT_TRUE(holds);
  std::printf(
      "%llu steps, %llu rows, %llu waits, %llu deadlocks, %llu write conflicts, %llu crashes, "
      "%llu reopenings\n",
      static_cast<unsigned long long>(all.steps), static_cast<unsigned long long>(all.rows),
      static_cast<unsigned long long>(all.waits), static_cast<unsigned long long>(all.deadlocks),
      static_cast<unsigned long long>(all.write_conflicts), static_cast<unsigned long long>(all.crashes),
      static_cast<unsigned long long>(all.reopenings));
  if (!holds || all.steps < kEnoughSteps) return;
  EXPECT_GT(all.waits, 0U);
  EXPECT_GT(all.deadlocks, 0U);
  EXPECT_GT(all.crashes, 0U);
  EXPECT_GT(all.reopenings, 0U);
  EXPECT_EQ(all.write_conflicts > 0, parse_isolation("snapshot").has_value());
}

}  // namespace
}  // namespace isolith::history
