// What can be wrong with a command line, an input or a database: one clear line, the right exit code, nothing
// lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "isolith/isolith.h"
#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;

class CliBadInputTest : public ::testing::Test {
 protected:
  CliBadInputTest() {
    const ProgramResult result = directory_.isolith({"load", "db", "t"}, "a\t1\nb\t2\n");
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }

  void expect_failure(std::vector<std::string> arguments, int exit_code, const std::string& text,
                      std::string_view input = "") {
    const ProgramResult result = directory_.isolith(std::move(arguments), input);
    expect_one_line(result, exit_code);
    EXPECT_THAT(result.err, HasSubstr(text));
  }

  // What was loaded at the beginning is still there.
  void expect_rows_there() {
    EXPECT_EQ(directory_.isolith({"scan", "db", "t"}).out, "a\t1\nb\t2\n");
    EXPECT_EQ(directory_.isolith({"verify", "db"}).exit_code, 0);
  }

  // The files of the database, the largest first.
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path("db"))) {
      if (entry.is_regular_file() && entry.file_size() > 0) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end(), [](const auto& left, const auto& right) {
      return std::filesystem::file_size(left) > std::filesystem::file_size(right);
    });
    return paths;
  }

  TestDirectory directory_;
};

TEST_F(CliBadInputTest, CommandLinesThatAreWrongExitWithTwo) {
  expect_failure({}, 2, "--help");
  expect_failure({"frobnicate"}, 2, "there is no command 'frobnicate'");
  expect_failure({"get"}, 2, "isolith get --help");
  expect_failure({"get", "db", "t"}, 2, "KEY");
  expect_failure({"get", "db", "t", "a", "b"}, 2, "b");
  expect_failure({"get", "db", "t", "a", "--no-such-option"}, 2, "--no-such-option");
  expect_failure({"get", "db", "t", "\\q", "--escaped"}, 2, "no valid escape");
  expect_failure({"put", "db", "t", "k"}, 2, "VALUE or --file");
  expect_failure({"put", "db", "t", "k", "v", "--file", "f"}, 2, "not both");
  expect_failure({"erase", "db", "t"}, 2, "--prefix");
  expect_failure({"erase", "db", "t", "k", "--lo", "a"}, 2, "--prefix");
  expect_failure({"scan", "db", "t", "--lo", "b", "--hi", "a"}, 2, "--lo 'b' comes after --hi 'a'");
  expect_failure({"scan", "db", "t", "--limit", "many"}, 2, "--limit");
  expect_failure({"scan", "db", "t", "--limit", "-1"}, 2, "'-1' is no whole number");
  expect_failure({"scan", "db", "t", "--format=csv"}, 2, "csv");
  expect_failure({"scan", "db", "t", "--bytevalue"}, 2, "--format=dump");
  expect_failure({"load", "db"}, 2, "TABLE");
  expect_failure({"load", "db", "t", "--batch", "0"}, 2, "--batch");
  expect_failure({"load", "db", "t", "--durability", "maybe"}, 2, "maybe");
  expect_failure({"scan", "db", "t", "--format=dump", "--mapsize", "-1"}, 2, "--mapsize");
  expect_failure({"demo", "--seconds", "-1"}, 2, "--seconds");
  expect_failure({"demo", "--seed", "-1"}, 2, "--seed");
  expect_rows_there();
}

TEST_F(CliBadInputTest, AMissingDatabaseIsNeverMadeByReading) {
  for (const char* name : {"nowhere", "deep/nowhere"}) {
    const std::vector<std::vector<std::string>> commands = {
        {"get", name, "t", "a"}, {"scan", name, "t"}, {"stat", name},
        {"tables", name},        {"verify", name},    {"erase", name, "t", "a"}};
    for (const auto& command : commands) expect_failure(command, 3, "there is no database in");
    EXPECT_FALSE(std::filesystem::exists(directory_.path(name)));
  }
  std::filesystem::create_directory(directory_.path("empty"));
  expect_failure({"tables", "empty"}, 3, "there is no database in");
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("empty")));
}

