// Each error of a scenario file: where it is, what is wrong, and what to write instead.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "anomalies/scenario_parser.h"

namespace isolith::anomalies {
namespace {

// The message without the name of the file; it has to have that.
std::string error_of(std::string_view text) {
  const Result<Scenario> scenario = parse_scenario(text, "my file");
  if (scenario.ok()) return "no error";
  EXPECT_TRUE(scenario.status().is(StatusCode::invalid_argument));
  const std::string message(scenario.status().message());
  EXPECT_TRUE(message.starts_with("my file:")) << message;
  return message.substr(std::string_view("my file:").size());
}

std::string error_in_scenario(const std::string& lines) { return error_of("scenario s\n" + lines + "\n"); }

// The steps of a session begin in line 7.
std::string error_in_session(const std::string& steps) {
  return error_in_scenario("table t\n  a = 1\n  b = 2\ntable u\nsession A\n" + steps);
}

// Behind a table and two sessions, in line 9.
std::string error_at_end(const std::string& lines) {
  return error_in_scenario("table t\nsession A\n  n = count t\n  commit\nsession B\n  begin\n  commit\n" +
                           lines);
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ScenarioError, TheFileIsUtf8TextOfAtMostOneMebibyte) {
  EXPECT_EQ(error_of(std::string_view("scenario a\000b\n", 13)),
            "1:11: this is not a text file: a NUL byte stands here");
  EXPECT_EQ(error_of("scenario a\n\033\n"), "2:1: a control character (U+001B) stands here; delete it");
  EXPECT_EQ(error_of("scenario é\302\205\n"), "1:11: a control character (U+0085) stands here; delete it");
  EXPECT_EQ(error_of("scenario a\015b\n"), "1:11: a CR stands inside of a line; end lines with LF or CR LF");
  EXPECT_EQ(error_of("scenario éé \303\n"), "1:13: a byte here is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_of("scenario \355\240\200\n"), "1:10: a byte here is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_of("scenario 😀\370\n"), "1:11: a byte here is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_of("scenario \300\200\n"), "1:10: a byte here is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_of(std::string_view("\377\376s\000c\000", 6)), "1:1: this is UTF-16; save it as UTF-8");
  EXPECT_EQ(error_of(std::string_view("\177ELF\002\377\000", 7)),
            "1:1: a control character (U+007F) stands here; delete it");
  EXPECT_EQ(error_of(std::string_view("PK\377\000", 4)), "1:3: this is not a text file");
}

TEST(ScenarioError, AScenarioHasATitleFirstAndASession) {
  EXPECT_EQ(error_of(""), "1:1: there is nothing in this file; a scenario begins with `scenario TITLE`");
  EXPECT_EQ(error_of("\n\n# x\n"),
            "4:1: there is nothing in this file; a scenario begins with `scenario TITLE`");
  EXPECT_EQ(error_of("table t\n"),
            "1:1: a scenario begins with its title; write `scenario TITLE` above this line");
  EXPECT_EQ(error_of("  a = 1\n"),
            "1:3: a scenario begins with its title; write `scenario TITLE` above this line");
  EXPECT_EQ(error_of("scenario\n"),
            "1:9: the title was expected, not the end of the line; write `scenario TITLE`");
  EXPECT_EQ(error_of("scenario # \nscenario b\n"),
            "2:1: a file has one scenario; write the other in a file of its own");
  EXPECT_EQ(error_of("scenario a\nshows\n"),
            "2:6: the phenomenon was expected, not the end of the line; write `shows write skew (G2-item)`");
  EXPECT_EQ(error_of("scenario a\nshows x\nshows y\n"),
            "3:1: `shows` stands in this file twice; write it once");
  EXPECT_EQ(error_of("scenario a\n"),
            "2:1: there is no session in this file; write `session NAME`, and its steps below, indented");
  EXPECT_EQ(error_of("scenario a\nstory\n\nsession A\n"),
            "2:1: this story has no text; write it in the lines below, indented");
  EXPECT_EQ(error_of("scenario a\nstory Once\n"),
            "2:1: a story begins in the line below `story`; write it there, indented");
  EXPECT_EQ(error_of("scenario a\nstory\n  x\nstory\n  y\n"),
            "4:1: there is a story in line 2 already; write all paragraphs there");
  EXPECT_EQ(error_of("scenario a\n  indented\n"),
            "2:3: this line is indented, and `scenario` has no lines of its own; begin a section in the "
            "first column");
  EXPECT_EQ(error_of("scenario: a\n"), "1:9: a colon stands behind `scenario`; leave it out");
}

TEST(ScenarioError, UnknownSectionsSayWhatWasMeant) {
  EXPECT_EQ(error_of("Scenario a\n"), "1:1: there is no section `Scenario`; did you mean `scenario`?");
  EXPECT_EQ(error_of("scenario a\nsesion B\n"), "2:1: there is no section `sesion`; did you mean `session`?");
  EXPECT_EQ(error_of("scenario a\ncheck x\n"), "2:1: there is no section `check`; write `invariant`");
  EXPECT_EQ(error_of("scenario a\nzebra\n"),
            "2:1: there is no section `zebra`; the sections are scenario, shows, story, table, session, "
            "order, invariant, anomaly, expect");
  EXPECT_EQ(error_of("scenario a\ncommit\n"), "2:1: `commit` is a step; indent it");
  EXPECT_EQ(error_of("scenario a\nx = get t/a\n"),
            "2:1: there is no section `x`; rows, steps and expectations are indented: write blanks in front "
            "of them");
  EXPECT_EQ(error_of("scenario a\nсессия\n"),
            "2:1: a section was expected, not `сессия`; the sections are scenario, shows, story, table, "
            "session, order, invariant, anomaly, expect");
}

TEST(ScenarioError, WhatNewcomersWrite) {
  EXPECT_EQ(error_of("  scenario a\n"),
            "1:3: `scenario` begins in the first column; delete the blanks before it");
  EXPECT_EQ(error_of("scenario a\n  table t\n"),
            "2:3: `table` begins in the first column; delete the blanks before it");
  EXPECT_EQ(error_of("scenario a\n// add\n"), "2:1: a comment begins with `#`, not with `//`");
  EXPECT_EQ(error_in_session("  // add\n"), "7:3: a comment begins with `#`, not with `//`");
  EXPECT_EQ(error_in_session("  commit // done\n"), "7:10: a comment begins with `#`, not with `//`");
  EXPECT_EQ(error_of("scenario a\nsession Wörker\n"),
            "2:9: `Wörker` is no name; a name is letters (a to z), digits and _");
  EXPECT_EQ(error_in_session("  x = cuont t\n"),
            "7:7: a step that reads was expected, not `cuont`; did you mean `count`?");
  EXPECT_EQ(error_in_session("  n = count t\n  x = n + 1 # more\n"),
            "8:7: `n + 1` is no step; write it where it is used");
  EXPECT_EQ(error_in_session("  x = 1 + 1\n"), "7:7: `1 + 1` is no step; write it where it is used");
  EXPECT_EQ(error_in_session("  x = count t/a .. y\n"),
            "7:17: a blank stands before the `..`; write FROM..TO without");
  EXPECT_EQ(error_at_end("order A1, B1"), "9:7: \"A1,\": no commas; blanks stand between steps");
  EXPECT_EQ(error_at_end("order a1 B1"), "9:7: \"a1\": did you mean A?");
}

TEST(ScenarioError, TablesAndRows) {
  EXPECT_EQ(error_of("scenario a\ntable \n"),
            "2:7: the name of a table was expected, not the end of the line; write a letter or _, then "
            "letters (a to z), digits and _");
  EXPECT_EQ(error_of("scenario a\ntable t\ntable t\n"),
            "3:7: there is a table `t` in line 2 already; write all rows there");
  EXPECT_EQ(error_of("scenario a\ntable where\n"),
            "2:7: `where` is a word of the language; give the table another name");
  EXPECT_EQ(error_of("scenario a\ntable é\n"),
            "2:7: the name of a table was expected, not `é`; write a letter or _, then letters (a to z), "
            "digits and _");
  EXPECT_EQ(error_of("scenario a\ntable t x\n"),
            "2:9: `x` is unexpected here; write the rows in the lines below, indented: KEY = VALUE");
  EXPECT_EQ(error_of("scenario a\ntable " + repeated("n", 41) + "\n"),
            "2:7: this name is too long; it may have 40 letters");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a\n"),
            "3:4: `=` was expected, not the end of the line; write KEY = VALUE");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = on\n"),
            "3:7: a whole number or a text in quotes was expected, not `on`; write \"on\" in quotes");
  EXPECT_EQ(error_of("scenario a\ntable t\n  é = ü\n"),
            "3:7: a whole number or a text in quotes was expected, not `ü`; write \"ü\" in quotes");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = absent\n"),
            "3:7: a row that is absent is not written; leave this line out");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 'x'\n"),
            "3:7: a whole number or a text in quotes was expected, not `'`; write 100, or \"text\" in double "
            "quotes");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 1 b = 2\n"),
            "3:9: `b` is unexpected here; a row is KEY = VALUE; write the next one in a line of its own");
  EXPECT_EQ(error_of("scenario a\ntable t\n  t/a = 1\n"),
            "3:4: a row's key stands without its table here; write KEY = VALUE");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 1\n  b = 2\n  a = 3\n"),
            "5:3: there is a row `a` in line 3 already; each key stands in a table once");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 007\n"),
            "3:7: a number does not begin with 0; write 7, or a text in quotes");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 1.5\n"),
            "3:7: this is no whole number; write one, or a text in quotes: \"...\"");
}

