// The commands of `isolith`, each as a person or a script runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "isolith/isolith.h"
#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliTest : public ::testing::Test {
 protected:
  // Loads `rows`, tab-separated, into the table "t" of the database "db".
  void load(std::string_view rows) {
    const ProgramResult result = directory_.isolith({"load", "db", "t"}, rows);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");  // no progress where no terminal is
  }

  // The output of a command that succeeds without a word on standard error.
  std::string out(std::vector<std::string> arguments, std::string_view input = "") {
    const ProgramResult result = directory_.isolith(std::move(arguments), input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }

  TestDirectory directory_;
};

TEST_F(CliTest, HelpOfEachCommandHasAnExample) {
  for (const char* command : {"anomalies", "run", "explore", "demo", "load", "get", "put", "erase", "scan",
                              "tables", "stat", "verify"}) {
    const std::string help = out({command, "--help"});
    EXPECT_THAT(help, HasSubstr("Example:\n  ")) << command;
    EXPECT_THAT(out({"--help"}), HasSubstr(std::string("\n  ") + command + " "));
  }
  EXPECT_THAT(out({"--help"}), HasSubstr("Exit codes: 0"));
}

TEST_F(CliTest, VersionIsTheLibrarys) {
  EXPECT_EQ(out({"--version"}), "isolith " + std::string(version_string()) + "\n");
}

TEST_F(CliTest, LoadMakesTheDatabaseAndSaysHowMuchWentIn) {
  EXPECT_THAT(out({"load", "db", "t"}, "a\t1\nb\t2\n"), StartsWith("loaded 2 rows, 4 bytes in "));
  EXPECT_EQ(out({"tables", "db"}), "t\n");
}

TEST_F(CliTest, LoadReadsAFileInBatches) {
  std::string rows;
  for (int row = 0; row < 2500; ++row) rows += "key" + std::to_string(100000 + row) + "\tvalue\n";
  directory_.write("rows.tsv", rows);
  for (const char* durability : {"sync", "async", "none"}) {
    const std::string table = durability;
    EXPECT_THAT(out({"load", "db", table, "rows.tsv", "--batch", "7", "--durability", durability}),
                StartsWith("loaded 2,500 rows"));
    EXPECT_TRUE(out({"scan", "db", table}) == rows) << "with " << durability;
  }
}

TEST_F(CliTest, LoadOfNothingMakesAnEmptyTable) {
  EXPECT_THAT(out({"load", "db", "t"}), StartsWith("loaded 0 rows"));
  EXPECT_EQ(out({"scan", "db", "t"}), "");
  EXPECT_EQ(out({"scan", "db", "t", "--format=dump"}),
            "VERSION=3\nformat=print\ndatabase=t\ntype=btree\nHEADER=END\nDATA=END\n");
}

TEST_F(CliTest, GetPrintsTheValueAsItIs) {
  load("alice\t1\\n2\\x00\n");
  EXPECT_EQ(out({"get", "db", "t", "alice"}), std::string("1\n2\0", 4));
}

TEST_F(CliTest, GetOfAKeyThatIsNotThereExitsWithOne) {
  load("alice\t1\n");
  const ProgramResult result = directory_.isolith({"get", "db", "t", "bob"});
  expect_one_line(result, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("no key 'bob' in table 't'"));
}

TEST_F(CliTest, PutWritesAValueThatGetFinds) {
  EXPECT_EQ(out({"put", "db", "t", "k", "v1"}), "");
  EXPECT_EQ(out({"put", "db", "t", "k", "v2"}), "");
  EXPECT_EQ(out({"get", "db", "t", "k"}), "v2");
}

TEST_F(CliTest, EmptyKeysAndValuesAreLegal) {
  out({"put", "db", "t", "", ""});
  EXPECT_EQ(out({"get", "db", "t", ""}), "");
  EXPECT_EQ(out({"scan", "db", "t"}), "\t\n");
}

TEST_F(CliTest, WordsThatLookLikeOptionsFollowTwoDashes) {
  out({"put", "db", "t", "--", "--key", "-1"});
  EXPECT_EQ(out({"get", "db", "t", "--", "--key"}), "-1");
  out({"put", "db", "t", "[a]", "{b,c}"});
  EXPECT_EQ(out({"get", "db", "t", "[a]"}), "{b,c}");
}

TEST_F(CliTest, EscapedArgumentsCarryAnyBytes) {
  out({"put", "db", "t", "a\\x00\\t", "\\xff\\\\", "--escaped"});
  EXPECT_EQ(out({"get", "db", "t", "a\\x00\\t", "--escaped"}), "\xff\\");
  EXPECT_EQ(out({"scan", "db", "t", "--lo", "a\\x00", "--hi", "a\\x01", "--escaped"}),
            "a\\x00\\t\t\\xff\\\\\n");
  EXPECT_EQ(out({"erase", "db", "t", "a\\x00\\t", "--escaped"}), "");
  EXPECT_EQ(out({"scan", "db", "t"}), "");
}

