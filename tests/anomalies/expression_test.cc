#include "anomalies/expression.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

// Four variables and one table of three rows, or none.
class FakeScope final : public Scope {
 public:
  explicit FakeScope(bool has_rows = true) : has_rows_(has_rows) {}

  [[nodiscard]] const Value& variable(std::uint32_t /*session*/, std::uint32_t variable) const override {
    return variables_[variable];
  }
  [[nodiscard]] const std::vector<Row>* rows(std::uint32_t /*table*/) const override {
    return has_rows_ ? &rows_ : nullptr;
  }

  std::vector<Value> variables_ = {std::int64_t{7}, std::string("seven"), Absent{}, Unread{}, true};
  std::vector<Row> rows_ = {{"a", "1"}, {"b", "20"}, {"b2", "text"}};

 private:
  bool has_rows_;
};

// `number`, `text`, `none`, `unread` and `truth` are the variables of FakeScope.
constexpr const char* kReads =
    "  number = get t/k\n  text = get t/k\n  none = get t/k\n  unread = get t/k\n  truth = exists t\n";

// As it stands in a step: what it gives, or the text of its error. `row` is looked at by `key` and `value`.
std::string value_of(const std::string& text, const Row* row = nullptr) {
  const std::string file = std::string("scenario s\ntable t\nsession A\n") + kReads + "  " +
                           (row != nullptr ? "update t = " : "put t/k = ") + text + "\n  commit\n";
  const Result<Scenario> scenario = parse_scenario(file, "s");
  if (!scenario.ok()) return "unparsed: " + std::string(scenario.status().message());
  const Result<Value> value = evaluate(*scenario->sessions[0].steps[5].value, FakeScope(), row);
  if (value.ok()) return to_text(*value);
  EXPECT_TRUE(value.status().is(StatusCode::invalid_argument));
  return std::string(value.status().message());
}

// As a condition over the end of a run: "true", "false", or the text of its error.
std::string truth_of(const std::string& text, const FakeScope& scope = FakeScope()) {
  const std::string file =
      std::string("scenario s\ntable t\nsession A\n") + kReads + "  commit\ninvariant " + text + "\n";
  const Result<Scenario> scenario = parse_scenario(file, "s");
  if (!scenario.ok()) return "unparsed: " + std::string(scenario.status().message());
  const Result<bool> truth = is_true(scenario->invariants[0].expression, scope);
  if (truth.ok()) return *truth ? "true" : "false";
  EXPECT_TRUE(truth.status().is(StatusCode::invalid_argument));
  return std::string(truth.status().message());
}

TEST(Value, OnlyATextThatIsWrittenAsANumberIsOne) {
  for (const char* text : {"0", "7", "-7", "100", "9223372036854775807", "-9223372036854775808"}) {
    EXPECT_TRUE(std::holds_alternative<std::int64_t>(from_text(text))) << text;
    EXPECT_EQ(to_text(from_text(text)), text);
  }
  for (const char* text : {"", "-", "+7", "007", "-0", "00", " 7", "7 ", "7.0", "1e3", "9223372036854775808",
                           "-9223372036854775809", "true", "absent"}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(from_text(text))) << text;
    EXPECT_EQ(to_text(from_text(text)), text);
  }
}

TEST(Value, TextsOfValuesAreWhatPeopleRead) {
  EXPECT_EQ(to_text(Value(true)), "true");
  EXPECT_EQ(to_text(Value(false)), "false");
  EXPECT_EQ(to_text(Value(Absent{})), "absent");
  EXPECT_EQ(to_text(Value(Unread{})), "unread");
  EXPECT_EQ(to_text(std::vector<Row>{}), "");
  EXPECT_EQ(to_text(std::vector<Row>{{"alice", "100"}, {"bob", "on"}}), "alice=100, bob=on");
}

TEST(Target, ContainsItsKeyOrFromTheLowerToBelowTheUpperEnd) {
  const Target key{0, false, "b", {}};
  EXPECT_TRUE(key.contains("b"));
  EXPECT_FALSE(key.contains("c"));
  const Target range{0, true, "b", "d"};
  EXPECT_FALSE(range.contains("a"));
  EXPECT_TRUE(range.contains("b"));
  EXPECT_TRUE(range.contains("czz"));
  EXPECT_FALSE(range.contains("d"));
  EXPECT_TRUE((Target{0, true, "b", {}}.contains("z")));
}

TEST(Expression, OperatorsBindAsInArithmetic) {
  EXPECT_EQ(value_of("1 + 2 * 3"), "7");
  EXPECT_EQ(value_of("(1 + 2) * 3"), "9");
  EXPECT_EQ(value_of("10 - 3 - 2"), "5");
  EXPECT_EQ(value_of("100 / 5 / 2"), "10");
  EXPECT_EQ(value_of("2 + 7 % 4 * 2"), "8");
  EXPECT_EQ(value_of("-number + 10"), "3");
  EXPECT_EQ(value_of("10 -3"), "7");
  EXPECT_EQ(value_of("10 - -3"), "13");
  EXPECT_EQ(value_of("--number"), "7");
  EXPECT_EQ(value_of("1 + 1 = 2 and not 2 < 1 or false"), "true");
  EXPECT_EQ(value_of("true or true and false"), "true");
  EXPECT_EQ(value_of("not true or true"), "true");
  EXPECT_EQ(value_of("not number = 8"), "true");
  EXPECT_EQ(value_of("not not truth"), "true");
}

