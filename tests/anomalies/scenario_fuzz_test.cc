// Scenario files that were broken at random: each is read, or refused with a place that is in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/scenario_parser.h"
#include "anomalies/utf8.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

constexpr std::string_view kName = "a file:7";

// Every construct of the language.
constexpr std::string_view kEverything = R"(# All of it.
scenario Everything
shows nothing (at all)

story
  One # paragraph
  of two.

  The other.

table accounts
  alice = -100
  "a key, any" = "text \"quoted\" \\ \n \t"
  ключ = "знач"
table empty

session A at snapshot read only
  begin
  x = get accounts/alice
  y = get_for_update accounts/"a key, any"
  get_for_share accounts/ключ
  put accounts/alice = (x + 1) * -2 / 3 % 4 - 5
  insert empty/k = "v"
  n = update accounts/a..m = value - 1 where value > x and not key = "b" or false
  erase_range accounts/user:* where value != absent
  savepoint s
  s1 = scan accounts/a..
  c = count accounts/..m
  if c >= 1 then t = sum accounts
  e = exists accounts/alice
  require e and c <= 3 and x < 10
  rollback to s
  commit
session T1 deferrable at any
  erase accounts/alice
  abort

order A T1 T1! T1 A A A A A A A A A A A A A A A
order all
invariant (count accounts where value = 100) + sum empty >= 0 and get accounts/alice != absent
anomaly A.e or (exists accounts where key = "x" and value = A.x)

expect snapshot read_committed
  happens
  prevented by waiting
  T1 waits for A
  nobody waits
  T1 fails with conflict/write_conflict
  nobody fails
  A commits
  A.c = 2
)";

constexpr std::array<std::string_view, 40> kTokens = {"scenario",
                                                      "table t",
                                                      "session B",
                                                      "order A1",
                                                      "expect",
                                                      "invariant",
                                                      "\n",
                                                      "\r\n",
                                                      "\t",
                                                      "  ",
                                                      "\"",
                                                      "\\",
                                                      "(",
                                                      ")",
                                                      "=",
                                                      "where",
                                                      "and",
                                                      "not",
                                                      "value",
                                                      "key",
                                                      "/",
                                                      "..",
                                                      "*",
                                                      "#",
                                                      "A.x",
                                                      "9223372036854775808",
                                                      "-",
                                                      "count",
                                                      "get",
                                                      "then",
                                                      "rollback to ",
                                                      "commit\n",
                                                      "begin",
                                                      "é",
                                                      "\xFF",
                                                      "\xEF\xBB\xBF",
                                                      "!",
                                                      "absent",
                                                      "\n  abort\n",
                                                      ":"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {
    texts_.emplace_back(kEverything);
    for (const CatalogueEntry& entry : catalogue()) texts_.emplace_back(entry.text);
  }

  std::string next() {
    std::string text = texts_[below(texts_.size())];
    for (std::size_t i = below(4) + 1; i > 0; --i) mutate(text);
    return text;
  }

  std::size_t below(std::size_t end) { return end == 0 ? 0 : static_cast<std::size_t>(random_() % end); }

 private:
  void mutate(std::string& text) {
    const std::size_t at = below(text.size());
    const std::size_t line = std::min(text.rfind('\n', at) + 1, text.size());
    const std::size_t line_size = std::min(text.find('\n', at), text.size()) - std::min(line, at);
    const std::string token(kTokens[below(kTokens.size())]);
    switch (below(10)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random_());
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 2:
        text.erase(at, below(20));
        break;
      case 3:
        text.insert(at, token);
        break;
      case 4:
        text.replace(at, std::min(text.size() - at, token.size()), token);
        break;
      case 5:  // a line less
        text.erase(line, line_size + 1);
        break;
      case 6:  // a line twice, or somewhere else
        text.insert(below(2) == 0 ? line : std::min(text.rfind('\n', below(text.size())) + 1, text.size()),
                    text.substr(line, line_size) + "\n");
        break;
      case 7:
        text.resize(at);
        break;
      case 8: {  // the end of another one
        const std::string& other = texts_[below(texts_.size())];
        text.replace(line, std::string::npos,
                     other.substr(std::min(other.find('\n', below(other.size())), other.size())));
        break;
      }
      default:
        for (std::size_t i = below(100); i > 0; --i) text.insert(at, token);
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> texts_;
};

// Any value for each variable, and the first rows as the state.
class AnyScope final : public Scope {
 public:
  AnyScope(const Scenario& scenario, std::size_t seed) : scenario_(scenario), seed_(seed) {}
  [[nodiscard]] const Value& variable(std::uint32_t session, std::uint32_t variable) const override {
    return values_[(seed_ + session + variable) % values_.size()];
  }
  [[nodiscard]] const std::vector<Row>* rows(std::uint32_t table) const override {
    return &scenario_.tables[table].rows;
  }

 private:
  const Scenario& scenario_;
  std::size_t seed_;
  std::array<Value, 5> values_ = {Unread{}, Absent{}, std::int64_t{7}, std::string("on"), true};
};

// What scenario.h promises of one that was read; and what it computes ends.
void expect_sound(const Scenario& scenario, std::size_t seed) {
  EXPECT_FALSE(scenario.title.empty());
  EXPECT_FALSE(scenario.sessions.empty());
  const Program program = outline(scenario);
  for (const Schedule& order : scenario.orders) EXPECT_TRUE(check_schedule(order, program).ok());
  EXPECT_TRUE(scenario.all_orders || !scenario.orders.empty());
  const AnyScope scope(scenario, seed);
  const Row row{"key", "1"};
  for (const SessionScript& session : scenario.sessions) {
    ASSERT_FALSE(session.steps.empty());
    const StepKind last = session.steps.back().kind;
    EXPECT_TRUE(last == StepKind::commit || last == StepKind::abort);
    for (const Step& step : session.steps) {
      EXPECT_FALSE(step.text.empty());
      EXPECT_LT(step.target.table, std::max<std::size_t>(scenario.tables.size(), 1));
      EXPECT_TRUE(step.variable == kNoVariable || step.variable < session.variables.size());
      EXPECT_TRUE(step.savepoint == 0 || step.savepoint < session.savepoints.size());
      if (step.condition) (void)is_true(*step.condition, scope).ok();
      if (step.where) (void)is_true(*step.where, scope, &row).ok();
      if (step.value) (void)evaluate(*step.value, scope, &row).ok();
    }
  }
  for (const Condition& condition : scenario.invariants) (void)is_true(condition.expression, scope).ok();
  for (const Condition& condition : scenario.anomalies) (void)is_true(condition.expression, scope).ok();
  for (const Expectation& expectation : scenario.expectations) {
    EXPECT_FALSE(expectation.levels.empty());
    EXPECT_FALSE(expectation.items.empty());
  }
}

// A number and what stands behind it, taken from `text`.
bool take_number(std::string_view& text, std::string_view behind, std::size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(behind)) return false;
  text.remove_prefix(behind.size());
  return true;
}

