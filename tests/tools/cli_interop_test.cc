// Rows go to Berkeley DB and LMDB and come back, through the commands that those engines bring along.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;

class CliInteropTest : public ::testing::Test {
 protected:
  // Bytes of every kind, a value longer than any page, and one that is empty; LMDB has no empty keys.
  static std::string rows() {
    std::string all_bytes;
    for (int byte = 0; byte < 256; ++byte) {
      constexpr const char* kDigits = "0123456789abcdef";
      all_bytes += std::string("\\x") + kDigits[byte / 16] + kDigits[byte % 16];
    }
    std::string text = "a" + all_bytes + "\t" + all_bytes + "\nback\\\\slash\tc:\\\\dir\\\\5c\nempty\t\n";
    text += "long\t" + std::string(100'000, 'l') + "\nspace key \t value \numlaut \xc3\xa4\t\xe2\x82\xac\n";
    for (int row = 0; row < 20'000; ++row)
      text.append(1, 'z')
          .append(std::to_string(100'000 + row))
          .append(1, '\t')
          .append(100, 'v')
          .append(1, '\n');
    return text;
  }

  // The rows as isolith writes them.
  std::string load() {
    EXPECT_EQ(directory_.isolith({"load", "db", "t"}, rows()).exit_code, 0);
    return directory_.isolith({"scan", "db", "t"}).out;
  }

  // Runs a shell command line in which $0 is the command.
  void shell(const std::string& line) {
    const ProgramResult result = directory_.run({"bash", "-o", "pipefail", "-c", line, isolith_command()});
    EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.err;
    EXPECT_EQ(result.err, "") << line;
  }

  void expect_rows(const std::string& database, const std::string& table, const std::string& expected) {
    const ProgramResult result = directory_.isolith({"scan", database, table});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.out == expected) << database << " has other rows";
  }

  TestDirectory directory_;
};

class BerkeleyDbTest : public CliInteropTest {
 protected:
  void SetUp() override {
    if (!has_program("db5.3_load") || !has_program("db5.3_dump"))
      GTEST_SKIP() << "db5.3-util is not installed";
  }
};

class LmdbTest : public CliInteropTest {
 protected:
  void SetUp() override {
    if (!has_program("mdb_load") || !has_program("mdb_dump")) GTEST_SKIP() << "lmdb-utils is not installed";
  }
};

TEST_F(BerkeleyDbTest, RowsGoThereAndComeBackInBothFormats) {
  const std::string expected = load();
  ASSERT_FALSE(expected.empty());
  shell("$0 scan db t --format=dump --no-name | db5.3_load print.db");
  shell("$0 scan db t --format=dump --no-name --bytevalue | db5.3_load bytes.db");
  shell("db5.3_dump -p print.db | $0 load back t --format=dump > log");
  expect_rows("back", "t", expected);
  shell("db5.3_dump bytes.db | $0 load back_bytes t --format=dump > log");
  expect_rows("back_bytes", "t", expected);
}

TEST_F(BerkeleyDbTest, DatabasesOfAFileBecomeTables) {
  EXPECT_EQ(directory_.isolith({"load", "db", "one \xc3\xa4"}, "a\t1\n").exit_code, 0);
  EXPECT_EQ(directory_.isolith({"load", "db", "two"}, "b\t2\n").exit_code, 0);
  shell("$0 scan db 'one \xc3\xa4' --format=dump | db5.3_load both.db");
  shell("$0 scan db two --format=dump | db5.3_load both.db");
  shell("db5.3_dump both.db | $0 load back --format=dump > log");
  expect_rows("back", "one \xc3\xa4", "a\t1\n");
  expect_rows("back", "two", "b\t2\n");
}

TEST_F(BerkeleyDbTest, HashTablesCanBeLoaded) {
  shell("printf 'b\\n2\\na\\n1\\n' | db5.3_load -T -t hash hash.db");
  shell("db5.3_dump hash.db | $0 load back t --format=dump > log");
  expect_rows("back", "t", "a\t1\nb\t2\n");
}

TEST_F(BerkeleyDbTest, WhatHasNoUniqueKeysIsRefused) {
  shell("printf 'one\\ntwo\\n' | db5.3_load -T -t recno recno.db");
  const ProgramResult recno =
      directory_.run({"bash", "-c", "db5.3_dump recno.db | $0 load back t --format=dump", isolith_command()});
  expect_one_line(recno, 3);
  EXPECT_THAT(recno.err, HasSubstr("'recno' has no keys"));
  shell(
      "printf 'VERSION=3\\nformat=print\\ntype=btree\\nduplicates=1\\nHEADER=END\\n a\\n 1\\n a\\n "
      "2\\nDATA=END\\n' | "
      "db5.3_load duplicates.db");
  const ProgramResult duplicates = directory_.run(
      {"bash", "-c", "db5.3_dump duplicates.db | $0 load back t --format=dump", isolith_command()});
  expect_one_line(duplicates, 3);
  EXPECT_THAT(duplicates.err, HasSubstr("duplicate keys"));
}

TEST_F(LmdbTest, RowsGoThereAndComeBackInBothFormats) {
  const std::string expected = load();
  ASSERT_FALSE(expected.empty());
  std::filesystem::create_directory(directory_.path("print.mdb"));
  std::filesystem::create_directory(directory_.path("bytes.mdb"));
  shell("$0 scan db t --format=dump --no-name --mapsize=64MiB | mdb_load print.mdb");
  shell("$0 scan db t --format=dump --no-name --bytevalue --mapsize=64MiB | mdb_load bytes.mdb");
  shell("mdb_dump print.mdb | $0 load back t --format=dump > log");
  expect_rows("back", "t", expected);
  shell("mdb_dump bytes.mdb | $0 load back_bytes t --format=dump > log");
  expect_rows("back_bytes", "t", expected);
}

TEST_F(LmdbTest, PrintedRowsWithoutABackslashComeBack) {
  EXPECT_EQ(directory_.isolith({"load", "db", "t"}, "a\\x00b\t\\n\nkey\t\xc3\xa4\n").exit_code, 0);
  std::filesystem::create_directory(directory_.path("m"));
  shell("$0 scan db t --format=dump --no-name | mdb_load m");
  shell("mdb_dump -p m | $0 load back t --format=dump > log");
  expect_rows("back", "t", "a\\x00b\t\\n\nkey\t\xc3\xa4\n");
}

TEST_F(LmdbTest, NamedDatabasesBecomeTables) {
  EXPECT_EQ(directory_.isolith({"load", "db", "one"}, "a\t1\n").exit_code, 0);
  EXPECT_EQ(directory_.isolith({"load", "db", "two"}, "b\t2\n").exit_code, 0);
  std::filesystem::create_directory(directory_.path("m"));
  shell("$0 scan db one --format=dump | mdb_load m");
  shell("$0 scan db two --format=dump | mdb_load m");
  shell("mdb_dump -a m | $0 load back --format=dump > log");
  expect_rows("back", "one", "a\t1\n");
  expect_rows("back", "two", "b\t2\n");
}

}  // namespace
}  // namespace isolith::tools