TEST(ScenarioError, TablesAndRowsToo) {
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = 9223372036854775808\n"),
            "3:7: `9223372036854775808` does not fit 64 bits; the largest number is 9223372036854775807, the "
            "smallest -9223372036854775808");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a = \"x\n"),
            "3:7: this text does not end; close it with a \" in the same line");
  EXPECT_EQ(error_of("scenario a\ntable t\n  é = \"é\\x\"\n"),
            "3:9: a backslash stands before what is not \", \\, n or t; for the backslash itself write \\\\");
  EXPECT_EQ(error_of("scenario a\ntable t\n  \"\" = 1\n"),
            "3:3: a key is not empty; write one character at least");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a..b = 1\n"),
            "3:4: `=` was expected, not `.`; write KEY = VALUE");
  EXPECT_EQ(error_of("scenario a\ntable t\n  a =\n"),
            "3:6: a whole number or a text in quotes was expected, not the end of the line; write 100, or "
            "\"text\" in double quotes");
}

TEST(ScenarioError, SessionsThatAreNotTransactionsThatEnd) {
  EXPECT_EQ(error_in_session(""),
            "6:9: session A has no steps; write them in the lines below, each indented");
  EXPECT_EQ(error_in_session("  begin"),
            "7:3: session A does not end here; write `commit` or `abort` below this step");
  EXPECT_EQ(error_in_session("  put t/a = 1\n  # more\n"),
            "7:3: session A does not end here; write `commit` or `abort` below this step");
  EXPECT_EQ(error_in_session("  commit\n  put t/a = 1"),
            "8:3: the transaction has ended before this step; write `begin` above it for another one");
  EXPECT_EQ(error_in_session("  abort\n  if true then put t/a = 1"),
            "8:6: the transaction has ended before this step; write `begin` above it for another one");
  EXPECT_EQ(error_in_session("  begin\n  begin\n  commit"),
            "8:3: the transaction has begun already; leave `begin` out, or write `commit` before it");
  EXPECT_EQ(error_in_session("  put t/a = 1\n  begin\n  commit"),
            "8:3: the transaction has begun already; leave `begin` out, or write `commit` before it");
  EXPECT_EQ(error_in_session("  commit\n  begin"),
            "8:3: session A does not end here; write `commit` or `abort` below this step");
}

