#include "anomalies/scenario_parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"

namespace isolith::anomalies {
namespace {

// The text of a file has to be a scenario.
Scenario parsed(std::string_view text) {
  Result<Scenario> scenario = parse_scenario(text, "test");
  EXPECT_TRUE(scenario.ok()) << scenario.status().message() << "\n" << text;
  return scenario.ok() ? *std::move(scenario) : Scenario();
}

// A scenario with the tables t (keys a and b) and u, and one session of these lines.
SessionScript session_of(std::string_view steps) {
  Scenario scenario =
      parsed("scenario s\ntable t\n  a = 1\n  b = 2\ntable u\nsession A\n" + std::string(steps));
  return scenario.sessions.empty() ? SessionScript() : scenario.sessions[0];
}

Step step_of(const std::string& step) {
  SessionScript session = session_of("  " + step + "\n  commit\n");
  return session.steps.empty() ? Step() : session.steps[0];
}

std::string place_of(Place place) { return to_text(place); }

// With parentheses around each operation, so that who belongs to whom can be seen.
std::string shape_of(const Expression& expression) {
  std::string text;
  switch (expression.op) {
    case Operator::literal:
      return to_text(expression.literal);
    case Operator::variable:
      return "v" + std::to_string(expression.session) + "." + std::to_string(expression.variable);
    case Operator::row_key:
      return "key";
    case Operator::row_value:
      return "value";
    case Operator::get:
    case Operator::scan:
    case Operator::count:
    case Operator::sum:
    case Operator::exists:
      text = "read " + std::to_string(static_cast<int>(expression.op)) + " " + expression.target.lo;
      break;
    default:
      text = std::to_string(static_cast<int>(expression.op));
  }
  for (const Expression& operand : expression.operands) text += " " + shape_of(operand);
  return "(" + text + ")";
}

bool same(const std::string& left, const std::string& right) {
  const Step one = step_of("if " + left + " then put t/a = 1");
  const Step other = step_of("if " + right + " then put t/a = 1");
  return shape_of(*one.condition) == shape_of(*other.condition);
}

std::string example_of_the_document() {
  std::ifstream file(std::string(ISOLITH_SOURCE_DIR) + "/docs/scenarios.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t begin = text.find("```\nscenario ") + 4;
  EXPECT_NE(begin, std::string::npos + 4);
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(ScenarioParser, ReadsTheExampleOfTheDocument) {
  const Scenario scenario = parsed(example_of_the_document());
  EXPECT_EQ(scenario.title, "Doctors on call");
  EXPECT_EQ(scenario.shows, "write skew (G2-item)");
  EXPECT_EQ(
      scenario.story,
      "At least one doctor has to be on call. Alice and Bob both look, both see two, and both go home.");
  ASSERT_EQ(scenario.tables.size(), 1U);
  EXPECT_EQ(scenario.tables[0].name, "doctors");
  EXPECT_EQ(to_text(scenario.tables[0].rows), "alice=on, bob=on");

  ASSERT_EQ(scenario.sessions.size(), 2U);
  const SessionScript& b = scenario.sessions[1];
  EXPECT_EQ(b.name, "B");
  EXPECT_EQ(b.variables, std::vector<std::string>{"n"});
  ASSERT_EQ(b.steps.size(), 3U);
  EXPECT_EQ(b.steps[0].kind, StepKind::count);
  EXPECT_EQ(b.steps[0].variable, 0U);
  EXPECT_TRUE(b.steps[0].where);
  EXPECT_EQ(b.steps[1].kind, StepKind::put);
  EXPECT_EQ(b.steps[1].text, "if n >= 2 then put doctors/bob = \"off\"");
  EXPECT_EQ(b.steps[2].kind, StepKind::commit);

  ASSERT_EQ(scenario.orders.size(), 1U);
  EXPECT_FALSE(scenario.all_orders);
  EXPECT_EQ(to_string(scenario.orders[0], outline(scenario)), "A1 B1 A2 B2 A3 B3");
  ASSERT_EQ(scenario.invariants.size(), 1U);
  EXPECT_EQ(scenario.invariants[0].text, "(count doctors where value = \"on\") >= 1");
  ASSERT_EQ(scenario.expectations.size(), 2U);
  EXPECT_EQ(scenario.expectations[0].levels,
            (std::vector<std::string>{"read_uncommitted", "read_committed"}));
  EXPECT_EQ(scenario.expectations[1].items.size(), 3U);
}

TEST(ScenarioParser, SaysTheErrorThatTheDocumentQuotes) {
  std::ifstream file(std::string(ISOLITH_SOURCE_DIR) + "/docs/scenarios.md");
  const std::string document((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::string broken = example_of_the_document();
  broken.replace(broken.find("\"on\"", broken.find("session A")), 4, "on");
  const Result<Scenario> scenario = parse_scenario(broken, "doctors.scenario");
  ASSERT_FALSE(scenario.ok());
  EXPECT_NE(document.find(std::string(scenario.status().message()) + "\n```"), std::string::npos)
      << scenario.status().message();
}

TEST(ScenarioParser, ReadsTheWholeCatalogue) {
  for (const CatalogueEntry& entry : catalogue()) {
    const Result<Scenario> scenario = parse_scenario(entry.text, entry.name);
    EXPECT_TRUE(scenario.ok()) << scenario.status().message();
  }
}

TEST(ScenarioParser, AFileMayBeAlmostNothing) {
  const Scenario scenario = parsed("scenario s\nsession A\n commit");
  EXPECT_EQ(scenario.sessions[0].steps.size(), 1U);
  EXPECT_TRUE(scenario.tables.empty());
  EXPECT_TRUE(scenario.all_orders) << "where no order is named, all are meant";
  EXPECT_TRUE(scenario.orders.empty());
  EXPECT_EQ(scenario.story, "");
}

TEST(ScenarioParser, LinesMayEndInCrLfAndBeginWithAByteOrderMark) {
  const std::string text = "scenario s\nstory\n  One.\n\n  Two.\ntable t\n  a = \"x\"\nsession A\n  commit\n";
  std::string crlf = "\xEF\xBB\xBF";
  for (const char c : text) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const Scenario scenario = parsed(crlf);
  EXPECT_EQ(scenario.title, "s");
  EXPECT_EQ(scenario.story, "One.\n\nTwo.");
  EXPECT_EQ(scenario.tables[0].rows[0].value, "x");
  EXPECT_EQ(scenario.sessions[0].steps[0].text, "commit");
}

TEST(ScenarioParser, CommentsAndEmptyLinesMeanNothing) {
  const Scenario scenario = parsed(
      "# about\n\nscenario A # title\nshows no # comment\ntable t # one\n\n  # a row\n  a = \"#1\" # text\n"
      "# between\n  b = 2\nsession A # s\n\n  put t/a = \"#\"# here\n   \t \n  commit#x\n"
      "order A1 A2 # o\ninvariant 1 = 1 # c\nexpect any_level # e\n  happens # h\n");
  EXPECT_EQ(scenario.title, "A # title");
  EXPECT_EQ(scenario.shows, "no # comment");
  EXPECT_EQ(to_text(scenario.tables[0].rows), "a=#1, b=2");
  EXPECT_EQ(scenario.sessions[0].steps[0].text, "put t/a = \"#\"");
  EXPECT_EQ(scenario.sessions[0].steps[1].text, "commit");
  EXPECT_EQ(scenario.orders.size(), 1U);
  EXPECT_EQ(scenario.invariants[0].text, "1 = 1");
  EXPECT_EQ(scenario.expectations[0].items[0].text, "happens");
}

TEST(ScenarioParser, AStoryKeepsItsParagraphsAndWhatWouldBeComments) {
  const Scenario scenario =
      parsed("scenario s\nstory\n\n  One # two\n    three.\n \n\n\tFour.\n\nsession A\n  commit\n");
  EXPECT_EQ(scenario.story, "One # two three.\n\nFour.");
}

TEST(ScenarioParser, RowsAreSortedByKeyWithValuesAsTheyAreStored) {
  const Scenario scenario = parsed(
      "scenario s\ntable t\n  z = -9223372036854775808\n  \"a key\" = \"quote \\\" slash \\\\ line \\n tab "
      "\\t\"\n"
      "  ключ = \"знач\"\n  a.b-c:d@e+1 = 0\n  007 = \"007\"\nsession A\n  commit\n");
  const std::vector<Row>& rows = scenario.tables[0].rows;
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].key, "007");
  EXPECT_EQ(rows[0].value, "007");
  EXPECT_EQ(rows[1].key, "a key");
  EXPECT_EQ(rows[1].value, "quote \" slash \\ line \n tab \t");
  EXPECT_EQ(rows[2].key, "a.b-c:d@e+1");
  EXPECT_EQ(rows[3].key, "z");
  EXPECT_EQ(rows[3].value, "-9223372036854775808");
  EXPECT_EQ(rows[4].key, "ключ");
}

TEST(ScenarioParser, ASessionHasItsOwnLevelAndOptions) {
  const Scenario scenario = parsed(
      "scenario s\nsession A\n  commit\nsession B at snapshot\n  commit\nsession C at any read only\n  "
      "commit\n"
      "session D deferrable read only at x_1\n  commit\n");
  EXPECT_FALSE(scenario.sessions[0].level);
  EXPECT_FALSE(scenario.sessions[0].read_only);
  EXPECT_EQ(scenario.sessions[1].level, "snapshot");
  EXPECT_FALSE(scenario.sessions[2].level);
  EXPECT_TRUE(scenario.sessions[2].read_only);
  EXPECT_FALSE(scenario.sessions[2].deferrable);
  EXPECT_EQ(scenario.sessions[3].level, "x_1");
  EXPECT_TRUE(scenario.sessions[3].deferrable);
}

TEST(ScenarioParser, EachKindOfStepIsRead) {
  const SessionScript session = session_of(
      "  begin\n  x1 = get t/a\n  get t/b\n  x2 = get_for_update t/a\n  x3 = get_for_share t/a\n"
      "  put t/c = x1 + 1\n  insert u/d = \"d\"\n  erase t/a\n  update t = value + 1 where value < x1\n"
      "  x4 = scan t\n  x5 = count t where key != \"a\"\n  x6 = sum t/a..c\n  x7 = exists u\n  count u\n"
      "  x8 = update t/a = key\n  x9 = erase_range t/a* where value = 1\n  require x5 > 0\n  savepoint s\n"
      "  rollback to s\n  abort\n");
  const std::vector<StepKind> kinds = {
      StepKind::begin,         StepKind::get,       StepKind::get,         StepKind::get_for_update,
      StepKind::get_for_share, StepKind::put,       StepKind::insert,      StepKind::erase,
      StepKind::update,        StepKind::scan,      StepKind::count,       StepKind::sum,
      StepKind::exists,        StepKind::count,     StepKind::update,      StepKind::erase_range,
      StepKind::require,       StepKind::savepoint, StepKind::rollback_to, StepKind::abort};
  ASSERT_EQ(session.steps.size(), kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(session.steps[i].kind, kinds[i]) << i + 1;
  const std::vector<std::uint32_t> variables = {kNoVariable, 0,           kNoVariable, 1, 2, kNoVariable,
                                                kNoVariable, kNoVariable, kNoVariable, 3, 4, 5,
                                                6,           kNoVariable, 7,           8};
  for (std::size_t i = 0; i < variables.size(); ++i) {
    EXPECT_EQ(session.steps[i].variable, variables[i]) << i + 1;
  }
  EXPECT_EQ(session.steps[6].target.table, 1U);
  EXPECT_TRUE(session.steps[8].where);
  EXPECT_TRUE(session.steps[8].value);
  EXPECT_FALSE(session.steps[9].where);
  EXPECT_TRUE(session.steps[16].condition);
}

TEST(ScenarioParser, ConditionalStepsHaveACondition) {
  const Step step = step_of("if (1 = 1) then x = count t where value = 1  ");
  EXPECT_EQ(step.kind, StepKind::count);
  EXPECT_TRUE(step.condition);
  EXPECT_TRUE(step.where);
  EXPECT_EQ(step.variable, 0U);
  EXPECT_EQ(step.text, "if (1 = 1) then x = count t where value = 1");
}

TEST(ScenarioParser, TargetsAreKeysOrRanges) {
  const auto target = [](const std::string& text) { return step_of("update " + text + " = 1").target; };
  const auto as_text = [](const Target& of) {
    return std::to_string(of.table) + " " + (of.is_range ? "range " : "key ") + of.lo + " to " +
           of.hi.value_or("the end");
  };
  EXPECT_EQ(as_text(target("t/alice")), "0 key alice to the end");
  EXPECT_EQ(as_text(target("u/\"a key, any\"")), "1 key a key, any to the end");
  EXPECT_EQ(as_text(target("t")), "0 range  to the end");
  EXPECT_EQ(as_text(target("t/*")), "0 range  to the end");
  EXPECT_EQ(as_text(target("t/..")), "0 range  to the end");
  EXPECT_EQ(as_text(target("t/a..m")), "0 range a to m");
  EXPECT_EQ(as_text(target("t/a..")), "0 range a to the end");
  EXPECT_EQ(as_text(target("t/..m")), "0 range  to m");
  EXPECT_EQ(as_text(target("t/a.1..a.9")), "0 range a.1 to a.9");
  EXPECT_EQ(as_text(target("t/user:*")), "0 range user: to user;");
  EXPECT_EQ(as_text(target("t/\"a b\"..\"c d\"")), "0 range a b to c d");
  EXPECT_EQ(as_text(target("t/\"a b\"*")), "0 range a b to a c");
  EXPECT_EQ(as_text(step_of("count t/a").target), std::string("0 range a to a") + '\0') << "of one key";
  EXPECT_EQ(as_text(step_of("get t/a").target), "0 key a to the end");
  // é is C3 A9; what comes after all that begin with it is C3 AA.
  EXPECT_EQ(target("t/é*").hi, "\xC3\xAA");
}

TEST(ScenarioParser, OperatorsBelongToWhatTheDocumentSays) {
  EXPECT_TRUE(
      same("1 + 2 * 3 = 7 and not 1 = 2 or false", "(((1 + (2 * 3)) = 7) and (not (1 = 2))) or false"));
  EXPECT_TRUE(same("1 - 2 - 3 = 1", "((1 - 2) - 3) = 1"));
  EXPECT_TRUE(same("true or true and false", "true or (true and false)"));
  EXPECT_TRUE(same("not true and false", "(not true) and false"));
  EXPECT_TRUE(same("- 1 + 2 = 1", "(- 1) + 2 = 1"));
  EXPECT_FALSE(same("1 - 2 - 3 = 1", "1 - (2 - 3) = 1"));
  EXPECT_FALSE(same("not true and false", "not (true and false)"));
}

TEST(ScenarioParser, ConditionsReadVariablesOfSessionsAndTheState) {
  const Scenario scenario = parsed(
      "scenario s\ntable t\ntable u\nsession A\n  x = get t/a\n  found = exists t\n  commit\nsession B\n"
      "  y = get t/a\n  z = get t/a\n  commit\ninvariant A.x = B.z and get u/a = absent\n"
      "anomaly A.found\nanomaly (count t where value = A.x) = B.y or exists u/k\n");
  ASSERT_EQ(scenario.invariants.size(), 1U);
  const Expression& invariant = scenario.invariants[0].expression;
  EXPECT_EQ(shape_of(invariant.operands[0].operands[0]), "v0.0");
  EXPECT_EQ(shape_of(invariant.operands[0].operands[1]), "v1.1");
  EXPECT_EQ(invariant.operands[1].operands[0].target.table, 1U);
  ASSERT_EQ(scenario.anomalies.size(), 2U);
  EXPECT_EQ(scenario.anomalies[0].text, "A.found");
  const Expression& count = scenario.anomalies[1].expression.operands[0].operands[0];
  EXPECT_EQ(count.op, Operator::count);
  ASSERT_EQ(count.operands.size(), 1U);
  EXPECT_EQ(count.operands[0].op, Operator::equal);
}

TEST(ScenarioParser, OrdersAreSchedules) {
  const std::string sessions = "scenario s\nsession A\n  begin\n  commit\nsession T1\n  begin\n  commit\n";
  const Scenario several = parsed(sessions + "order A1 T1.1 A2 T1.2\norder T1 T1 A! A A\n");
  ASSERT_EQ(several.orders.size(), 2U);
  EXPECT_FALSE(several.all_orders);
  EXPECT_EQ(to_string(several.orders[1], outline(several)), "T1.1 T1.2 A! A1 A2");
  const Scenario all = parsed(sessions + "order all\n");
  EXPECT_TRUE(all.all_orders);
  EXPECT_TRUE(all.orders.empty());
}

TEST(ScenarioParser, EachExpectationIsRead) {
  const Scenario scenario = parsed(
      "scenario s\ntable t\nsession A\n  x = get t/a\n  commit\nsession B\n  commit\n"
      "expect a b\n  happens\n  prevented\n  prevented by waiting\n  prevented by aborting\n"
      "  prevented by snapshot\n  B waits for A\n  nobody waits\n  A fails with conflict/deadlock\n"
      "  B fails with not_found\n  nobody fails\n  B commits\n  A.x  = 1  # seen\nexpect a\n  count t = 0\n");
  ASSERT_EQ(scenario.expectations.size(), 2U);
  const std::vector<Expected>& items = scenario.expectations[0].items;
  using Kind = Expected::Kind;
  const std::vector<Kind> kinds = {Kind::verdict, Kind::prevented,    Kind::verdict,      Kind::verdict,
                                   Kind::verdict, Kind::waits,        Kind::nobody_waits, Kind::fails,
                                   Kind::fails,   Kind::nobody_fails, Kind::commits,      Kind::holds};
  ASSERT_EQ(items.size(), kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(items[i].kind, kinds[i]) << i;
  EXPECT_EQ(items[0].verdict, Verdict::happens);
  EXPECT_EQ(items[2].verdict, Verdict::waiting);
  EXPECT_EQ(items[3].verdict, Verdict::aborting);
  EXPECT_EQ(items[4].verdict, Verdict::snapshot);
  EXPECT_EQ(items[5].session, 1U);
  EXPECT_EQ(items[5].other, 0U);
  EXPECT_EQ(items[7].session, 0U);
  EXPECT_EQ(items[7].status, "conflict/deadlock");
  EXPECT_EQ(items[8].session, 1U);
  EXPECT_EQ(items[8].status, "not_found");
  EXPECT_EQ(items[10].session, 1U);
  EXPECT_EQ(items[11].text, "A.x  = 1");
  EXPECT_TRUE(items[11].condition);
  EXPECT_EQ(scenario.expectations[1].levels, std::vector<std::string>{"a"});
}

TEST(ScenarioParser, SavepointsAreOfTheirTransaction) {
  const SessionScript session = session_of(
      "  savepoint s\n  savepoint r\n  rollback to s\n  rollback to s\n  savepoint r\n  commit\n"
      "  begin\n  savepoint s\n  if 1 = 1 then rollback to s\n  commit\n");
  EXPECT_EQ(session.savepoints, (std::vector<std::string>{"s", "r"}));
  EXPECT_EQ(session.steps[2].savepoint, 0U);
  EXPECT_EQ(session.steps[4].savepoint, 1U);
  EXPECT_EQ(session.steps[7].savepoint, 0U);
  EXPECT_TRUE(session.steps[8].condition);
}

TEST(ScenarioParser, ASessionMayHaveSeveralTransactionsAndRemembersWhatItRead) {
  const SessionScript session =
      session_of("  x = get t/a\n  abort\n  begin\n  put t/a = x\n  commit\n  begin\n  commit\n");
  EXPECT_EQ(session.steps.size(), 7U);
}

TEST(ScenarioParser, EverythingHasItsPlaceInCharacters) {
  const Scenario scenario = parsed(
      "scenario s\ntable  t\nsession   A\n\t  x = get t/\"ключ\"\n  if x = \"я\" and (x != absent) then put "
      "t/a = -x\n"
      "  commit\ninvariant  not A.x = 1\nexpect  a\n    A.x = \"é\"\nexpect b\n  happens\n");
  EXPECT_EQ(place_of(scenario.tables[0].place), "2:8");
  EXPECT_EQ(place_of(scenario.sessions[0].place), "3:11");
  EXPECT_EQ(place_of(scenario.sessions[0].steps[0].place), "4:4");
  const Step& step = scenario.sessions[0].steps[1];
  EXPECT_EQ(place_of(step.place), "5:3");
  EXPECT_EQ(place_of(step.condition->place), "5:14") << "of the operator `and`";
  EXPECT_EQ(place_of(step.condition->operands[0].place), "5:8");
  EXPECT_EQ(place_of(step.condition->operands[0].operands[0].place), "5:6");
  EXPECT_EQ(place_of(step.condition->operands[0].operands[1].place), "5:10");
  EXPECT_EQ(place_of(step.condition->operands[1].operands[1].place), "5:24");
  EXPECT_EQ(place_of(step.value->place), "5:47");
  EXPECT_EQ(place_of(step.value->operands[0].place), "5:48");
  EXPECT_EQ(place_of(scenario.invariants[0].place), "7:12");
  EXPECT_EQ(place_of(scenario.invariants[0].expression.place), "7:12");
  EXPECT_EQ(place_of(scenario.expectations[0].place), "8:1");
  EXPECT_EQ(place_of(scenario.expectations[0].items[0].place), "9:5");
}

TEST(ScenarioParser, TheOutlineHasASessionsNamesAndStepsThatDoNothing) {
  const Scenario scenario = parsed("scenario s\nsession A\n  begin\n  commit\nsession B\n  commit\n");
  const Program program = outline(scenario);
  ASSERT_EQ(program.sessions.size(), 2U);
  EXPECT_EQ(program.sessions[0].name, "A");
  ASSERT_EQ(program.sessions[0].steps.size(), 2U);
  EXPECT_EQ(program.sessions[1].steps.size(), 1U);
  program.sessions[0].steps[1]();
}

TEST(ScenarioParser, WhatIsAtTheLimitsIsRead) {
  std::string text = "scenario s\n";
  for (std::size_t i = 0; i < kMaxTables; ++i) text += "table t" + std::to_string(i) + "\n";
  for (std::size_t i = 0; i < kMaxSessions; ++i) {
    text += "session s" + std::to_string(i) + "\n  begin\n";
    for (std::size_t j = 2; j < kMaxSteps; ++j) text += "  x" + std::to_string(j) + " = get t0/a\n";
    text += "  commit\n";
  }
  text += "invariant 1 = 1";
  for (int i = 0; i < 248; ++i) text += " + 1";
  text += "\ninvariant " + std::string(64, '(') + "true" + std::string(64, ')') + "\n";
  text += "anomaly get t0/" + std::string(500, 'k') + " = 1\nexpect";
  for (std::size_t i = 0; i < kMaxLevels; ++i) text += " l" + std::to_string(i);
  text += "\n  happens\n#";
  text.resize(kMaxScenarioBytes, '#');
  const Scenario scenario = parsed(text);
  EXPECT_EQ(scenario.sessions.size(), kMaxSessions);
  EXPECT_EQ(scenario.sessions[15].variables.size(), kMaxSteps - 2);
}

}  // namespace
}  // namespace isolith::anomalies
