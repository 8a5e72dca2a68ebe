#include "tools/dump_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/tools/text_source.h"
#include "tools/output.h"

namespace isolith::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

using Rows = std::vector<std::pair<std::string, std::string>>;

struct DumpedDatabase {
  std::optional<std::string> name;
  DumpEncoding encoding = DumpEncoding::print;
  Rows rows;
};

struct Read {
  std::vector<DumpedDatabase> databases;
  Status status;
};

Status read_rows(DumpReader& reader, Rows& rows) {
  Row row;
  for (;;) {
    const Result<bool> more = reader.next_row(row);
    if (!more.ok()) return more.status();
    if (!*more) return {};
    rows.emplace_back(row.key, row.value);
  }
}

Read read_all(TextInput input, const FieldLimits& limits = {}) {
  Read read;
  DumpReader reader(input, limits);
  DumpHeader header;
  for (;;) {
    const Result<bool> more = reader.next_database(header);
    if (!more.ok()) read.status = more.status();
    if (!more.ok() || !*more) return read;
    read.databases.push_back({header.database, header.encoding, {}});
    read.status = read_rows(reader, read.databases.back().rows);
    if (!read.status.ok()) return read;
  }
}

std::string error_of(const std::string& text, const FieldLimits& limits = {}) {
  const Read read = read_all(text_input(text), limits);
  EXPECT_TRUE(read.status.is(StatusCode::invalid_argument)) << read.status.to_string();
  return std::string(read.status.message());
}

const std::string kPrintHeader = "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n";
const std::string kByteHeader = "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n";

TEST(DumpReader, ReadsWhatBerkeleyDbWrites) {
  const Read read =
      read_all(text_input("VERSION=3\nformat=print\ntype=btree\ndb_pagesize=4096\nHEADER=END\n a\\00b\n "
                          "v\\\\al\n key2\n \nDATA=END\n"));
  ASSERT_TRUE(read.status.ok()) << read.status.to_string();
  ASSERT_EQ(read.databases.size(), 1U);
  EXPECT_EQ(read.databases[0].name, std::nullopt);
  EXPECT_THAT(read.databases[0].rows, ElementsAre(Pair(std::string("a\0b", 3), "v\\al"), Pair("key2", "")));
}

TEST(DumpReader, ReadsWhatLmdbWrites) {
  const Read read =
      read_all(text_input("VERSION=3\nformat=bytevalue\ndatabase=tab1\ntype=btree\nmapsize="
                          "1048576\nmaxreaders=126\ndb_pagesize=4096\n"
                          "HEADER=END\n 610062\n 765C616c\n \n \nDATA=END\n"));
  ASSERT_TRUE(read.status.ok()) << read.status.to_string();
  ASSERT_EQ(read.databases.size(), 1U);
  EXPECT_EQ(read.databases[0].name, "tab1");
  EXPECT_THAT(read.databases[0].rows, ElementsAre(Pair(std::string("a\0b", 3), "v\\al"), Pair("", "")));
}

TEST(DumpReader, ReadsSeveralDatabasesOneAfterAnother) {
  const Read read = read_all(text_input(
      "VERSION=3\nformat=print\ndatabase=one\ntype=btree\nHEADER=END\n a\n 1\nDATA=END\n"
      "VERSION=3\nformat=bytevalue\nsubdatabase=two\\0a\ntype=hash\nHEADER=END\n 62\n 32\nDATA=END\n"));
  ASSERT_TRUE(read.status.ok()) << read.status.to_string();
  ASSERT_EQ(read.databases.size(), 2U);
  EXPECT_EQ(read.databases[0].name, "one");
  EXPECT_EQ(read.databases[1].name, "two\n");
  EXPECT_EQ(read.databases[1].encoding, DumpEncoding::bytevalue);
  EXPECT_THAT(read.databases[1].rows, ElementsAre(Pair("b", "2")));
}

TEST(DumpReader, TakesANameThatLmdbDidNotEscapeAsItIs) {
  const Read read = read_all(text_input("VERSION=3\nformat=print\ndatabase=a\\b\nHEADER=END\nDATA=END\n"));
  ASSERT_EQ(read.databases.size(), 1U);
  EXPECT_EQ(read.databases[0].name, "a\\b");
}