TEST(ScenarioError, UnknownSteps) {
  EXPECT_EQ(error_in_session("  puts t/a = 1"), "7:3: there is no step `puts`; did you mean `put`?");
  EXPECT_EQ(error_in_session("  PUT t/a = 1"), "7:3: there is no step `PUT`; did you mean `put`?");
  EXPECT_EQ(error_in_session("  get_for_updat t/a"),
            "7:3: there is no step `get_for_updat`; did you mean `get_for_update`?");
  EXPECT_EQ(error_in_session("  read t/a"), "7:3: there is no step `read`; write `x = get TABLE/KEY`");
  EXPECT_EQ(error_in_session("  frobnicate"),
            "7:3: there is no step `frobnicate`; the steps are if, begin, get, get_for_update, "
            "get_for_share, put, insert, erase, update, scan, count, sum, exists, erase_range, require, "
            "savepoint, rollback, commit, abort");
  EXPECT_EQ(error_in_session("  x = put t/a = 1"),
            "7:7: a step that reads was expected, not `put`; write one of get, get_for_update, "
            "get_for_share, update, scan, count, sum, exists, erase_range");
  EXPECT_EQ(error_in_session("  x = get t/a\n  x = get t/b"),
            "8:3: `x` was read before in session A; give this one another name");
  EXPECT_EQ(error_in_session("  get = get t/a"),
            "7:3: `get` is a word of the language; give the variable another name");
  EXPECT_EQ(error_in_session("  commit x"),
            "7:10: `x` is unexpected here; one step stands in a line, and this one ends before it");
  EXPECT_EQ(error_in_session("  get t/a; commit"),
            "7:10: `;` is unexpected here; one step stands in a line, and this one ends before it");
  EXPECT_EQ(error_in_session("  rollback"),
            "7:11: `to` was expected, not the end of the line; write `rollback to SAVEPOINT`, or `abort` for "
            "the whole transaction");
  EXPECT_EQ(error_in_session("  rollback s"),
            "7:12: `to` was expected, not `s`; write `rollback to SAVEPOINT`, or `abort` for the whole "
            "transaction");
}

