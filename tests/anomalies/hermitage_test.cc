// Hermitage's scenarios on the servers that it tested, against what it published.
//
// Source: Martin Kleppmann, "Hermitage: Testing transaction isolation levels", the table of README.md in
// https://github.com/ept/hermitage (as of commit 000346ffae2963d257553bc34a67cbbee23c3d0b). A column there
// with several test cases, as in its postgres.md and mysql.md, is several scenarios here.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/adapters/adapters.h"
#include "anomalies/catalogue.h"
#include "anomalies/engine.h"
#include "anomalies/matrix.h"
#include "anomalies/runner.h"
#include "anomalies/scenario_parser.h"
#include "tests/support/temporary_directory.h"

namespace isolith::anomalies {
namespace {

// The scenarios that the level lets happen; it prevents Hermitage's others.
using Allowed = std::map<std::string_view, std::vector<std::string_view>>;

constexpr std::string_view kScenarios[] = {"g0",
                                           "g1a",
                                           "g1b",
                                           "g1c",
                                           "otv",
                                           "pmp",
                                           "pmp_write",
                                           "p4",
                                           "g_single",
                                           "g_single_dependency",
                                           "g_single_write_predicate_1",
                                           "g_single_write_predicate_2",
                                           "g2_item",
                                           "g2",
                                           "g2_two_edges"};

void expect_published(const char* adapter, const Allowed& allowed) {
  const std::vector<Adapter> adapters = built_adapters();
  if (std::none_of(adapters.begin(), adapters.end(),
                   [&](const Adapter& one) { return one.name == adapter; })) {
    GTEST_SKIP() << adapter << " was not built, or its server is not installed";
  }
  const isolith::testing::TemporaryDirectory directory;
  Runner runner;
  auto engine = open_adapter(adapter, directory.path(), runner);
  ASSERT_TRUE(engine.ok()) << engine.status().to_string();
  for (const std::string_view name : kScenarios) {
    const CatalogueEntry* entry = find_in_catalogue(name);
    ASSERT_NE(entry, nullptr) << name;
    auto scenario = parse_scenario(entry->text, name);
    ASSERT_TRUE(scenario.ok()) << name;
    MatrixRow row;
    const Status status = run_row(*scenario, **engine, runner, row);
    ASSERT_TRUE(status.ok()) << name << ": " << status.to_string();
    ASSERT_EQ(row.cells.size(), allowed.size());
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const std::string& level = (*engine)->levels()[i].name;
      const std::vector<std::string_view>& happening = allowed.at(level);
      const bool happens = std::find(happening.begin(), happening.end(), name) != happening.end();
      EXPECT_TRUE(row.cells[i].status.ok()) << row.cells[i].status.to_string();
      EXPECT_EQ(row.cells[i].verdict == Verdict::happens, happens)
          << name << " at " << level << ": " << to_string(row.cells[i].verdict) << ' ' << row.cells[i].order;
    }
  }
}

TEST(Hermitage, PostgresIsAsPublished) {
  expect_published("postgres", {{"read_committed",
                                 {"pmp", "pmp_write", "p4", "g_single", "g_single_dependency",
                                  "g_single_write_predicate_1", "g_single_write_predicate_2", "g2_item", "g2",
                                  "g2_two_edges"}},
                                {"repeatable_read", {"g2_item", "g2", "g2_two_edges"}},
                                {"serializable", {}}});
}

// Published for MySQL 5.6 with InnoDB, of which MariaDB's is a descendant. At repeatable read "R/O": only
// what reads is kept from PMP and G-single.
TEST(Hermitage, MariadbIsAsPublishedForMysql) {
  expect_published(
      "mariadb",
      {{"read_uncommitted",
        {"g1a", "g1b", "g1c", "otv", "pmp", "pmp_write", "p4", "g_single", "g_single_dependency",
         "g_single_write_predicate_1", "g_single_write_predicate_2", "g2_item", "g2", "g2_two_edges"}},
       {"read_committed",
        {"pmp", "pmp_write", "p4", "g_single", "g_single_dependency", "g_single_write_predicate_1",
         "g_single_write_predicate_2", "g2_item", "g2", "g2_two_edges"}},
       {"repeatable_read",
        {"pmp_write", "p4", "g_single_write_predicate_1", "g_single_write_predicate_2", "g2_item", "g2",
         "g2_two_edges"}},
       {"serializable", {}}});
}

}  // namespace
}  // namespace isolith::anomalies
