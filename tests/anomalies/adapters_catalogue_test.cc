// The catalogue over every embedded store: what its levels claim to stop does not happen, but for what is
// listed here with its reason; and each level shows something that the next one stops.
//
// What a level may show is Adya's, "Weak Consistency" (1999): PL-1 stops G0, PL-2 also G1, PL-SI also
// G-single and lost updates, PL-3 everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/matrix.h"
#include "anomalies/scenario_parser.h"
#include "tests/anomalies/adapter_fixture.h"

namespace isolith::anomalies {
namespace {

using Names = std::set<std::string_view>;

enum class Strength : std::uint8_t { no_dirty_writes, committed_reads, snapshot, serializable };

struct TestedLevel {
  std::string_view engine;
  std::string_view level;
  Strength strength;
  Names exceptions;  // what happens all the same; why: README.md of the adapters
};

// Entries of the catalogue by the weakest level that stops them.
const Names kDirtyWrites = {"g0",          "dirty_write", "listing_and_invoice", "abort_leaves_nothing",
                            "erase_stays", "range_ends"};
const Names kDirtyReads = {"g1a", "g1b", "g1c"};
const Names kReadSkew = {"counter",
                         "cursor_lost_update",
                         "erased_key_comes_back",
                         "g_single",
                         "g_single_dependency",
                         "g_single_write_predicate_1",
                         "long_report",
                         "g_single_write_predicate_2",
                         "otv",
                         "p4",
                         "phantom_appears",
                         "phantom_between_absent_keys",
                         "phantom_disappears",
                         "pmp",
                         "pmp_write",
                         "transfer_during_backup",
                         "unrepeatable_read",
                         "upgrade_deadlock",
                         "user_name",
                         "user_name_insert"};

std::vector<TestedLevel> tested_levels() {
  return {
      {"sqlite", "read_uncommitted", Strength::no_dirty_writes, {}},
      {"sqlite", "serializable", Strength::serializable, {}},
      {"sqlite", "immediate", Strength::serializable, {}},
      {"lmdb", "serializable", Strength::serializable, {}},
      {"rocksdb", "pessimistic", Strength::committed_reads, {}},
      {"rocksdb", "snapshot", Strength::snapshot, {}},
      {"rocksdb_optimistic", "optimistic", Strength::committed_reads, {}},
      {"rocksdb_optimistic", "optimistic_snapshot", Strength::snapshot, {}},
      // Conflicts are looked for at snapshot alone.
      {"wiredtiger", "read_uncommitted", Strength::no_dirty_writes, {"dirty_write", "listing_and_invoice"}},
      {"wiredtiger", "read_committed", Strength::committed_reads, {"dirty_write", "listing_and_invoice"}},
      {"wiredtiger", "snapshot", Strength::snapshot, {}},
      {"berkeleydb", "read_uncommitted", Strength::no_dirty_writes, {}},
      {"berkeleydb", "read_committed", Strength::committed_reads, {}},
      // What was locked since a savepoint is unlocked when it is rolled back to.
      {"berkeleydb",
       "serializable",
       Strength::serializable,
       {"savepoint_keeps_locks", "savepoint_keeps_read_locks"}},
      {"berkeleydb", "snapshot", Strength::snapshot, {}},
  };
}

bool is_stopped(std::string_view entry, Strength strength) {
  if (strength == Strength::serializable) return true;
  if (kDirtyWrites.contains(entry)) return true;
  if (kDirtyReads.contains(entry)) return strength >= Strength::committed_reads;
  return kReadSkew.contains(entry) && strength >= Strength::snapshot;
}

class AdapterCatalogueTest : public EmbeddedTest {};

TEST_P(AdapterCatalogueTest, what_a_level_claims_to_stop_does_not_happen) {
  std::vector<Names> happened(engine_->levels().size());
  for (const CatalogueEntry& entry : catalogue()) {
    const Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
    ASSERT_TRUE(scenario.ok()) << scenario.status().to_string();
    MatrixRow row;
    const Status status = run_row(*scenario, *engine_, runner_, row);
    ASSERT_TRUE(status.ok()) << status.to_string();
    ASSERT_EQ(row.cells.size(), happened.size());
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      EXPECT_TRUE(cell.status.ok() || cell.status.is(StatusCode::invalid_argument))
          << cell.status.to_string();
      if (cell.status.ok() && cell.verdict == Verdict::happens) happened[i].insert(entry.name);
    }
  }
  for (const TestedLevel& tested : tested_levels()) {
    if (tested.engine != engine_->name()) continue;
    const auto& levels = engine_->levels();
    const auto level = std::find_if(levels.begin(), levels.end(),
                                    [&](const EngineLevel& one) { return one.name == tested.level; });
    ASSERT_NE(level, levels.end()) << tested.level;
    const Names& seen = happened[static_cast<std::size_t>(level - levels.begin())];
    Names wrong;
    for (const std::string_view entry : seen) {
      if (is_stopped(entry, tested.strength)) wrong.insert(entry);
    }
    EXPECT_EQ(wrong, tested.exceptions) << tested.level;
    EXPECT_EQ(seen.contains("batch_with_receipts"), tested.strength != Strength::serializable);
  }
}

INSTANTIATE_TEST_SUITE_P(embedded, AdapterCatalogueTest, ::testing::ValuesIn(kEmbedded),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace isolith::anomalies