TEST(ScenarioError, KeysAndRanges) {
  EXPECT_EQ(error_in_session("  get u2/a"),
            "7:7: there is no table `u2` above this line; the tables are t, u; write `table u2` above for an "
            "empty one");
  EXPECT_EQ(error_in_session("  get taxi/a"),
            "7:7: there is no table `taxi` above this line; the tables are t, u; write `table taxi` above "
            "for an empty one");
  EXPECT_EQ(error_in_session("  get t"), "7:7: `get` needs one key; write TABLE/KEY, or scan for more");
  EXPECT_EQ(error_in_session("  get t/a..b"), "7:7: `get` needs one key; write TABLE/KEY, or scan for more");
  EXPECT_EQ(error_in_session("  put t = 1"),
            "7:7: `put` needs one key; write TABLE/KEY, or update for all rows that are there");
  EXPECT_EQ(error_in_session("  erase t/a*"),
            "7:9: `erase` needs one key; write TABLE/KEY, or erase_range for more");
  EXPECT_EQ(error_in_session("  get t / a"), "7:9: a blank stands before the /; write TABLE/KEY without");
  EXPECT_EQ(error_in_session("  get t/ a"), "7:9: a blank stands behind the /; write TABLE/KEY without");
  EXPECT_EQ(error_in_session("  scan t/b..a"),
            "7:10: this range is empty; the smaller key comes first, and the second one is not in it");
  EXPECT_EQ(error_in_session("  scan t/a...b"), "7:13: three points stand here; a range has two: FROM..TO");
  EXPECT_EQ(error_in_session("  scan t/..\"x"),
            "7:12: this text does not end; close it with a \" in the same line");
  EXPECT_EQ(error_in_session("  put t/a 1"),
            "7:11: `=` was expected, not `1`; write `put TABLE/KEY = EXPRESSION`");
  EXPECT_EQ(error_in_session("  update t value + 1"),
            "7:12: `=` was expected, not `value`; write `update ROWS = EXPRESSION`");
  EXPECT_EQ(error_in_session("  get t/\"\""), "7:9: a key is not empty; write one character at least");
}

TEST(ScenarioError, ExpressionsOverWhatIsNotThere) {
  EXPECT_EQ(error_in_session("  put t/a = on"),
            "7:13: `on` was not read before in session A; write a step `on = get TABLE/KEY` before this one; "
            "a text stands in quotes: \"on\"");
  EXPECT_EQ(error_in_session("  put t/a = y\n  y = get t/a"),
            "7:13: `y` was not read before in session A; write a step `y = get TABLE/KEY` before this one; a "
            "text stands in quotes: \"y\"");
  EXPECT_EQ(error_in_session("  xyz = get t/a\n  put t/a = xyy"),
            "8:13: `xyy` was not read before in session A; did you mean `xyz`?");
  EXPECT_EQ(error_in_session("  put t/a = A.x"),
            "7:13: a step knows only what its own session has read; write the variable without `A.`");
  EXPECT_EQ(error_in_session("  put t/a = value"),
            "7:13: `value` is of a row that `where` or `update` looks at; read it before, as in `x = get "
            "TABLE/KEY`");
  EXPECT_EQ(error_in_session("  put t/a = get t/b"),
            "7:13: `get` is a step of its own; write `x = get ...` in a line before, and `x` here");
  EXPECT_EQ(error_in_session("  if count t = 1 then erase t/a"),
            "7:6: `count` is a step of its own; write `x = count ...` in a line before, and `x` here");
  EXPECT_EQ(error_in_session("  count t where value = on"),
            "7:25: `on` was not read before in session A; write a step `on = get TABLE/KEY` before this one; "
            "a text stands in quotes: \"on\"");
  EXPECT_EQ(error_in_session("  y = get t/a where value = 1"),
            "7:15: `where` is for ranges, and `get` has none; write the condition as `if CONDITION then "
            "STEP`, over what was read before");
  EXPECT_EQ(error_in_session("  put t/a = 1 where value = 1"),
            "7:15: `where` is for ranges, and `put` has none; write the condition as `if CONDITION then "
            "STEP`, over what was read before");
  EXPECT_EQ(error_in_session("  if true then commit where"),
            "7:16: `commit` can not stand behind an `if`; write it in a line of its own");
  EXPECT_EQ(error_in_session("  y = count t where value = y"),
            "7:29: `y` was not read before in session A; write a step `y = get TABLE/KEY` before this one; a "
            "text stands in quotes: \"y\"");
}

TEST(ScenarioError, WhatIsNoExpression) {
  EXPECT_EQ(error_in_session("  require 1 < 2 < 3"),
            "7:17: a comparison of a comparison; join two with `and`: A < B and B < C");
  EXPECT_EQ(error_in_session("  require (1 = 1"), "7:11: this parenthesis is not closed; write its `)`");
  EXPECT_EQ(error_in_session("  require (1 = 1 2)"),
            "7:18: a `)` was expected, not `2`; close the parenthesis before it");
  EXPECT_EQ(error_in_session("  require 1 == 1"), "7:13: `==` is not written here; write `=`");
  EXPECT_EQ(error_in_session("  require 1 = 1 && 2 = 2"), "7:17: `&&` is not written here; write `and`");
  EXPECT_EQ(error_in_session("  require 1 ≤ 2"), "7:13: `≤` is not written here; write `<=`");
  EXPECT_EQ(error_in_session("  require !true"), "7:11: `!` is not written here; write `not`");
  EXPECT_EQ(error_in_session("  require 'a' = 1"), "7:11: a text stands in double quotes; write \"...\"");
  EXPECT_EQ(error_in_session("  require “a” = 1"), "7:11: a text stands in double quotes; write \"...\"");
  EXPECT_EQ(error_in_session("  require not"),
            "7:14: a value was expected, not the end of the line; write a number, a text in quotes, or the "
            "name of what was read");
  EXPECT_EQ(error_in_session("  require 1 = not true"),
            "7:15: `not` stands in parentheses here; write (not ...)");
  EXPECT_EQ(error_in_session("  require 1 ="),
            "7:14: a value was expected, not the end of the line; write a number, a text in quotes, or the "
            "name of what was read");
  EXPECT_EQ(error_in_session("  require and"),
            "7:11: a value was expected, not `and`; write it before this word");
  EXPECT_EQ(error_in_session("  require 1 = 1 then"),
            "7:17: `then` is unexpected here; one step stands in a line, and this one ends before it");
  EXPECT_EQ(error_in_session("  put t/a = 1 +"),
            "7:16: a value was expected, not the end of the line; write a number, a text in quotes, or the "
            "name of what was read");
  EXPECT_EQ(
      error_in_session("  put t/a = * 2"),
      "7:13: a value was expected, not `*`; write a number, a text in quotes, or the name of what was read");
}

