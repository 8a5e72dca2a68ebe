// Every deliberate fault in the levels (base/mutant.h) is caught by scenarios of the catalogue, and the table
// in anomalies/README.md says by which.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
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
    Named{Mutant::erase_lost, "erase_lost", "at `snapshot` an erased key comes back"},
    Named{Mutant::abort_keeps_writes, "abort_keeps_writes", "what an aborted transaction wrote stays"},
    Named{Mutant::savepoint_keeps_writes, "savepoint_keeps_writes",
          "what was written since a savepoint stays"},
    Named{Mutant::savepoint_drops_locks, "savepoint_drops_locks",
          "rolling back to a savepoint gives up locks taken since"},
    Named{Mutant::deadlock_missed, "deadlock_missed", "a wait that closes a cycle begins"},
    Named{Mutant::range_lock_missing, "range_lock_missing", "a cursor locks no range"},
    Named{Mutant::range_short_at_low_end, "range_short_at_low_end", "a range begins one key late"},
    Named{Mutant::range_short_at_high_end, "range_short_at_high_end", "a range ends with the last row in it"},
    Named{Mutant::range_ignored_by_writers, "range_ignored_by_writers", "a write does not look at ranges"},
    Named{Mutant::absent_key_unlocked, "absent_key_unlocked",
          "a key that was read and is not there is not locked"},
    Named{Mutant::read_lock_dropped_early, "read_lock_dropped_early",
          "a read lock is given up at the next one"},
    Named{Mutant::savepoint_drops_reads, "savepoint_drops_reads",
          "rolling back to a savepoint gives up read locks"},
    Named{Mutant::upgrade_jumps_queue, "upgrade_jumps_queue",
          "who has read a key writes it before the other readers have ended"},
    Named{Mutant::wake_up_lost, "wake_up_lost",
          "who waits for a transaction does not hear that it has ended"},
    Named{Mutant::serial_not_alone, "serial_not_alone", "`serial` does not wait for other writers"},
    Named{Mutant::tracked_read_missing, "tracked_read_missing",
          "at `serializable_ssi` a read of a key is not remembered"},
    Named{Mutant::tracked_range_missing, "tracked_range_missing", "nor what a cursor reads"},
    Named{Mutant::tracked_range_late, "tracked_range_late",
          "what a cursor reads is remembered from one key late on"},
    Named{Mutant::newer_version_unnoticed, "newer_version_unnoticed",
          "a reader does not note who wrote over what it read"},
    Named{Mutant::reader_untold, "reader_untold",
          "a writer does not tell those who have read what it writes over"},
    Named{Mutant::marks_dropped_at_commit, "marks_dropped_at_commit",
          "what a transaction has read is forgotten when it commits"},
    Named{Mutant::pivot_forgotten, "pivot_forgotten",
          "that a committed transaction came before an earlier one is forgotten"},
    Named{Mutant::writer_taken_for_reader, "writer_taken_for_reader",
          "what is true of those that only read is taken for true of all"},
    Named{Mutant::locked_reads_untold, "locked_reads_untold",
          "what a locking level has read is not told to the others"},
    Named{Mutant::reads_from_unseen, "reads_from_unseen",
          "a circle is not seen where one reads what another wrote"},
    Named{Mutant::reader_not_kept, "reader_not_kept",
          "what one has read that only reads is forgotten when it commits"},
    Named{Mutant::last_read_unmarked, "last_read_unmarked",
          "what was read last is not remembered when a transaction goes on"},
    Named{Mutant::suspicion_unheeded, "suspicion_unheeded",
          "one that only reads commits though somebody is suspected"},
    Named{Mutant::safe_too_early, "safe_too_early",
          "a snapshot is taken for safe while those that decide about it are active"},
    Named{Mutant::test_before_commit, "test_before_commit",
          "whether a circle is closed is asked before the commit"},
};

void PrintTo(const Named& one, std::ostream* to) { *to << one.name; }

// Whether some level shows what the entry does not expect.
bool catches(const CatalogueEntry& entry, Mutant mutant) {
  base::active_mutant.store(mutant);
  const Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
  Runner runner;
  const Result<std::unique_ptr<IsolithEngine>> engine = open_isolith(runner);
  if (!scenario.ok() || !engine.ok()) return false;
  MatrixRow row;
  if (!run_row(*scenario, **engine, runner, row).ok()) return true;
  return std::any_of(row.cells.begin(), row.cells.end(),
                     [](const Cell& cell) { return !cell.status.ok() || !cell.unmet.empty(); });
}

// The entries that catch it. Each runs in a process of its own, for a fault may bring the engine down: it has
// checks, too, and who dies of one has not caught the fault by what it saw.
std::vector<std::string> caught_by(Mutant mutant) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) {
    const isolith::testing::ChildResult result = isolith::testing::run_in_child(60, [&](std::string& output) {
      if (catches(entry, mutant)) output = "caught";
      return std::string();
    });
    if (result.output == "caught") names.emplace_back(entry.name);
  }
  return names;
}

// Three names, and how many more there are.
std::string in_short(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > 3 ? text + " and " + std::to_string(names.size() - 3) + " more" : text;
}

// All of its row in the table but by what it is caught.
std::string row_of(const Named& one) {
  return "| `" + std::string(one.name) + "` | " + std::string(one.fault) + " | ";
}

std::string readme() {
  std::ifstream file(ISOLITH_SOURCE_DIR "/anomalies/README.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(MutantsTest, WithoutAFaultNothingIsCaught) {
  EXPECT_THAT(caught_by(Mutant::none), ::testing::IsEmpty());
}

class MutantTest : public ::testing::TestWithParam<Named> {};

TEST_P(MutantTest, TheCatalogueCatchesItAndTheReadmeSaysHow) {
  const Named& one = GetParam();
  const std::vector<std::string> names = caught_by(one.mutant);
  EXPECT_FALSE(names.empty()) << one.name << " is not caught";
  const std::string row = row_of(one) + in_short(names) + " |\n";
  EXPECT_NE(readme().find(row), std::string::npos) << "anomalies/README.md should have this row:\n" << row;
}

INSTANTIATE_TEST_SUITE_P(Each, MutantTest, ::testing::ValuesIn(kMutants),
                         [](const auto& given) { return std::string(given.param.name); });

TEST(MutantsTest, TheTableInTheReadmeHasARowForEachAndNoOthers) {
  const std::string head = "| fault | what it does | caught by |\n|---|---|---|\n";
  const std::string text = readme();
  const std::size_t begin = text.find(head);
  ASSERT_NE(begin, std::string::npos);
  std::istringstream rows(text.substr(begin + head.size()));
  std::string row;
  for (const Named& one : kMutants) {
    ASSERT_TRUE(std::getline(rows, row));
    EXPECT_THAT(row, ::testing::StartsWith(row_of(one)));
  }
  EXPECT_TRUE(!std::getline(rows, row) || row.empty()) << row;
}

}  // namespace
}  // namespace isolith::anomalies