TEST(DumpReader, RefusesAnInputThatIsNoDump) {
  EXPECT_THAT(error_of(""), StartsWith("input:1: nothing in it"));
  EXPECT_THAT(error_of("a\t1\n"), StartsWith("input:1: no header"));
  EXPECT_THAT(error_of("Very different\n"), StartsWith("input:1: no header"));
  EXPECT_THAT(error_of(" a\n 1\nDATA=END\n"), StartsWith("input:1: no header"));
  EXPECT_THAT(error_of(std::string(1 << 20, 'V')), StartsWith("input:1: this line is too long"));
  EXPECT_THAT(error_of("VERSION=2\n"), HasSubstr("only version 3"));
}

TEST(DumpReader, RefusesABrokenHeader) {
  EXPECT_THAT(error_of("VERSION=3\nformat=print\n a\n"), StartsWith("input:3: ' a' is no header line"));
  EXPECT_THAT(error_of("VERSION=3\nformat=hex\nHEADER=END\n"), StartsWith("input:2: unknown format 'hex'"));
  EXPECT_THAT(error_of("VERSION=3\ntype=btree\nHEADER=END\n"),
              StartsWith("input:3: the header has no format"));
  EXPECT_THAT(error_of("VERSION=3\nformat=print\n"), StartsWith("input:3: the dump ends in the middle"));
  EXPECT_THAT(error_of("VERSION=3\r\nformat=print\r\n"), StartsWith("input:1: the line ends in CR LF"));
}

TEST(DumpReader, RefusesWhatWouldLoseRows) {
  const std::string start = "VERSION=3\nformat=print\n";
  EXPECT_THAT(error_of(start + "type=recno\n"), StartsWith("input:3: type 'recno' has no keys"));
  EXPECT_THAT(error_of(start + "type=queue\n"), StartsWith("input:3: type 'queue' has no keys"));
  EXPECT_THAT(error_of(start + "keys=0\n"), HasSubstr("without keys"));
  EXPECT_THAT(error_of(start + "type=btree\nduplicates=1\n"),
              StartsWith("input:4: this database has duplicate"));
  EXPECT_THAT(error_of(start + "dupsort=1\n"), HasSubstr("duplicate"));
  EXPECT_TRUE(read_all(text_input(start + "duplicates=0\nkeys=1\nHEADER=END\nDATA=END\n")).status.ok());
}

TEST(DumpReader, RefusesBrokenHexadecimal) {
  EXPECT_THAT(error_of(kByteHeader + " 6g\n 31\nDATA=END\n"),
              StartsWith("input:5: 'g' is no hexadecimal digit"));
  EXPECT_THAT(error_of(kByteHeader + " 61\n alice\n"), StartsWith("input:6: 'l' is no hexadecimal digit"));
  EXPECT_THAT(error_of(kByteHeader + " 61\n 3\n"), StartsWith("input:6: the value has an odd number"));
  EXPECT_THAT(error_of(kByteHeader + " 61\r\n"), StartsWith("input:5: the line ends in CR LF"));
  EXPECT_THAT(error_of(kPrintHeader + " a\n b\r\n"), StartsWith("input:6: the line ends in CR LF"));
}

TEST(DumpReader, SaysWhyABareBackslashIsThere) {
  EXPECT_THAT(error_of(kPrintHeader + " a\n v\\x\n"), HasSubstr("mdb_dump -p leaves backslashes bare"));
  EXPECT_THAT(error_of(kPrintHeader + " a\n v\\4\n"), StartsWith("input:6: a backslash needs"));
  EXPECT_THAT(error_of(kPrintHeader + " a\n v\\"), StartsWith("input:6: a backslash needs"));
}

TEST(DumpReader, NoticesWhereADumpWasCutShort) {
  const std::string whole = kPrintHeader + " a\n 1\n b\\5c\n 2\nDATA=END\n";
  ASSERT_TRUE(read_all(text_input(whole)).status.ok());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Read read = read_all(text_input(whole.substr(0, length)));
    EXPECT_TRUE(read.status.is(StatusCode::invalid_argument)) << "at " << length;
  }
}