TEST(ScenarioError, WhatIsNoExpressionToo) {
  EXPECT_EQ(error_in_session("  put t/a = \"x"),
            "7:13: this text does not end; close it with a \" in the same line");
  EXPECT_EQ(
      error_in_session("  require " + repeated("(", 65) + "true"),
      "7:75: this expression is nested too deep; parentheses, `not` and `-` may stand 64 deep in each other");
  EXPECT_EQ(error_in_session("  require " + repeated("not ", 65) + "true"),
            "7:267: this expression is nested too deep; parentheses, `not` and `-` may stand 64 deep in each "
            "other");
  EXPECT_EQ(error_in_session("  put t/a = " + repeated("- ", 65) + "1"),
            "7:141: this expression is nested too deep; parentheses, `not` and `-` may stand 64 deep in each "
            "other");
  EXPECT_EQ(error_in_session("  put t/a = 1" + repeated(" + 1", 250) + ""),
            "7:1013: this expression is too long; it may have 500 values and operators");
}

TEST(ScenarioError, ConditionsThatAreNoTruth) {
  EXPECT_EQ(
      error_in_session("  if 1 then erase t/a"),
      "7:6: a condition is true or false, and this is a number; compare it with something: = != < <= > >=");
  EXPECT_EQ(
      error_in_session("  require \"x\" and true"),
      "7:11: a condition is true or false, and this is a text; compare it with something: = != < <= > >=");
  EXPECT_EQ(
      error_in_session("  require not 1"),
      "7:15: a condition is true or false, and this is a number; compare it with something: = != < <= > >=");
  EXPECT_EQ(error_in_session("  y = get t/a\n  require y"),
            "8:11: a condition is true or false, and this is a value that was read; compare it with "
            "something: = != < <= > >=");
  EXPECT_EQ(error_in_session("  y = count t\n  require true or y"),
            "8:19: a condition is true or false, and this is a value that was read; compare it with "
            "something: = != < <= > >=");
  EXPECT_EQ(
      error_in_session("  count t where key or true"),
      "7:17: a condition is true or false, and this is a key; compare it with something: = != < <= > >=");
  EXPECT_EQ(
      error_in_session("  require 1 + 1"),
      "7:13: a condition is true or false, and this is a number; compare it with something: = != < <= > >=");
}

TEST(ScenarioError, StepsBehindIf) {
  EXPECT_EQ(error_in_session("  if true"),
            "7:10: `then` was expected, not the end of the line; write `if CONDITION then STEP`");
  EXPECT_EQ(error_in_session("  if true put t/a = 1"),
            "7:11: `then` was expected, not `put`; write `if CONDITION then STEP`");
  EXPECT_EQ(error_in_session("  if true then if true then commit"),
            "7:16: an `if` stands in an `if`; join their conditions with `and`");
  EXPECT_EQ(error_in_session("  if true then abort"),
            "7:16: `abort` stands behind an `if`; write `require` with what has to be true to go on");
  EXPECT_EQ(error_in_session("  if true then require true"),
            "7:16: `require` stands behind an `if`; write `require not (A) or B` for `if A then require B`");
  EXPECT_EQ(error_in_session("  if true then commit"),
            "7:16: `commit` can not stand behind an `if`; write it in a line of its own");
  EXPECT_EQ(error_in_session("  if true then savepoint s"),
            "7:16: `savepoint` can not stand behind an `if`; write it in a line of its own");
}

