// The catalogue: every entry parses, every cell is what its file expects, and what the literature says.
#include "anomalies/catalogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "anomalies/execution.h"
#include "anomalies/explorer.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/judgement.h"
#include "anomalies/matrix.h"
#include "anomalies/scenario_parser.h"
#include "tests/anomalies/catalogue_table.h"

namespace isolith::anomalies {
namespace {

constexpr std::array<std::string_view, 7> kLevels = {
    "read_uncommitted", "read_committed",   "repeatable_read", "snapshot",
    "serializable_2pl", "serializable_ssi", "serial"};

Scenario parse(const CatalogueEntry& entry) {
  Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
  EXPECT_TRUE(scenario.ok()) << scenario.status().message();
  return scenario.ok() ? *std::move(scenario) : Scenario{};
}

bool expects(const Scenario& scenario, std::string_view level) {
  return std::ranges::any_of(scenario.expectations, [&](const Expectation& expectation) {
    return std::ranges::find(expectation.levels, level) != expectation.levels.end();
  });
}

class CatalogueTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<IsolithEngine>> engine = open_isolith(runner_);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    engine_ = *std::move(engine);
  }

  MatrixRow run(std::string_view name) {
    MatrixRow row;
    const CatalogueEntry* entry = find_in_catalogue(name);
    EXPECT_NE(entry, nullptr) << name;
    if (entry == nullptr) return row;
    const Status status = run_row(parse(*entry), *engine_, runner_, row);
    EXPECT_TRUE(status.ok()) << name << ": " << status.message();
    return row;
  }

  Verdict verdict(std::string_view name, std::string_view level) {
    const MatrixRow row = run(name);
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      if (engine_->levels()[i].name == level) {
        EXPECT_TRUE(row.cells[i].status.ok()) << row.cells[i].status.message();
        return row.cells[i].verdict;
      }
    }
    ADD_FAILURE() << name << " has no cell at " << level;
    return Verdict::happens;
  }

  Runner runner_;
  std::unique_ptr<IsolithEngine> engine_;
};

TEST_F(CatalogueTest, EachEntryParsesAndSaysWhatItShowsAndWhatItExpectsOfEachLevel) {
  EXPECT_GE(catalogue().size(), 60U);
  for (const CatalogueEntry& entry : catalogue()) {
    SCOPED_TRACE(entry.name);
    const Scenario scenario = parse(entry);
    EXPECT_FALSE(scenario.title.empty());
    EXPECT_FALSE(scenario.shows.empty());
    EXPECT_NE(scenario.story.find("\n\n"), std::string::npos) << "a story has paragraphs";
    EXPECT_FALSE(scenario.invariants.empty() && scenario.anomalies.empty());
    for (const EngineLevel& level : engine_->levels()) {
      EXPECT_TRUE(expects(scenario, level.name)) << "nothing is expected of " << level.name;
    }
    EXPECT_TRUE(check_levels(scenario, *engine_).ok());
  }
}

TEST_F(CatalogueTest, AnEntryIsFoundByItsNameAndNothingElse) {
  for (const CatalogueEntry& entry : catalogue()) EXPECT_EQ(find_in_catalogue(entry.name), &entry);
  for (const std::string_view name : {"", "g", "g0.scenario", "zz"}) {
    EXPECT_EQ(find_in_catalogue(name), nullptr) << name;
  }
}

TEST_F(CatalogueTest, EveryCellIsWhatItsFileExpects) {
  for (const CatalogueEntry& entry : catalogue()) {
    const MatrixRow row = run(entry.name);
    ASSERT_EQ(row.cells.size(), engine_->levels().size());
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      EXPECT_TRUE(cell.status.ok()) << cell.status.message();
      for (const Unmet& unmet : cell.unmet) {
        ADD_FAILURE() << entry.name << ":" << unmet.place.line << " at " << engine_->levels()[i].name << ": "
                      << unmet.text;
      }
    }
  }
}

TEST_F(CatalogueTest, EveryCellAgreesWithTheLiterature) {
  for (const CatalogueEntry& entry : catalogue()) {
    const auto* const expected = std::ranges::find(kTable, entry.name, &TableRow::entry);
    ASSERT_NE(expected, kTable.end()) << entry.name << " is not in the table";
    const std::array allowed = {
        expected->read_uncommitted, expected->read_committed,   expected->repeatable_read, expected->snapshot,
        expected->serializable_2pl, expected->serializable_ssi, expected->serial};
    const MatrixRow row = run(entry.name);
    ASSERT_EQ(row.cells.size(), kLevels.size()) << "the table has not the engine's levels";
    for (std::size_t i = 0; i < kLevels.size(); ++i) {
      ASSERT_EQ(engine_->levels()[i].name, kLevels[i]);
      EXPECT_EQ(row.cells[i].verdict == Verdict::happens, allowed[i] == Allowed::yes)
          << entry.name << " at " << kLevels[i] << ": " << to_string(row.cells[i].verdict) << " "
          << row.cells[i].order;
    }
  }
  for (const TableRow& row : kTable) EXPECT_NE(find_in_catalogue(row.entry), nullptr) << row.entry;
  EXPECT_EQ(kTable.size(), catalogue().size()) << "an entry stands in the table twice";
}