TEST_F(CliTest, PutTakesAFileOfAnySize) {
  std::string value(std::size_t{5} << 20, 'v');  // several pieces
  for (std::size_t at = 0; at < value.size(); at += 997) value[at] = static_cast<char>(at);
  directory_.write("value.bin", value);
  out({"put", "db", "t", "k", "--file", "value.bin"});
  EXPECT_TRUE(out({"get", "db", "t", "k"}) == value);
  out({"put", "db", "t", "stdin", "--file", "-"},
      value.substr(0, std::size_t{2} << 20));  // whole pieces alone
  EXPECT_TRUE(out({"get", "db", "t", "stdin"}) == value.substr(0, std::size_t{2} << 20));
  out({"put", "db", "t", "empty", "--file", "-"});
  EXPECT_EQ(out({"get", "db", "t", "empty"}), "");
}

TEST_F(CliTest, EraseTakesAKeyOrARange) {
  load("a\t1\nb\t2\nba\t3\nc\t4\n");
  EXPECT_EQ(out({"erase", "db", "t", "a"}), "");
  expect_one_line(directory_.isolith({"erase", "db", "t", "a"}), 1);
  EXPECT_EQ(out({"erase", "db", "t", "--prefix", "b"}), "erased 2 rows\n");
  EXPECT_EQ(out({"scan", "db", "t"}), "c\t4\n");
  EXPECT_EQ(out({"erase", "db", "t", "--lo", "x"}), "erased 0 rows\n");
  EXPECT_EQ(out({"erase", "db", "t", "--lo", ""}), "erased 1 row\n");
}

TEST_F(CliTest, ScanTakesRangesLimitsAndDirections) {
  load("a\t1\nb\t2\nba\t3\nc\t4\n");
  EXPECT_EQ(out({"scan", "db", "t", "--lo", "b", "--hi", "c"}), "b\t2\nba\t3\n");
  EXPECT_EQ(out({"scan", "db", "t", "--lo", "b", "--hi", "b"}), "");
  EXPECT_EQ(out({"scan", "db", "t", "--prefix", "b", "--reverse"}), "ba\t3\nb\t2\n");
  EXPECT_EQ(out({"scan", "db", "t", "--reverse", "--limit", "2"}), "c\t4\nba\t3\n");
  EXPECT_EQ(out({"scan", "db", "t", "--limit", "0"}), "");
  EXPECT_EQ(out({"scan", "db", "t", "--hi", "b", "--format=keys"}), "a\n");
}

TEST_F(CliTest, ScanWritesDumps) {
  load("a\\x00\t\\\\\n");
  EXPECT_EQ(out({"scan", "db", "t", "--format=dump"}),
            "VERSION=3\nformat=print\ndatabase=t\ntype=btree\nHEADER=END\n a\\00\n \\5c\nDATA=END\n");
  EXPECT_EQ(out({"scan", "db", "t", "--format=dump", "--bytevalue", "--no-name", "--mapsize=2MiB"}),
            "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=2097152\nHEADER=END\n 6100\n 5c\nDATA=END\n");
}