TEST(ScenarioError, Savepoints) {
  EXPECT_EQ(error_in_session("  savepoint"),
            "7:12: the name of a savepoint was expected, not the end of the line; write a letter or _, then "
            "letters (a to z), digits and _");
  EXPECT_EQ(error_in_session("  savepoint s\n  savepoint s"),
            "8:13: there is a savepoint `s` in this transaction already; give this one another name");
  EXPECT_EQ(error_in_session("  rollback to s"),
            "7:15: there is no savepoint `s` here; in this transaction there are none; those after a "
            "`rollback to` are gone");
  EXPECT_EQ(error_in_session("  savepoint first\n  rollback to frist"),
            "8:15: there is no savepoint `frist` here; did you mean `first`?");
  EXPECT_EQ(error_in_session("  savepoint s1\n  savepoint s2\n  rollback to s1\n  rollback to s2"),
            "10:15: there is no savepoint `s2` here; in this transaction there are s1; those after a "
            "`rollback to` are gone");
  EXPECT_EQ(error_in_session("  savepoint s\n  commit\n  begin\n  rollback to s"),
            "10:15: there is no savepoint `s` here; in this transaction there are none; those after a "
            "`rollback to` are gone");
  EXPECT_EQ(error_in_session("  savepoint where"),
            "7:13: `where` is a word of the language; give the savepoint another name");
}

TEST(ScenarioError, FirstLinesOfSessions) {
  EXPECT_EQ(error_in_scenario("session"),
            "2:8: the name of a session was expected, not the end of the line; write a letter or _, then "
            "letters (a to z), digits and _");
  EXPECT_EQ(error_in_scenario("session A at"),
            "2:13: a level was expected, not the end of the line; write its name, as in read_committed");
  EXPECT_EQ(error_in_scenario("session A at Snapshot"),
            "2:14: `Snapshot` is no level; their names are in lower case: read_committed");
  EXPECT_EQ(error_in_scenario("session A snapshot"),
            "2:11: `snapshot` is unexpected here; write `session NAME`, then `at LEVEL`, `read only` or "
            "`deferrable`; a level is one word, and steps stand in lines of their own");
  EXPECT_EQ(error_in_scenario("session A at read committed"),
            "2:19: `committed` is unexpected here; write `session NAME`, then `at LEVEL`, `read only` or "
            "`deferrable`; a level is one word, and steps stand in lines of their own");
  EXPECT_EQ(error_in_scenario("session A read"),
            "2:15: `only` was expected, not the end of the line; write `read only`");
  EXPECT_EQ(error_in_scenario("session A at a at b"), "2:16: `at` stands here twice; write it once");
  EXPECT_EQ(error_in_scenario("session A read only read only"),
            "2:21: `read` stands here twice; write it once");
  EXPECT_EQ(error_in_scenario("session all"),
            "2:9: `all` is a word of the language; give the session another name");
  EXPECT_EQ(error_in_scenario("session A\n  commit\nsession A"),
            "4:9: there is a session `A` in line 2 already; give this one another name");
}

TEST(ScenarioError, OrdersThatAreNone) {
  EXPECT_EQ(error_at_end("order"),
            "9:6: steps were expected, not the end of the line; write `order A1 B1 A2 B2` or `order all`");
  EXPECT_EQ(error_at_end("order A1 A2"), "9:12: these steps were left out: B1, B2; name each step once");
  EXPECT_EQ(error_at_end("order A1 A2 B1 B2 B3"),
            "9:19: \"B3\": B has 2 steps, and all of them were named before");
  EXPECT_EQ(error_at_end("order A2 A1 B1 B2"), "9:7: \"A2\": the next step of A is A1");
  EXPECT_EQ(error_at_end("order  A1 C1"), "9:11: \"C1\": there is no such session; the sessions are A, B");
  EXPECT_EQ(error_at_end("order A1, B1"), "9:7: \"A1,\": no commas; blanks stand between steps");
  EXPECT_EQ(
      error_at_end("order all A1"),
      "9:11: `A1` is unexpected here; write `order all` alone, or the steps, as in `order A1 B1 A2 B2`");
  EXPECT_EQ(error_at_end("order A1 A1"), "9:10: \"A1\": the next step of A is A2");
  EXPECT_EQ(error_at_end("order A1!"), "9:7: \"A1!\": a wait has no number; write A!");
  EXPECT_EQ(error_at_end("order A1 é"),
            "9:10: \"é\": a step was expected, like A or A1 (A! ends a wait); the sessions are A, B");
  EXPECT_EQ(error_at_end("order all\nsession C\n  commit"),
            "10:1: a session stands below an order, in line 9; write all sessions above the orders");
  EXPECT_EQ(error_at_end("order all\n  more"),
            "10:3: this line is indented, and `order` has no lines of its own; begin a section in the first "
            "column");
}

