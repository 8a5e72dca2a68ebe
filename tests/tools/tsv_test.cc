#include "tools/tsv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

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

struct Read {
  Rows rows;
  Status status;
};

Read read_all(TextInput input, const FieldLimits& limits = {}) {
  Read read;
  TsvReader reader(input, limits);
  Row row;
  for (;;) {
    const Result<bool> more = reader.next(row);
    if (!more.ok()) read.status = more.status();
    if (!more.ok() || !*more) return read;
    read.rows.emplace_back(row.key, row.value);
  }
}

std::string error_of(const std::string& text, const FieldLimits& limits = {}) {
  const Read read = read_all(text_input(text), limits);
  EXPECT_TRUE(read.status.is(StatusCode::invalid_argument)) << read.status.to_string();
  return std::string(read.status.message());
}

TEST(TsvReader, ReadsKeysAndValues) {
  const Read read = read_all(text_input("a\t1\nb\t\n\t3\n"));
  EXPECT_TRUE(read.status.ok());
  EXPECT_THAT(read.rows, ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("", "3")));
}

TEST(TsvReader, ReadsNothingFromNothing) {
  const Read read = read_all(text_input(""));
  EXPECT_TRUE(read.status.ok());
  EXPECT_TRUE(read.rows.empty());
}

TEST(TsvReader, TheLastLineNeedsNoLineFeed) {
  EXPECT_THAT(read_all(text_input("a\t1")).rows, ElementsAre(Pair("a", "1")));
}

TEST(TsvReader, FurtherTabsBelongToTheValue) {
  EXPECT_THAT(read_all(text_input("a\t1\t2\t\n")).rows, ElementsAre(Pair("a", "1\t2\t")));
}

TEST(TsvReader, DecodesEscapesInBothFields) {
  EXPECT_THAT(read_all(text_input("\\x00\\t\\\\\t\\n\\r\\xFf\n")).rows,
              ElementsAre(Pair(std::string("\0\t\\", 3), "\n\r\xff")));
}

TEST(TsvReader, KeepsACarriageReturnInsideALine) {
  EXPECT_THAT(read_all(text_input("a\r\tb\rc\n")).rows, ElementsAre(Pair("a\r", "b\rc")));
}

TEST(TsvReader, NamesTheLineOfWhatIsWrong) {
  EXPECT_THAT(error_of("a\t1\nb\n"), StartsWith("input:2: no tab in the line"));
  EXPECT_THAT(error_of("a\t1\n\nb\t2\n"), StartsWith("input:2: no tab in the line"));
  EXPECT_THAT(error_of("a\t1\nb"), StartsWith("input:2: no tab in the line"));
  EXPECT_THAT(error_of("a\t\\q\n"), StartsWith("input:1: unknown escape"));
  EXPECT_THAT(error_of("a\t1\nb\t\\\n"), StartsWith("input:2: unknown escape"));
  EXPECT_THAT(error_of("a\t\\"), StartsWith("input:1: unknown escape"));
  EXPECT_THAT(error_of("a\t\\x4\n"), StartsWith("input:1: \\x needs two"));
  EXPECT_THAT(error_of("\\xg0\t1\n"), StartsWith("input:1: \\x needs two"));
  EXPECT_THAT(error_of("a\t1\r\nb\t2\r\n"), StartsWith("input:1: the line ends in CR LF"));
}

TEST(TsvReader, KnowsADumpWhenItSeesOne) {
  EXPECT_THAT(error_of("VERSION=3\nformat=print\n"), HasSubstr("--format=dump"));
}

TEST(TsvReader, RefusesAFieldOverItsLimitAtOnce) {
  const FieldLimits limits{3, 5};
  EXPECT_THAT(read_all(text_input("abc\t12345\n"), limits).rows, ElementsAre(Pair("abc", "12345")));
  EXPECT_THAT(error_of("abcd\t1\n", limits), StartsWith("input:1: the key is over the limit of 3 bytes"));
  EXPECT_THAT(error_of("abc\\x00\t1\n", limits), StartsWith("input:1: the key is over"));
  EXPECT_THAT(error_of("a\t1\nb\t123456\n", limits), StartsWith("input:2: the value is over"));
}

TEST(TsvReader, PassesOnAnErrorOfTheInput) {
  const Status failure(StatusCode::io_error, "the disk is gone", 5);
  for (const char* text : {"", "a", "a\t", "a\t1", "a\t\\", "a\t\\x", "a\t\\x4"}) {
    const Read read = read_all(text_input(text, 1, failure));
    EXPECT_TRUE(read.status.is(StatusCode::io_error)) << text << ": " << read.status.to_string();
  }
}

RC_GTEST_PROP(TsvProperty, RowsComeBackAsTheyWere, (const Rows& rows)) {
  Output output = Output::in_memory();
  for (const auto& [key, value] : rows) write_tsv_row(output, key, value);
  const std::size_t piece_bytes = *rc::gen::inRange<std::size_t>(1, 20);
  const Read read = read_all(text_input(output.memory(), piece_bytes));
  RC_ASSERT(read.status.ok());
  RC_ASSERT(read.rows == rows);
}

RC_GTEST_PROP(TsvProperty, AnyTextIsReadOrRefused, ()) {
  const auto text =
      *rc::gen::container<std::string>(rc::gen::element('\t', '\n', '\r', '\\', 'x', 'n', '4', 'a'));
  const Read read = read_all(text_input(text, *rc::gen::inRange<std::size_t>(1, 5)));
  RC_ASSERT(read.status.ok() || read.status.is(StatusCode::invalid_argument));
}

}  // namespace
}  // namespace isolith::tools
