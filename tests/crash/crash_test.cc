// What a crash may leave: the acknowledged commits and perhaps more of them, in commit order and whole, at
// any point.
#include <gtest/gtest.h>

#include <string>

#include "tests/crash/crash_story.h"
#include "tests/support/seed.h"

namespace isolith::crash {
namespace {

// Runs stories of this kind until so many states were looked at.
void run_stories(StoryOptions options, std::uint64_t states) {
  std::uint64_t seed = testing::test_seed();
  std::uint64_t seen = 0;
  while (seen < states) {
    options.seed = base::splitmix64(seed);
    CrashStory story(options);
    const std::string problem = story.run();
    ASSERT_EQ(problem, "");
    seen += story.states();
  }
  ::testing::Test::RecordProperty("states", std::to_string(seen));
}

TEST(Crash, LeavesAPrefixWithAllThatWasAcknowledged) {
  run_stories({}, 900);
}

TEST(Crash, LeavesAPrefixWhenTheDataIsFarLargerThanTheCache) {
  StoryOptions options;
  options.keys_max = 2000;
  options.calls = 5000;
  options.lives = 2;
  options.states_per_life = 60;
  options.large_per_mille = 60;
  run_stories(options, 400);
}

TEST(Crash, LeavesAPrefixOfVerySmallDatabases) {
  StoryOptions options;
  options.keys_max = 20;
  options.calls = 120;
  options.lives = 6;
  options.states_per_life = 15;
  run_stories(options, 900);
}

TEST(Crash, LeavesAPrefixUnderThreads) {
  StoryOptions options;
  options.threads = true;
  run_stories(options, 500);
}

}  // namespace
}  // namespace isolith::crash