TEST(ScenarioError, ConditionsOverTheEndOfARun) {
  EXPECT_EQ(error_at_end("invariant"),
            "9:10: a value was expected, not the end of the line; write a number, a text in quotes, or the "
            "name of what was read");
  EXPECT_EQ(error_at_end("invariant n = 1"), "9:11: `n` is of a session; write `A.n` with its name");
  EXPECT_EQ(error_at_end("invariant A = 1"),
            "9:11: `A` is a session; write `A.x` for the variable x that it read");
  EXPECT_EQ(error_at_end("invariant A.m = 1"), "9:13: session A reads no variable `m`; it reads n");
  EXPECT_EQ(error_at_end("invariant C.n = 1"),
            "9:11: there is no session `C` above this line; the sessions are A, B");
  EXPECT_EQ(error_at_end("invariant A. n = 1"), "9:14: a blank stands behind the point; write A.x");
  EXPECT_EQ(error_at_end("invariant A.n"),
            "9:11: a condition is true or false, and this is a value that was read; compare it with "
            "something: = != < <= > >=");
  EXPECT_EQ(error_at_end("invariant A.n = 1 1"),
            "9:19: `1` is unexpected here; a condition ends before it; join two with `and` or `or`");
  EXPECT_EQ(
      error_at_end("invariant count t where value = 1 = 1"),
      "9:19: a read with `where` stands in parentheses in a condition; write (count TABLE where ...) = 1");
  EXPECT_EQ(
      error_at_end("anomaly exists t where value = 1"),
      "9:18: a read with `where` stands in parentheses in a condition; write (count TABLE where ...) = 1");
  EXPECT_EQ(error_at_end("invariant get t = 1"),
            "9:15: `get` needs one key; write TABLE/KEY, or scan for more");
  EXPECT_EQ(error_at_end("invariant (get t/a where value = 1) = 1"),
            "9:20: `get` reads one key and has no `where`; write count, sum, exists or scan");
  EXPECT_EQ(error_at_end("invariant (count t where count t = 1) = 1"),
            "9:26: `count` can not stand in a `where`; compare `key` and `value` there");
  EXPECT_EQ(error_at_end("invariant count u2 = 1"),
            "9:17: there is no table `u2` above this line; the tables are t; write `table u2` above for an "
            "empty one");
  EXPECT_EQ(error_at_end("invariant value = 1"),
            "9:11: `value` is of a row that `where` or `update` looks at; write `get TABLE/KEY` here");
  EXPECT_EQ(error_at_end("invariant A.n = on"),
            "9:17: `on` means nothing here; a text stands in quotes: \"on\"; what session A read is `A.x`");
}

TEST(ScenarioError, ConditionsOverTheEndOfARunToo) {
  EXPECT_EQ(
      error_at_end("invariant count t"),
      "9:11: a condition is true or false, and this is a number; compare it with something: = != < <= > >=");
  EXPECT_EQ(error_at_end("anomaly 1 +"),
            "9:12: a value was expected, not the end of the line; write a number, a text in quotes, or the "
            "name of what was read");
}

TEST(ScenarioError, ExpectationsThatAreNone) {
  EXPECT_EQ(error_at_end("expect"),
            "9:7: a level was expected, not the end of the line; write its name, as in read_committed");
  EXPECT_EQ(error_at_end("expect any\n  happens"),
            "9:8: `any` is no level here; write the levels that this is about");
  EXPECT_EQ(error_at_end("expect Snapshot"),
            "9:8: `Snapshot` is no level; their names are in lower case: read_committed");
  EXPECT_EQ(error_at_end("expect a a"), "9:10: `a` stands here twice; write it once");
  EXPECT_EQ(error_at_end("expect a, b"),
            "9:9: a level was expected, not `,`; write its name, as in read_committed");
  EXPECT_EQ(error_at_end("expect snapshot"),
            "9:1: nothing is expected here; write what is in the lines below, indented: `happens`, "
            "`prevented` or a condition");
  EXPECT_EQ(error_at_end("expect a\n  hapens"),
            "10:3: nothing is expected with `hapens`; did you mean `happens`?");
  EXPECT_EQ(error_at_end("expect a\n  prevent"),
            "10:3: nothing is expected with `prevent`; did you mean `prevented`?");
  EXPECT_EQ(error_at_end("expect a\n  prevented by magic"),
            "10:16: `waiting`, `aborting` or `snapshot` was expected, not `magic`; write `prevented by "
            "waiting`, or `prevented` alone");
  EXPECT_EQ(error_at_end("expect a\n  prevented x"),
            "10:13: `x` is unexpected here; one expectation stands in a line, and this one ends before it");
  EXPECT_EQ(error_at_end("expect a\n  nobody"),
            "10:9: `waits` or `fails` was expected, not the end of the line; write `nobody waits` or `nobody "
            "fails`");
  EXPECT_EQ(error_at_end("expect a\n  nobody commits"),
            "10:10: `waits` or `fails` was expected, not `commits`; write `nobody waits` or `nobody fails`");
  EXPECT_EQ(error_at_end("expect a\n  noboby waits"),
            "10:3: nothing is expected with `noboby`; did you mean `nobody`?");
  EXPECT_EQ(error_at_end("expect a\n  A waits"),
            "10:10: `for` was expected, not the end of the line; write `B waits for A`");
  EXPECT_EQ(error_at_end("expect a\n  A waits for A"),
            "10:15: no session waits for itself; write the session that it waits for");
  EXPECT_EQ(error_at_end("expect a\n  C waits for A"),
            "10:3: there is no session `C` above this line; the sessions are A, B");
}