// Lines and columns are from 1, and may be just behind the end.
bool is_in_text(std::string_view text, std::size_t line, std::size_t column) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t i = 1; i < line; ++i) {
    if (text.empty()) return false;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return line > 0 && column > 0 && column <= count_characters(text.substr(0, text.find('\n'))) + 1;
}

void expect_good_error(std::string_view text, std::string_view message) {
  ASSERT_TRUE(message.starts_with(std::string(kName) + ":")) << message;
  std::string_view rest = message.substr(kName.size() + 1);
  std::size_t line = 0;
  std::size_t column = 0;
  ASSERT_TRUE(take_number(rest, ":", line) && take_number(rest, ": ", column)) << message;
  EXPECT_TRUE(is_in_text(text, line, column)) << message;
  EXPECT_FALSE(rest.empty());
  EXPECT_TRUE(std::none_of(rest.begin(), rest.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  })) << message;
}

// Whether it was read.
bool check(std::string_view text, std::size_t seed) {
  const Result<Scenario> scenario = parse_scenario(text, kName);
  if (scenario.ok()) {
    expect_sound(*scenario, seed);
  } else {
    EXPECT_TRUE(scenario.status().is(StatusCode::invalid_argument));
    expect_good_error(text, scenario.status().message());
  }
  return scenario.ok();
}

TEST(ScenarioFuzz, WhatItBreaksWasGood) {
  EXPECT_TRUE(check(kEverything, 0)) << parse_scenario(kEverything, kName).status().message();
}

TEST(ScenarioFuzz, ABrokenFileIsReadOrRefusedWithItsPlace) {
  Mutator mutator(testing::test_seed());
  std::size_t read = 0;
  constexpr std::size_t kRounds = 30000;
  for (std::size_t i = 0; i < kRounds && !::testing::Test::HasFailure(); ++i) {
    const std::string text = mutator.next();
    if (check(text, i)) ++read;
    if (::testing::Test::HasFailure()) ADD_FAILURE() << "mutation " << i << ":\n" << text;
  }
  EXPECT_GT(read, kRounds / 100) << "some do not matter";
  EXPECT_LT(read, kRounds) << "most do";
}

TEST(ScenarioFuzz, AFileOfAnythingIsRefused) {
  std::mt19937_64 random(testing::test_seed());
  for (std::size_t i = 0; i < 2000 && !::testing::Test::HasFailure(); ++i) {
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_FALSE(check(text, i));
    std::string words;
    while (words.size() < 400) words.append(kTokens[random() % kTokens.size()]).append(random() % 2, ' ');
    check("scenario x\ntable t\n a = 1\nsession A\n " + words, i);
  }
}

TEST(ScenarioFuzz, AHugeFileOfOneThingIsReadOrRefused) {
  const std::string front = "scenario s\ntable t\n  a = 1\nsession A\n  x = get t/a\n  commit\n";
  const std::array<std::string_view, 14> openings = {"invariant ",
                                                     "invariant (",
                                                     "table ",
                                                     "session B\n  put t/a = ",
                                                     "order ",
                                                     "expect ",
                                                     "expect a\n  ",
                                                     "story\n  ",
                                                     "#",
                                                     "table u\n  k = ",
                                                     "table u\n  \"",
                                                     "anomaly get t/",
                                                     "",
                                                     "session C\n  begin\n"};
  for (const std::string_view opening : openings) {
    for (const std::string_view unit : {"(",
                                        "not ",
                                        "- ",
                                        "1 + ",
                                        "1=1 or ",
                                        "a",
                                        "a ",
                                        "a b ",
                                        "9",
                                        "\n",
                                        " ",
                                        "A1 ",
                                        "\"",
                                        "\\\"",
                                        "é",
                                        "a=1\n  ",
                                        "invariant 1 = 1\n",
                                        "table t\n",
                                        "  get t/a\n",
                                        "happens\n  ",
                                        "A.x + ",
                                        "order A1 A2\n"}) {
      std::string text = front;
      text += opening;
      while (text.size() + unit.size() <= kMaxScenarioBytes / 4) text += unit;
      check(text, 0);
    }
  }
}

}  // namespace
}  // namespace isolith::anomalies