TEST_F(CliTest, ScanIntoAPipeThatClosesEndsQuietly) {
  std::string rows;
  for (int row = 0; row < 50000; ++row) rows += "key" + std::to_string(100000 + row) + "\tvalue\n";
  load(rows);
  const ProgramResult result = directory_.run(
      {"bash", "-c", "\"$0\" scan db t | head -n 1; echo ${PIPESTATUS[0]}", isolith_command()});
  EXPECT_EQ(result.out, "key100000\tvalue\n0\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(CliTest, ADumpGoesToTheTableOfItsNameOrTheOneGiven) {
  const std::string dump =
      "VERSION=3\nformat=print\ndatabase=one\ntype=btree\nHEADER=END\n a\n 1\nDATA=END\n"
      "VERSION=3\nformat=bytevalue\ndatabase=two\ntype=btree\nHEADER=END\n 62\n 32\nDATA=END\n";
  EXPECT_THAT(out({"load", "db", "--format=dump"}, dump), StartsWith("loaded 2 rows"));
  EXPECT_EQ(out({"tables", "db"}), "one\ntwo\n");
  EXPECT_EQ(out({"scan", "db", "one"}), "a\t1\n");
  EXPECT_EQ(out({"scan", "db", "two"}), "b\t2\n");
  directory_.write("one.dump", dump.substr(0, dump.find("VERSION", 1)));
  out({"load", "db", "three", "one.dump", "--format=dump"});
  EXPECT_EQ(out({"scan", "db", "three"}), "a\t1\n");
  out({"load", "db2", "--file", "one.dump", "--format=dump"});
  EXPECT_EQ(out({"tables", "db2"}), "one\n");
}

TEST_F(CliTest, TablesAndStatSpeakJson) {
  load("a\t1\nb\t2\n");
  EXPECT_EQ(nlohmann::json::parse(out({"tables", "db", "--json"})), nlohmann::json::array({"t"}));
  const nlohmann::json database = nlohmann::json::parse(out({"stat", "db", "--json"}));
  EXPECT_GT(database.at("page_size_bytes").get<std::uint64_t>(), 0U);
  EXPECT_GT(database.at("data_file_bytes").get<std::uint64_t>(), 0U);
  const nlohmann::json table = nlohmann::json::parse(out({"stat", "db", "--table", "t", "--json"}));
  EXPECT_EQ(table.at("rows"), 2);
  EXPECT_EQ(table.at("height"), 1);
  EXPECT_THAT(out({"stat", "db"}), HasSubstr("page size, bytes"));
  EXPECT_THAT(out({"stat", "db", "--table", "t"}), HasSubstr("leaf pages"));
}

// This process has the database open, with one reader.
TEST_F(CliTest, StatOfAnOpenDatabaseShowsWhoHoldsTheHorizon) {
  load("a\t1\nb\t2\n");
  Result<Database> database = Database::open(directory_.path("db"));
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  const Result<Snapshot> held = database->snapshot("the report\t1");
  ASSERT_TRUE(held.ok());
  const Table table = *database->open_table("t");
  ASSERT_TRUE(run_transaction(*database, [&](Transaction& transaction) {
                return transaction.put(table, "a", "3");
              }).ok());
  for (Result<Observation> seen = Database::observe(directory_.path("db"));
       seen.ok() && seen->stats.versions == 0; seen = Database::observe(directory_.path("db")))
    std::this_thread::yield();

  const std::string text = out({"stat", "db"});
  EXPECT_THAT(text, HasSubstr("open in process"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\n\\*  +-  \\(held snapshot\\)[^\n]* the report\\\\t1\n"));
  const nlohmann::json figures = nlohmann::json::parse(out({"stat", "db", "--json"}));
  EXPECT_EQ(figures.at("process_id"), ::getpid());
  EXPECT_EQ(figures.at("oldest_snapshot"), held->timestamp());
  EXPECT_EQ(figures.at("newest_commit"), held->timestamp() + 1);
  EXPECT_EQ(figures.at("versions"), 1);
  EXPECT_GT(figures.at("version_bytes"), 0);
  ASSERT_EQ(figures.at("transactions").size(), 1U);
  EXPECT_EQ(figures.at("transactions")[0].at("label"), "the report\\t1");
  EXPECT_EQ(figures.at("transactions")[0].at("snapshot_age_commits"), 1);

  const std::string lines = out({"stat", "db", "--watch=0.1", "--count", "3", "--json"});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_EQ(nlohmann::json::parse(lines.substr(0, lines.find('\n'))).at("process_id"), ::getpid());
  EXPECT_THAT(out({"stat", "db", "--watch", "--count", "1"}), HasSubstr("horizon: oldest snapshot"));
  ASSERT_TRUE(database->close().ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.path("db/live")));
}

TEST_F(CliTest, VerifyCountsWhatItFindsInOrder) {
  load("a\t1\nb\t2\n");
  EXPECT_THAT(out({"verify", "db"}), ::testing::MatchesRegex("1 tables, 2 rows, [0-9,]+ pages: ok\n"));
  const nlohmann::json report = nlohmann::json::parse(out({"verify", "db", "--json"}));
  EXPECT_EQ(report.at("rows"), 2);
  EXPECT_TRUE(report.at("problems").empty());
}

TEST_F(CliTest, ReadingLeavesTheFilesAsTheyWere) {
  load("a\t1\n");
  const auto newest = [&] {
    std::filesystem::file_time_type time{};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path("db"))) {
      if (entry.is_regular_file() && entry.file_size() > 0) time = std::max(time, entry.last_write_time());
    }
    return time;
  };
  const auto before = newest();
  out({"get", "db", "t", "a"});
  out({"scan", "db", "t"});
  out({"tables", "db"});
  out({"stat", "db"});
  out({"verify", "db"});
  EXPECT_EQ(newest(), before);
}

}  // namespace
}  // namespace isolith::tools