// A condition that is true of what some serial order gives would call a level wrong that is right.
TEST_F(CatalogueTest, NoSerialOrderShowsAnAnomaly) {
  for (const CatalogueEntry& entry : catalogue()) {
    SCOPED_TRACE(entry.name);
    const Scenario scenario = parse(entry);
    Execution execution(scenario, *engine_, runner_);
    ASSERT_TRUE(execution.prepare("snapshot").ok());
    SerialOutcomes serial(execution);
    std::vector<std::uint32_t> order(scenario.sessions.size());  // each has one transaction
    std::iota(order.begin(), order.end(), 0U);
    do {
      anomalies::Run run;
      const Status status = execution.run_serially(order, run);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(run.transactions.size(), order.size());
      const Result<bool> shows = shows_anomaly(scenario, run, serial);
      ASSERT_TRUE(shows.ok()) << shows.status().message();
      EXPECT_FALSE(*shows) << to_string(run.trace, execution.program());
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST_F(CatalogueTest, WhatShowsAnAnomalyInAnyOrderIsNoSerialOutcome) {
  constexpr ExploreOptions kOptions{.pruning = Pruning::commuting, .runs_max = 1000};
  for (const CatalogueEntry& entry : catalogue()) {
    const Scenario scenario = parse(entry);
    for (const std::string_view level : kLevels) {
      Execution execution(scenario, *engine_, runner_);
      ASSERT_TRUE(execution.prepare(level).ok());
      SerialOutcomes serial(execution);
      const auto check = [&](const anomalies::Run& run) {
        const Result<bool> shows = shows_anomaly(scenario, run, serial);
        if (!shows.ok()) return shows.status();
        if (!*shows) return Status();
        const Result<bool> is_serial = serial.has(run);
        if (!is_serial.ok()) return is_serial.status();
        EXPECT_FALSE(*is_serial) << entry.name << " at " << level << ":\n"
                                 << to_string(run.trace, execution.program());
        return Status();
      };
      Exploration seen;
      const Status status = explore(execution, kOptions, check, seen);
      ASSERT_TRUE(status.ok()) << entry.name << ": " << status.message();
    }
  }
}

TEST_F(CatalogueTest, DirtyReadsHappenAtReadUncommittedAndAreStoppedAbove) {
  for (const std::string_view name : {"g1a", "g1b", "g1c", "otv"}) {
    EXPECT_EQ(verdict(name, "read_uncommitted"), Verdict::happens) << name;
    EXPECT_NE(verdict(name, "read_committed"), Verdict::happens) << name;
    EXPECT_NE(verdict(name, "snapshot"), Verdict::happens) << name;
  }
  EXPECT_EQ(verdict("g1a", "read_committed"), Verdict::snapshot) << "a reader waits for nobody";
}

TEST_F(CatalogueTest, PhantomsHappenAtReadCommittedAndAreStoppedAtSnapshot) {
  for (const std::string_view name : {"pmp", "phantom_appears", "phantom_disappears"}) {
    EXPECT_EQ(verdict(name, "read_uncommitted"), Verdict::happens) << name;
    EXPECT_EQ(verdict(name, "read_committed"), Verdict::happens) << name;
    EXPECT_EQ(verdict(name, "snapshot"), Verdict::snapshot) << name;
    EXPECT_EQ(verdict(name, "serializable_ssi"), Verdict::snapshot) << name;
  }
  EXPECT_EQ(verdict("phantom_appears", "repeatable_read"), Verdict::happens) << "no range is locked";
  EXPECT_EQ(verdict("phantom_disappears", "repeatable_read"), Verdict::waiting) << "but rows are";
  EXPECT_EQ(verdict("phantom_appears", "serializable_2pl"), Verdict::waiting);
  EXPECT_EQ(verdict("pmp_write", "read_committed"), Verdict::happens);
  EXPECT_EQ(verdict("pmp_write", "snapshot"), Verdict::aborting);
}

TEST_F(CatalogueTest, WriteSkewHappensAtSnapshotAndIsStoppedByLocksAndByWatching) {
  for (const std::string_view name : {"g2_item", "g2", "doctors_on_call", "meeting_room", "overdraft"}) {
    for (const std::string_view level : {"read_uncommitted", "read_committed", "snapshot"}) {
      EXPECT_EQ(verdict(name, level), Verdict::happens) << name << " at " << level;
    }
    EXPECT_EQ(verdict(name, "serializable_2pl"), Verdict::aborting) << name;
    EXPECT_EQ(verdict(name, "serializable_ssi"), Verdict::aborting) << name;
    EXPECT_EQ(verdict(name, "serial"), Verdict::waiting) << name;
  }
  for (const std::string_view name : {"g2_item", "doctors_on_call", "overdraft"}) {
    EXPECT_EQ(verdict(name, "repeatable_read"), Verdict::aborting) << name;
  }
  for (const std::string_view name : {"write_skew_get_for_update", "meeting_room_materialised"}) {
    EXPECT_EQ(verdict(name, "read_committed"), Verdict::waiting) << name;
    EXPECT_EQ(verdict(name, "snapshot"), Verdict::aborting) << name;
  }
}

}  // namespace
}  // namespace isolith::anomalies
