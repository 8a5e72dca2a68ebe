// isolith_crash: looks at very many crash states. `isolith_crash --states 100000 --seed 7`
#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>
#include <string>

#include "tests/crash/crash_story.h"

namespace {

using isolith::crash::StoryOptions;

// Stories of several kinds in turn.
StoryOptions story_of(std::uint64_t index, std::uint64_t seed) {
  StoryOptions options;
  options.seed = seed;
  options.threads = index % 4 == 3;
  if (index % 4 == 1) {
    options.keys_max = 20;
    options.calls = 150;
    options.lives = 6;
  } else if (index % 16 == 2) {
    options.keys_max = 2000;
    options.calls = 5000;
    options.large_per_mille = 60;
  }
  options.states_per_life = index % 2 == 0 ? 40 : 20;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t states = 10'000;
  std::uint64_t seed = std::random_device()();
  CLI::App app("Compares crash states of a simulated disk with what was acknowledged");
  app.add_option("--states", states, "how many states to look at")->capture_default_str();
  app.add_option("--seed", seed, "where the random numbers begin; drawn when it is not given");
  CLI11_PARSE(app, argc, argv);

  std::printf("isolith_crash --states %llu --seed %llu\n", static_cast<unsigned long long>(states),
              static_cast<unsigned long long>(seed));
  std::uint64_t seen = 0;
  std::uint64_t shown = 0;
  for (std::uint64_t index = 0; seen < states; ++index) {
    isolith::crash::CrashStory story(story_of(index, isolith::base::splitmix64(seed)));
    const std::string problem = story.run();
    seen += story.states();
    if (!problem.empty()) {
      std::printf("after %llu states: %s\n", static_cast<unsigned long long>(seen), problem.c_str());
      return 1;
    }
    if (seen >= shown + states / 10) {
      shown = seen;
      std::printf("%llu states\n", static_cast<unsigned long long>(seen));
      std::fflush(stdout);
    }
  }
  std::printf("%llu states, no problem\n", static_cast<unsigned long long>(seen));
  return 0;
}