TEST_F(CliBadInputTest, ADirectoryOfSomethingElseStaysAsItIs) {
  std::filesystem::create_directory(directory_.path("photos"));
  directory_.write("photos/cat.jpg", "a cat");
  expect_failure({"tables", "photos"}, 3, "photos");
  expect_failure({"load", "photos", "t"}, 3, "photos", "a\t1\n");
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path("photos"))) {
    EXPECT_EQ(entry.path().filename(), "cat.jpg");
    ++entries;
  }
  EXPECT_EQ(entries, 1U);
  directory_.write("file", "no directory");
  expect_failure({"tables", "file"}, 3, "file");
  expect_failure({"put", "file", "t", "k", "v"}, 3, "file");
}

TEST_F(CliBadInputTest, WatchingWhatNobodyHasOpenIsAnError) {
  expect_failure({"stat", "db", "--watch"}, 3, "no process that writes has an isolith database open");
  expect_failure({"stat", "nowhere", "--watch=1"}, 3, "cannot watch 'nowhere'");
  for (const char* seconds : {"0", "-1", "x", "1e9", "nan"})
    expect_failure({"stat", "db", std::string("--watch=") + seconds}, 2, "--watch");
  expect_failure({"stat", "db", "--watch", "--table", "t"}, 2, "--table");
  expect_failure({"stat", "db", "--count", "2"}, 2, "--watch");
  expect_failure({"stat", "db", "--watch", "--count", "-1"}, 2, "--count");
  directory_.write("db/live", std::string(500, 'x'));
  expect_failure({"stat", "db", "--watch"}, 3, "no process that writes has an isolith database open");
  EXPECT_EQ(directory_.isolith({"stat", "db"}).exit_code, 0);
  expect_rows_there();
}

TEST_F(CliBadInputTest, AnUnreadableDirectoryIsSaidToBeOne) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  std::filesystem::permissions(directory_.path("db"), std::filesystem::perms::none);
  expect_failure({"tables", "db"}, 3, "db");
  expect_failure({"put", "db", "t", "k", "v"}, 3, "db");
  std::filesystem::permissions(directory_.path("db"), std::filesystem::perms::owner_all);
  expect_rows_there();
}

TEST_F(CliBadInputTest, AnUnknownTableIsNamed) {
  for (const auto& command : std::vector<std::vector<std::string>>{{"get", "db", "u", "a"},
                                                                   {"scan", "db", "u"},
                                                                   {"erase", "db", "u", "a"},
                                                                   {"stat", "db", "--table", "u"}}) {
    expect_failure(command, 3, "there is no table 'u'");
  }
  EXPECT_EQ(directory_.isolith({"tables", "db"}).out, "t\n");
  expect_failure({"put", "db", "", "k", "v"}, 3, "table");
  expect_failure({"put", "db", std::string(kMaxTableNameBytes + 1, 'n'), "k", "v"}, 3, "table");
  expect_rows_there();
}

TEST_F(CliBadInputTest, AKeyOverTheLimitIsRefused) {
  const std::string key(kMaxKeyBytes + 1, 'k');
  expect_failure({"put", "db", "t", key, "v"}, 3, "2048");
  expect_failure({"load", "db", "t"}, 3, "standard input:2: the key is over the limit of 2048 bytes",
                 "c\t3\n" + key + "\tv\n");
  expect_rows_there();
  const std::string longest(kMaxKeyBytes, 'k');
  EXPECT_EQ(directory_.isolith({"put", "db", "u", longest, "v"}).exit_code, 0);
  EXPECT_EQ(directory_.isolith({"get", "db", "u", longest}).out, "v");
}

TEST_F(CliBadInputTest, InputThatCannotBeReadChangesNothing) {
  expect_failure({"load", "new", "t", "missing.tsv"}, 3, "cannot open 'missing.tsv'");
  expect_failure({"load", "new", "t", "."}, 3, "directory");
  expect_failure({"put", "new", "t", "k", "--file", "missing"}, 3, "cannot open 'missing'");
  EXPECT_FALSE(std::filesystem::exists(directory_.path("new")));
}

