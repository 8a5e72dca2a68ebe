// Every interleaving of small generated transactions at the locking levels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/random.h"
#include "tests/locking/small_world.h"
#include "tests/support/seed.h"

namespace isolith::testing {
namespace {

constexpr std::uint64_t kMoreInterleavings = 40'000;  // of each further kind of world

std::uint64_t interleavings_wanted() {
  const char* const given = std::getenv("ISOLITH_TEST_INTERLEAVINGS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 220'000;
}

std::string describe(const WorldOutcome& outcome) {
  std::string text;
  for (const auto& reads : outcome.reads) {
    text += "  read:";
    for (const std::string& read : reads) text += " [" + read + "]";
    text += "\n";
  }
  for (const auto& [key, value] : outcome.rows) text += "  " + key + "=" + value;
  return text + "\n";
}

WorldRules pairs_of(std::vector<Isolation> levels, bool ranges = true) {
  WorldRules rules;
  rules.transactions = 2;
  rules.steps_max = 3;
  rules.levels = std::move(levels);
  rules.ranges = ranges;
  return rules;
}

WorldRules triples_of(std::vector<Isolation> levels, bool ranges = true) {
  WorldRules rules = pairs_of(std::move(levels), ranges);
  rules.transactions = 3;
  rules.steps_max = 2;
  return rules;
}

// Runs worlds until there were enough interleavings. Returns how many were as no serial order; where `must`
// is set they fail the test.
std::uint64_t run_worlds(WorldRunner& runner, const std::vector<WorldRules>& kinds, std::uint64_t wanted,
                         bool must = true) {
  base::Random random(test_seed());
  std::uint64_t runs = 0;
  std::uint64_t not_serial = 0;
  for (std::uint64_t i = 0; runs < wanted && !::testing::Test::HasFailure(); ++i) {
    const World world = draw_world(random, kinds[i % kinds.size()]);
    const std::vector<WorldOutcome> serial = serial_outcomes(world);
    std::string problem;
    runs += runner.run_all(
        world,
        [&](const WorldOutcome& outcome, const std::string& order) {
          if (std::find(serial.begin(), serial.end(), outcome) != serial.end()) return;
          ++not_serial;
          if (must) problem = "in the order " + order + " no serial order gives\n" + describe(outcome);
        },
        problem);
    EXPECT_EQ(problem, "") << "world " << i << " of seed " << test_seed() << ":\n" << to_string(world);
  }
  std::printf("%llu interleavings, %llu victims, %llu as no serial order\n",
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(runner.victims()),
              static_cast<unsigned long long>(not_serial));
  return not_serial;
}

// As above, for levels that promise less: Adya's mixed graph. Returns how many are as no serial order.
std::uint64_t run_mixed(WorldRunner& runner, const std::vector<WorldRules>& kinds, std::uint64_t share = 1) {
  base::Random random(test_seed());
  std::uint64_t runs = 0;
  std::uint64_t not_serial = 0;
  for (std::uint64_t i = 0; runs < interleavings_wanted() / share && !::testing::Test::HasFailure(); ++i) {
    const World world = draw_world(random, kinds[i % kinds.size()]);
    const std::vector<WorldOutcome> serial = serial_outcomes(world);
    const bool reads_dirty = std::any_of(world.begin(), world.end(), [](const WorldTransaction& t) {
      return t.level == Isolation::read_uncommitted;
    });
    std::string problem;
    runs += runner.run_all(
        world,
        [&](const WorldOutcome& outcome, const std::string& order) {
          const GraphReport report = check_history({outcome.history}, kWorldKeys);
          if (report.cycles > 0 || !report.problem.empty())
            problem =
                "in the order " + order + "\n" + report.cycle + report.problem + "\n" + describe(outcome);
          const bool has_cycle =
              check_history({outcome.history}, kWorldKeys, Promise::serial_order).cycles > 0;
          if (has_cycle) ++not_serial;
          // The graph misses nothing.
          const bool is_serial = std::find(serial.begin(), serial.end(), outcome) != serial.end();
          if (!has_cycle && !is_serial && !reads_dirty)
            problem = "in the order " + order + " no serial order gives, and no cycle\n" + describe(outcome);
        },
        problem);
    EXPECT_EQ(problem, "") << "world " << i << " of seed " << test_seed() << ":\n" << to_string(world);
  }
  std::printf("%llu interleavings, %llu victims, %llu as no serial order\n",
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(runner.victims()),
              static_cast<unsigned long long>(not_serial));
  return not_serial;
}

TEST(SmallWorldsTest, EveryInterleavingUnderTwoPhaseLockingIsSerial) {
  WorldRunner runner;
  const WorldRules pairs = pairs_of({Isolation::serializable_2pl});
  (void)run_worlds(runner, {pairs, pairs, pairs, pairs, triples_of({Isolation::serializable_2pl})},
                   interleavings_wanted());
  EXPECT_GT(runner.victims(), 0U);
}

TEST(SmallWorldsTest, EveryInterleavingUnderSerializableSnapshotIsolationIsSerial) {
  WorldRunner runner;
  const WorldRules pairs = pairs_of({Isolation::serializable_ssi});
  const WorldRules triples = triples_of({Isolation::serializable_ssi});
  (void)run_worlds(runner, {pairs, triples}, interleavings_wanted());
  EXPECT_GT(runner.victims(), 0U);
}

TEST(SmallWorldsTest, SerializableLevelsSideBySideAreSerial) {
  WorldRunner runner;
  const std::vector<Isolation> levels = {Isolation::serializable_ssi, Isolation::serializable_2pl,
                                         Isolation::serial};
  (void)run_worlds(runner, {pairs_of(levels), triples_of(levels), triples_of(levels)},
                   interleavings_wanted());
}

// Everything beside everything: what each was promised, by the versions that it read and wrote.
TEST(SmallWorldsTest, AllLevelsSideBySideGetWhatEachWasPromised) {
  using enum Isolation;
  const std::vector<Isolation> levels = {read_uncommitted, read_committed,   snapshot, repeatable_read,
                                         serializable_2pl, serializable_ssi, serial,   serializable_ssi};
  WorldRunner runner;
  EXPECT_GT(run_mixed(runner, {pairs_of(levels), triples_of(levels), triples_of(levels)}), 0U);
}

// Where a pivot is promised a serial order, whoever comes before it or after it.
TEST(SmallWorldsTest, AnyLevelBesideSerializableSnapshotIsolationGetsWhatItWasPromised) {
  using enum Isolation;
  for (const Isolation other : {read_committed, snapshot, repeatable_read, serializable_2pl}) {
    SCOPED_TRACE(to_string(other));
    WorldRunner runner;
    const std::vector<Isolation> levels = {serializable_ssi, serializable_ssi, other};
    (void)run_mixed(runner, {triples_of(levels)}, 4);
  }
}

TEST(SmallWorldsTest, SerialBesideTwoPhaseLockingIsSerial) {
  WorldRunner runner;
  const std::vector<Isolation> levels = {Isolation::serializable_2pl, Isolation::serial};
  (void)run_worlds(runner, {pairs_of(levels), pairs_of(levels), triples_of(levels)}, kMoreInterleavings);
}

TEST(SmallWorldsTest, LocksThatAreOneRangeForMemorysSakeAreSerial) {
  Options options;
  options.locks.memory_bytes = 1;
  WorldRunner runner(options);
  const WorldRules pairs = pairs_of({Isolation::serializable_2pl});
  (void)run_worlds(runner, {pairs, pairs, triples_of({Isolation::serializable_2pl})}, kMoreInterleavings);
  EXPECT_GT(runner.stats().lock_escalations, 0U);
  EXPECT_EQ(runner.stats().lock_bytes, 0U);
}

// No lost update, no skew of reads or writes on items: with keys alone nothing is left that is not serial.
TEST(SmallWorldsTest, RepeatableReadIsSerialWhereNoRangesAreRead) {
  WorldRunner runner;
  const WorldRules pairs = pairs_of({Isolation::repeatable_read}, false);
  (void)run_worlds(runner, {pairs, pairs, triples_of({Isolation::repeatable_read}, false)},
                   kMoreInterleavings);
}

TEST(SmallWorldsTest, RepeatableReadHasPhantomsInRanges) {
  WorldRunner runner;
  EXPECT_GT(run_worlds(runner, {pairs_of({Isolation::repeatable_read})}, kMoreInterleavings / 2, false), 0U);
}

// A transaction that reads everything twice, beside writers of levels that lock nothing that they read.
TEST(SmallWorldsTest, ReadsUnderTwoPhaseLockingAreRepeatableBesideAnyWriter) {
  WorldRunner runner;
  base::Random random(test_seed());
  std::uint64_t runs = 0;
  std::uint64_t worlds_that_waited = 0;
  while (runs < kMoreInterleavings && !HasFailure()) {
    World world = draw_world(random, pairs_of({Isolation::read_committed, Isolation::snapshot}));
    WorldTransaction reader;
    reader.steps = draw_world(random, pairs_of({Isolation::serializable_2pl})).front().steps;
    std::erase_if(reader.steps, [](const WorldStep& step) {
      return step.kind != WorldStep::Kind::get && step.kind != WorldStep::Kind::scan &&
             step.kind != WorldStep::Kind::scan_back && step.kind != WorldStep::Kind::get_for_share;
    });
    if (reader.steps.empty() || reader.steps.size() > 2) continue;
    const std::size_t reads = reader.steps.size();
    for (std::size_t i = 0; i < reads; ++i) reader.steps.push_back(reader.steps[i]);
    world[0] = reader;
    std::string problem;
    std::vector<WorldOutcome> seen;
    runs += runner.run_all(
        world,
        [&](const WorldOutcome& outcome, const std::string& order) {
          for (std::size_t i = 0; i < reads; ++i) {
            if (outcome.reads[0][i] == outcome.reads[0][i + reads]) continue;
            problem = "in the order " + order + " a second read differs\n" + describe(outcome);
          }
          if (std::find(seen.begin(), seen.end(), outcome) == seen.end()) seen.push_back(outcome);
        },
        problem);
    if (seen.size() > 1) ++worlds_that_waited;
    ASSERT_EQ(problem, "") << to_string(world);
  }
  EXPECT_GT(worlds_that_waited, 0U);
}

}  // namespace
}  // namespace isolith::testing