TEST(ScenarioError, ExpectationsThatAreNoneToo) {
  EXPECT_EQ(
      error_at_end("expect a\n  A fails"),
      "10:10: `with` was expected, not the end of the line; write `B fails with conflict/write_conflict`");
  EXPECT_EQ(error_at_end("expect a\n  A fails with"),
            "10:15: a status was expected, not the end of the line; write one of not_found, already_exists, "
            "conflict, snapshot_too_old, too_large, read_only, aborted, conflict/write_conflict, "
            "conflict/serialization, conflict/deadlock, conflict/lock_timeout");
  EXPECT_EQ(error_at_end("expect a\n  A fails with conflict/deadlok"),
            "10:16: no step fails with `conflict/deadlok`; did you mean `conflict/deadlock`?");
  EXPECT_EQ(error_at_end("expect a\n  A fails with deadlock"),
            "10:16: no step fails with `deadlock`; write `conflict/deadlock`");
  EXPECT_EQ(
      error_at_end("expect a\n  A commit"),
      "10:5: `waits for`, `fails with` or `commits` was expected, not `commit`; did you mean `commits`?");
  EXPECT_EQ(error_at_end("expect a\n  A aborts"),
            "10:5: `waits for`, `fails with` or `commits` was expected, not `aborts`; write `A commits`, `A "
            "fails with conflict` or `A waits for B`; what A read is `A.x`");
  EXPECT_EQ(error_at_end("expect a\n  A.n = 1 2"),
            "10:11: `2` is unexpected here; one expectation stands in a line, and this one ends before it");
  EXPECT_EQ(error_at_end("expect a\n  n = 1"), "10:3: `n` is of a session; write `A.n` with its name");
  EXPECT_EQ(
      error_at_end("expect a\n  count t"),
      "10:3: a condition is true or false, and this is a number; compare it with something: = != < <= > >=");
  EXPECT_EQ(error_at_end("order A1 A2 B1 B2\nexpect l0 l1 l2 l3 l4 l5 l6 l7 l8 l9 l10 l11 l12 l13 l14 l15 "
                         "l16 l17 l18 l19 l20 l21 l22 l23 l24 l25 l26 l27 l28 l29 l30 l31 l32"),
            "10:126: this is one level too many; an `expect` may have 32: begin another one");
}

TEST(ScenarioError, TooManyTablesSessionsAndStepsAndBytes) {
  std::string tables = "scenario s\n";
  for (int i = 0; i < 65; ++i) tables += "table t" + std::to_string(i) + "\n";
  EXPECT_EQ(error_of(tables), "66:7: this is one table too many; a scenario may have 64");
  std::string sessions = "scenario s\n";
  for (int i = 0; i < 17; ++i) sessions += "session s" + std::to_string(i) + "\n  commit\n";
  EXPECT_EQ(error_of(sessions), "34:9: this is one session too many; a scenario may have 16");
  EXPECT_EQ(error_in_session(repeated("  get t/a\n", 65)),
            "71:3: this is one step too many; a session may have 64");
  EXPECT_EQ(error_in_session("  get t/" + repeated("k", 501)),
            "7:9: this key is too long; it may have 500 bytes at most");
  EXPECT_EQ(error_of(repeated("x", kMaxScenarioBytes + 1)),
            "1:1: this file has 1048577 bytes; a scenario may have 1048576 at most");
}

TEST(ScenarioError, TheFirstOfSeveralIsSaid) {
  EXPECT_EQ(error_in_session("  put t/a = on\n  frobnicate"),
            "7:13: `on` was not read before in session A; write a step `on = get TABLE/KEY` before this one; "
            "a text stands in quotes: \"on\"");
  EXPECT_EQ(error_in_session("  begin\norder C1"),
            "7:3: session A does not end here; write `commit` or `abort` below this step");
}

TEST(ScenarioError, LongWordsAreCutBetweenCharacters) {
  EXPECT_EQ(error_in_session("  get " + repeated("x", 100) + "/a"),
            "7:7: there is no table `" + repeated("x", 40) +
                "...` above this line; the tables are t, u; write `table " + repeated("x", 100) +
                "` above for an empty one");
  EXPECT_EQ(error_in_session("  get t/a x" + repeated("é", 100)),
            "7:11: `x" + repeated("é", 19) +
                "...` is unexpected here; one step stands in a line, and this one ends before it");
}

TEST(ScenarioError, TenMebibytesOfParenthesesAreRefused) {
  EXPECT_EQ(error_of(repeated("(", 10 << 20)),
            "1:1: this file has 10485760 bytes; a scenario may have 1048576 at most");
  EXPECT_EQ(
      error_in_session("  put t/a = " + repeated("(", 1 << 19)),
      "7:77: this expression is nested too deep; parentheses, `not` and `-` may stand 64 deep in each other");
}

}  // namespace
}  // namespace isolith::anomalies