TEST_F(CliBadInputTest, ALoadThatFailsSaysHowFarItCame) {
  expect_failure({"load", "db", "u", "--batch", "2"}, 3,
                 "standard input:6: no tab in the line: key<TAB>value expected; 4 rows are in, up to line 4",
                 "a\t1\nb\t2\nc\t3\nd\t4\ne\t5\nbroken\nf\t6\n");
  EXPECT_EQ(directory_.isolith({"scan", "db", "u", "--format=keys"}).out, "a\nb\nc\nd\n");
  expect_failure({"load", "db", "v"}, 3, "standard input:2: unknown escape after '\\'", "a\t1\nb\t\\q\n");
  expect_failure({"load", "db", "v"}, 3, "no row is in", "a\t1\r\n");
  EXPECT_EQ(directory_.isolith({"scan", "db", "v"}).out, "");
  expect_rows_there();
}

TEST_F(CliBadInputTest, ABrokenDumpIsRefused) {
  const std::string header = "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n";
  const std::vector<std::string> load{"load", "db", "u", "--format=dump"};
  expect_failure(load, 3, "standard input:1: nothing in it", "");
  expect_failure(load, 3, "standard input:1: no header", "a\t1\n");
  expect_failure(load, 3, "standard input:5: 'z' is no hexadecimal digit", header + " zz\n 00\nDATA=END\n");
  expect_failure(load, 3, "standard input:6: the value has an odd number", header + " 61\n 0\nDATA=END\n");
  expect_failure(load, 3, "cut short", header + " 61\n 62\n");
  expect_failure(load, 3, "duplicate keys",
                 "VERSION=3\nformat=print\ntype=btree\nduplicates=1\nHEADER=END\n");
  expect_failure({"load", "db", "--format=dump"}, 3, "no database=NAME", header + " 61\n 62\nDATA=END\n");
  expect_failure({"load", "db", "t"}, 3, "--format=dump", header);
  const std::string one = header + " 61\n 62\nDATA=END\n";
  expect_failure(load, 3, "standard input:8: the dump holds several databases", one + one);
  expect_rows_there();
}

TEST_F(CliBadInputTest, AFullOutputIsAnError) {
  const ProgramResult result =
      directory_.run({"sh", "-c", "\"$0\" scan db t > /dev/full", isolith_command()});
  expect_one_line(result, 3);
  EXPECT_THAT(result.err, HasSubstr("No space left on device"));
}

TEST_F(CliBadInputTest, ADatabaseThatIsOpenElsewhereIsBusy) {
  Result<Database> database = Database::open(directory_.path("db"));
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  expect_failure({"put", "db", "t", "c", "3"}, 4, std::to_string(::getpid()));
  expect_failure({"load", "db", "t"}, 4, std::to_string(::getpid()), "c\t3\n");
  expect_failure({"scan", "db", "t"}, 4, std::to_string(::getpid()));
  ASSERT_TRUE(database->close().ok());
  expect_rows_there();
}

TEST_F(CliBadInputTest, AFileCutShortIsFoundByVerify) {
  const std::filesystem::path largest = files().front();
  std::filesystem::resize_file(largest, std::filesystem::file_size(largest) / 2 + 1);
  for (const std::filesystem::path& path : files()) {
    if (path != largest) std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2 + 1);
  }
  const ProgramResult verify = directory_.isolith({"verify", "db"});
  EXPECT_NE(verify.exit_code, 0);
  EXPECT_NE(verify.exit_code, -1);
  EXPECT_NE(directory_.isolith({"scan", "db", "t"}).exit_code, 0);
}

TEST_F(CliBadInputTest, DamageIsFoundByVerify) {
  for (const std::filesystem::path& path : files()) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
    for (std::streamoff at = 100; at < size; at += 512) {
      file.seekp(at);
      file.put('\x5a');
    }
  }
  const ProgramResult verify = directory_.isolith({"verify", "db"});
  EXPECT_EQ(verify.exit_code, 1) << verify.err;
  const ProgramResult scan = directory_.isolith({"scan", "db", "t"});
  expect_one_line(scan, 3);
}

}  // namespace
}  // namespace isolith::tools