TEST(DumpReader, RefusesLinesThatAreNoData) {
  EXPECT_THAT(error_of(kPrintHeader + "a\n"), StartsWith("input:5: a key or DATA=END expected"));
  EXPECT_THAT(error_of(kPrintHeader + " a\n\n"), StartsWith("input:6: a value or DATA=END expected"));
  EXPECT_THAT(error_of(kPrintHeader + "DATA\n"), StartsWith("input:5: a key or DATA=END expected"));
  EXPECT_THAT(error_of(kPrintHeader + " a\nDATA=END\n"), StartsWith("input:5: the last key has no value"));
}

TEST(DumpReader, RefusesAFieldOverItsLimitAtOnce) {
  const FieldLimits limits{3, 5};
  EXPECT_TRUE(read_all(text_input(kPrintHeader + " abc\n 12345\nDATA=END\n"), limits).status.ok());
  EXPECT_THAT(error_of(kPrintHeader + " abcd\n", limits),
              StartsWith("input:5: the key is over the limit of 3"));
  EXPECT_THAT(error_of(kByteHeader + " 61\n 313233343536\n", limits),
              StartsWith("input:6: the value is over"));
}

TEST(DumpReader, PassesOnAnErrorOfTheInput) {
  const Status failure(StatusCode::io_error, "the disk is gone", 5);
  const std::string whole = kByteHeader + " 61\n 3132\nDATA=END\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const Read read = read_all(text_input(whole.substr(0, length), 3, failure));
    EXPECT_TRUE(read.status.is(StatusCode::io_error)) << "at " << length << ": " << read.status.to_string();
  }
}

TEST(DumpWriter, WritesWhatBerkeleyDbAndLmdbRead) {
  Output output = Output::in_memory();
  write_dump_header(output, {DumpEncoding::print, "na\\me", 2097152});
  write_dump_row(output, DumpEncoding::print, std::string_view("a\0~", 3), "v\\\x7f\xc3");
  write_dump_end(output);
  EXPECT_EQ(output.memory(),
            "VERSION=3\nformat=print\ndatabase=na\\5cme\ntype=btree\nmapsize=2097152\nHEADER=END\n"
            " a\\00~\n v\\5c\\7f\\c3\nDATA=END\n");
}

RC_GTEST_PROP(DumpProperty, RowsComeBackAsTheyWere, (const Rows& rows, bool as_print)) {
  const DumpEncoding encoding = as_print ? DumpEncoding::print : DumpEncoding::bytevalue;
  Output output = Output::in_memory();
  write_dump_header(output, {encoding, "a table", std::nullopt});
  for (const auto& [key, value] : rows) write_dump_row(output, encoding, key, value);
  write_dump_end(output);
  const Read read = read_all(text_input(output.memory(), *rc::gen::inRange<std::size_t>(1, 20)));
  RC_ASSERT(read.status.ok());
  RC_ASSERT(read.databases.size() == 1U);
  RC_ASSERT(read.databases[0].name == "a table");
  RC_ASSERT(read.databases[0].rows == rows);
}

RC_GTEST_PROP(DumpProperty, DamagedTextIsReadOrRefused, (bool as_print)) {
  std::string text =
      as_print ? kPrintHeader + " a\\00\n 1\n b\n 2\nDATA=END\n" : kByteHeader + " 61\n 31\nDATA=END\n";
  const int damages = *rc::gen::inRange(1, 4);
  for (int damage = 0; damage < damages; ++damage) {
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    text[at] = *rc::gen::element(' ', '\n', '\r', '\\', '=', 'D', 'V', '0', 'g', '\0', '\xff');
  }
  const Read read = read_all(text_input(text, *rc::gen::inRange<std::size_t>(1, 9)));
  RC_ASSERT(read.status.ok() || read.status.is(StatusCode::invalid_argument));
  if (!read.status.ok()) RC_ASSERT(read.status.message().starts_with("input:"));
}

}  // namespace
}  // namespace isolith::tools
