// Every deliberate fault in the levels (base/mutant.h) is caught by scenarios of the catalogue, and the table
// in anomalies/README.md says by which.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/matrix.h"
#include "anomalies/scenario_parser.h"
#include "base/mutant.h"
#include "tests/support/child.h"

namespace isolith::anomalies {
namespace {

using base::Mutant;

struct Named {
  Mutant mutant;
  std::string_view name;
  std::string_view fault;
};

constexpr std::array kMutants = {
    Named{Mutant::snapshot_too_late, "snapshot_too_late", "a snapshot is taken anew for each operation"},
    Named{Mutant::cursor_snapshot_too_late, "cursor_snapshot_too_late",
          "a snapshot is taken anew for each cursor"},
    Named{Mutant::snapshot_one_commit_on, "snapshot_one_commit_on",
          "a snapshot sees one commit more than it may"},
    Named{Mutant::dirty_read, "dirty_read", "a read sees what is not committed"},
    Named{Mutant::statement_snapshot_kept, "statement_snapshot_kept",
          "`read_committed` reads from when the transaction began"},
    Named{Mutant::own_write_unseen, "own_write_unseen", "a read does not see its own transaction's writes"},
    Named{Mutant::dirty_write, "dirty_write", "a write does not wait for the one before"},
    Named{Mutant::write_conflict_missed, "write_conflict_missed",
          "at `snapshot` a write goes over what was committed since"},
    Named{Mutant::locking_read_unlocked, "locking_read_unlocked", "`get_for_update` takes no lock"},
    Named{Mutant::insert_overwrites, "insert_overwrites", "`insert` does not look whether the key is there"},
    Named{Mutant::erase_lost, "erase_lost", "an erased key comes back"},
    Named{Mutant::abort_keeps_writes, "abort_keeps_writes", "what an aborted transaction wrote stays"},
    Named{Mutant::savepoint_keeps_writes, "savepoint_keeps_writes",
          "what was written since a savepoint stays"},
    Named{Mutant::savepoint_drops_locks, "savepoint_drops_locks",
          "rolling back to a savepoint gives up locks taken since"},
    Named{Mutant::deadlock_missed, "deadlock_missed", "a wait that closes a cycle begins"},
};

// The entries of which some level shows what the file does not expect, one behind the other with a space.
std::string caught_by(Mutant mutant, std::string& problem) {
  base::active_mutant.store(mutant);
  std::string names;
  for (const CatalogueEntry& entry : catalogue()) {
    const Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
    if (!scenario.ok()) return problem = scenario.status().to_string();
    // Each on an engine of its own: a fault may leave a database that nothing runs on any more.
    Runner runner;
    const Result<std::unique_ptr<IsolithEngine>> engine = open_isolith(runner);
    if (!engine.ok()) return problem = engine.status().to_string();
    MatrixRow row;
    const Status status = run_row(*scenario, **engine, runner, row);
    bool caught = !status.ok();
    for (const Cell& cell : row.cells) caught = caught || !cell.status.ok() || !cell.unmet.empty();
    if (caught) names.append(names.empty() ? "" : " ").append(entry.name);
  }
  return names;
}

// Three names, and how many more there are.
std::string in_short(const std::string& names) {
  std::istringstream words(names);
  std::string text;
  std::size_t count = 0;
  for (std::string word; words >> word; ++count) {
    if (count < 3) text += (count == 0 ? "" : ", ") + word;
  }
  return count > 3 ? text + " and " + std::to_string(count - 3) + " more" : text;
}

testing::ChildResult run_catalogue(Mutant mutant) {
  return testing::run_in_child(60, [mutant](std::string& output) {
    std::string problem;
    output = caught_by(mutant, problem);
    return problem;
  });
}

TEST(MutantsTest, WithoutAFaultEverythingIsAsExpected) {
  const testing::ChildResult result = run_catalogue(Mutant::none);
  EXPECT_EQ(result.problem, "");
  EXPECT_EQ(result.output, "");
}

TEST(MutantsTest, TheCatalogueCatchesEveryFaultAndTheTableInTheReadmeSaysHow) {
  std::string table = "| fault | what it does | caught by |\n|---|---|---|\n";
  for (const Named& one : kMutants) {
    const testing::ChildResult result = run_catalogue(one.mutant);
    EXPECT_EQ(result.problem, "") << one.name;
    EXPECT_NE(result.output, "") << one.name << " is not caught";
    table.append("| `").append(one.name).append("` | ").append(one.fault).append(" | ");
    table.append(in_short(result.output)).append(" |\n");
  }
  std::ifstream file(ISOLITH_SOURCE_DIR "/anomalies/README.md");
  const std::string readme((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ASSERT_NE(readme, "");
  EXPECT_NE(readme.find(table), std::string::npos) << "anomalies/README.md should have this table:\n"
                                                   << table;
}

}  // namespace
}  // namespace isolith::anomalies