TEST(Expression, DivisionRoundsTowardsZeroAndTheRemainderHasTheSignOfTheLeftSide) {
  EXPECT_EQ(value_of("7 / 2"), "3");
  EXPECT_EQ(value_of("-7 / 2"), "-3");
  EXPECT_EQ(value_of("-7 % 2"), "-1");
  EXPECT_EQ(value_of("7 % -2"), "1");
}

TEST(Expression, WhatDoesNotFit64BitsIsAnErrorAtTheOperator) {
  EXPECT_EQ(value_of("9223372036854775807 + 0"), "9223372036854775807");
  EXPECT_EQ(value_of("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(value_of("9223372036854775807 + 1"), "9:33: 9223372036854775807 + 1 is more than 64 bits hold");
  EXPECT_EQ(value_of("-9223372036854775808 - 1"), "9:34: -9223372036854775808 - 1 is more than 64 bits hold");
  EXPECT_EQ(value_of("4294967296 * 4294967296"), "9:24: 4294967296 * 4294967296 is more than 64 bits hold");
  EXPECT_EQ(value_of("-9223372036854775808 / -1"),
            "9:34: -9223372036854775808 / -1 is more than 64 bits hold");
  EXPECT_EQ(value_of("-9223372036854775808 % -1"), "0");
  EXPECT_EQ(value_of("-(-9223372036854775808)"), "9:13: -(-9223372036854775808) is more than 64 bits hold");
}

TEST(Expression, WhatIsNotDefinedIsAnErrorThatNamesTheValue) {
  EXPECT_EQ(value_of("1 / 0"), "9:15: 1 / 0 is a division by 0");
  EXPECT_EQ(value_of("number % (1 - 1)"), "9:20: 7 % 0 is a division by 0");
  EXPECT_EQ(value_of("text + 1"), "9:18: `+` needs numbers, and `seven` is a text");
  EXPECT_EQ(value_of("1 - none"), "9:15: `-` needs numbers, and `absent` is absent");
  EXPECT_EQ(value_of("1 + (1 = 1)"), "9:15: `+` needs numbers, and `true` is a truth");
  EXPECT_EQ(value_of("-text"), "9:13: `-` needs a number, and `seven` is a text");
  EXPECT_EQ(value_of("none < 1"),
            "9:18: `<` compares two numbers or two texts, and `absent` is absent, `1` is a number");
  EXPECT_EQ(value_of("number < text"),
            "9:20: `<` compares two numbers or two texts, and `7` is a number, `seven` is a text");
  EXPECT_EQ(value_of("text >= number"),
            "9:18: `>=` compares two numbers or two texts, and `seven` is a text, `7` is a number");
  EXPECT_EQ(value_of("truth > false"),
            "9:19: `>` compares two numbers or two texts, and `true` is a truth, `false` is a truth");
}

TEST(Expression, EqualityComparesAnythingAndKindsDiffer) {
  EXPECT_EQ(value_of("number = 7"), "true");
  EXPECT_EQ(value_of("number != 7"), "false");
  EXPECT_EQ(value_of("number = \"7\""), "true") << "a text that is a number is one";
  EXPECT_EQ(value_of("text = \"seven\""), "true");
  EXPECT_EQ(value_of("text = 7"), "false");
  EXPECT_EQ(value_of("text != 7"), "true");
  EXPECT_EQ(value_of("none = absent"), "true");
  EXPECT_EQ(value_of("number = absent"), "false");
  EXPECT_EQ(value_of("none = \"absent\""), "false");
  EXPECT_EQ(value_of("truth = true"), "true");
  EXPECT_EQ(value_of("truth = \"true\""), "false");
}

TEST(Expression, OrderIsOfNumbersOrBytewiseOfTexts) {
  EXPECT_EQ(value_of("9 < 10"), "true");
  EXPECT_EQ(value_of("-1 <= -1"), "true");
  EXPECT_EQ(value_of("2 > 10"), "false");
  EXPECT_EQ(value_of("\"b\" > \"a9\""), "true");
  EXPECT_EQ(value_of("\"Z\" < \"a\""), "true");
  EXPECT_EQ(value_of("\"é\" > \"z\""), "true");
  EXPECT_EQ(value_of("\"a\" >= \"a\""), "true");
}

TEST(Expression, WhatIsUnreadMakesComparisonsFalseAndSumsUnread) {
  for (const char* comparison : {"=", "!=", "<", "<=", ">", ">="}) {
    EXPECT_EQ(value_of(std::string("unread ") + comparison + " 1"), "false") << comparison;
    EXPECT_EQ(value_of(std::string("\"a\" ") + comparison + " unread"), "false") << comparison;
  }
  EXPECT_EQ(value_of("unread = unread"), "false");
  EXPECT_EQ(value_of("unread + text"), "unread");
  EXPECT_EQ(value_of("-unread"), "unread");
  EXPECT_EQ(value_of("1 / 1 + unread"), "unread");
  EXPECT_EQ(truth_of("not A.unread = 1"), "true");
}

TEST(Expression, AndAndOrDecideFromTheLeft) {
  EXPECT_EQ(truth_of("1 = 2 and 1 / 0 = 1"), "false");
  EXPECT_EQ(truth_of("1 = 1 or 1 / 0 = 1"), "true");
  EXPECT_EQ(truth_of("1 = 1 and 1 / 0 = 1"), "10:23: 1 / 0 is a division by 0");
  EXPECT_EQ(truth_of("1 = 2 or A.truth"), "true");
}

TEST(Expression, KeyAndValueAreOfTheRow) {
  const Row row{"alice", "100"};
  EXPECT_EQ(value_of("value + 1", &row), "101");
  EXPECT_EQ(value_of("key", &row), "alice");
  const Row numbered{"12", "text"};
  EXPECT_EQ(value_of("key >= 3", &numbered), "true") << "a key that is a number is compared as one";
  EXPECT_EQ(value_of("value = \"text\"", &numbered), "true");
}

TEST(Expression, ReadsOfTheStateLookAtTheRowsThatFit) {
  EXPECT_EQ(truth_of("get t/a = 1"), "true");
  EXPECT_EQ(truth_of("get t/b2 = \"text\""), "true");
  EXPECT_EQ(truth_of("get t/c = absent"), "true");
  EXPECT_EQ(truth_of("count t = 3"), "true");
  EXPECT_EQ(truth_of("count t/b.. = 2"), "true");
  EXPECT_EQ(truth_of("count t/..b = 1"), "true");
  EXPECT_EQ(truth_of("count t/b* = 2"), "true");
  EXPECT_EQ(truth_of("count t/b = 1"), "true") << "the range of one key";
  EXPECT_EQ(truth_of("count t/a..b2 = 2"), "true");
  EXPECT_EQ(truth_of("sum t/a..b2 = 21"), "true");
  EXPECT_EQ(truth_of("sum t/c* = 0"), "true");
  EXPECT_EQ(truth_of("exists t/c"), "false");
  EXPECT_EQ(truth_of("exists t/b"), "true");
  EXPECT_EQ(truth_of("scan t = \"a=1, b=20, b2=text\""), "true");
  EXPECT_EQ(truth_of("(scan t where key != \"b\") = \"a=1, b2=text\""), "true");
  EXPECT_EQ(truth_of("(count t where value = \"text\") = 1"), "true");
  EXPECT_EQ(truth_of("(exists t where value = A.number + 13)"), "true");
  EXPECT_EQ(truth_of("(count t where value = get t/a) = 1"), "true");
  EXPECT_EQ(truth_of("(sum t where value = 1 or value = 20) + 1 = 22"), "true");
  EXPECT_EQ(truth_of("sum t = 1"), "10:11: `sum` needs numbers, and `text` is a text");
  EXPECT_EQ(truth_of("(count t where value > 1) = 1"),
            "10:32: `>` compares two numbers or two texts, and `text` is a text, `1` is a number");
}

TEST(Expression, ASumThatDoesNotFitIsAnError) {
  FakeScope scope;
  scope.rows_ = {{"a", "9223372036854775807"}, {"b", "1"}};
  EXPECT_EQ(truth_of("sum t = 1", scope), "10:11: the sum is more than 64 bits hold");
}

TEST(Expression, AScopeWithoutRowsIsAnErrorForWhatReadsThem) {
  EXPECT_EQ(truth_of("count t = 3", FakeScope(false)), "10:11: there are no stored rows to look at here");
  const Expression key{Operator::row_key, {3, 4}, {}, 0, 0, {}, {}};
  const Result<Value> value = evaluate(key, FakeScope());
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.status().message(), "3:4: `key` and `value` are of a row, and there is none here");
}

TEST(Expression, AConditionThatIsNoTruthIsAnError) {
  const Expression number{Operator::literal, {3, 4}, std::int64_t{1}, 0, 0, {}, {}};
  const Result<bool> truth = is_true(number, FakeScope());
  ASSERT_FALSE(truth.ok());
  EXPECT_EQ(truth.status().message(), "3:4: a condition is true or false, and `1` is a number");
  EXPECT_EQ(truth_of("A.truth"), "true");
}

TEST(Expression, AWhereThatIsUnreadFitsNoRow) {
  const Expression unread{Operator::variable, {1, 1}, {}, 0, 3, {}, {}};
  const Expression counting{Operator::count, {1, 1}, {}, 0, 0, {0, true, "", {}}, {unread}};
  const Result<Value> value = evaluate(counting, FakeScope());
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(to_text(*value), "0");
}

}  // namespace
}  // namespace isolith::anomalies
