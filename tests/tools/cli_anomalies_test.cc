// `isolith anomalies`, `run` and `explore`, each as a person or a script runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "anomalies/catalogue.h"
#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Two sessions that each add to one number.
constexpr const char* kLostUpdate = R"(scenario Lost update
shows lost update (P4)

story
  Both read, both write.

table accounts
  alice = 100

session A
  x = get accounts/alice
  put accounts/alice = x + 1
  commit

session B
  y = get accounts/alice
  put accounts/alice = y + 10
  commit

order A1 B1 A2 B2 A3 B3

invariant get accounts/alice > 100
anomaly A.x = 100 and B.y = 100

expect read_uncommitted read_committed
  happens
  B waits for A
expect snapshot
  prevented by aborting
  B fails with conflict/write_conflict
)";

class CliAnomaliesTest : public ::testing::Test {
 protected:
  CliAnomaliesTest() { directory_.write("p.scenario", kLostUpdate); }

  std::string out(std::vector<std::string> arguments, std::string_view input = "") {
    const ProgramResult result = directory_.isolith(std::move(arguments), input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }

  nlohmann::json json(std::vector<std::string> arguments) {
    return nlohmann::json::parse(out(std::move(arguments)));
  }

  void expect_failure(std::vector<std::string> arguments, int exit_code, const std::string& text,
                      std::string_view input = "") {
    const ProgramResult result = directory_.isolith(std::move(arguments), input);
    expect_one_line(result, exit_code);
    EXPECT_THAT(result.err, HasSubstr(text));
  }

  TestDirectory directory_;
};

// ---- anomalies ----

TEST_F(CliAnomaliesTest, TheMatrixHasEveryEntryAtEveryLevelAsItIsExpected) {
  const nlohmann::json matrix = json({"anomalies", "--json"});
  EXPECT_EQ(matrix["engine"], "isolith");
  EXPECT_EQ(matrix["as_expected"], true);
  EXPECT_EQ(matrix["levels"][0]["name"], "read_uncommitted");
  ASSERT_EQ(matrix["entries"].size(), anomalies::catalogue().size());
  EXPECT_GE(matrix["entries"].size(), 30U);
  for (const nlohmann::json& entry : matrix["entries"]) {
    ASSERT_EQ(entry["cells"].size(), matrix["levels"].size());
    for (const nlohmann::json& cell : entry["cells"]) {
      EXPECT_GE(cell["runs"], 1) << entry["name"];
      EXPECT_EQ(cell["unmet"].size(), 0U) << entry["name"];
      EXPECT_EQ(cell["verdict"] == "happens", cell["showing"] > 0) << entry["name"];
      EXPECT_EQ(cell["verdict"] == "happens", cell["order"].is_string()) << entry["name"];
    }
  }
}

TEST_F(CliAnomaliesTest, TheMatrixForPeopleHasALegendAndNoColourInAPipe) {
  const std::string text = out({"anomalies"});
  EXPECT_THAT(text, HasSubstr("prevented: somebody has to wait"));
  EXPECT_THAT(text, HasSubstr("prevented at every level"));
  EXPECT_THAT(text, HasSubstr("Every cell is what its scenario expects."));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  const std::string two = out({"anomalies", "--only", "p4", "g0"});
  EXPECT_THAT(two, HasSubstr("\n2 scenarios at "));
}

TEST_F(CliAnomaliesTest, ListTellsNamesAndTitles) {
  EXPECT_THAT(out({"anomalies", "--list"}), HasSubstr("\np4 "));
  EXPECT_THAT(out({"anomalies", "--list", "--only", "g0"}), StartsWith("g0  "));
}

TEST_F(CliAnomaliesTest, AnotherEngineSaysWhatItsLevelsClaim) {
  const ProgramResult unknown = directory_.isolith({"anomalies", "--engine", "oracle"});
  expect_one_line(unknown, 2);
  EXPECT_THAT(unknown.err, HasSubstr("'oracle' is not known"));
  EXPECT_THAT(unknown.err, HasSubstr("and isolith itself"));
  if (unknown.err.find("sqlite,") == std::string::npos) GTEST_SKIP() << unknown.err;
  const std::string text = out({"anomalies", "--engine", "sqlite", "--only", "p4"});
  EXPECT_THAT(text, HasSubstr("says of its levels"));
  EXPECT_THAT(text, Not(HasSubstr("Every cell")));
}

TEST_F(CliAnomaliesTest, WrongCommandLinesOfAnomalies) {
  expect_failure({"anomalies", "--json", "--markdown"}, 2, "not both");
  expect_failure({"anomalies", "--only", "docters_on_call"}, 2, "did you mean doctors_on_call?");
  expect_failure({"anomalies", "--only", "zzz"}, 2, "--list");
}

// ---- run ----

TEST_F(CliAnomaliesTest, RunShowsTheTimelineAndTheVerdict) {
  const std::string text = out({"run", "p.scenario"});
  EXPECT_THAT(text, StartsWith("Lost update: lost update (P4)\n\n  Both read, both write.\n"));
  EXPECT_THAT(text, HasSubstr("at read_committed"));
  EXPECT_THAT(text, HasSubstr("reads alice = 100, first row"));
  EXPECT_THAT(text, HasSubstr("waits: A has locked alice in A2"));
  EXPECT_THAT(text, HasSubstr("writes over A's 101, having read 100"));
  EXPECT_THAT(text, HasSubstr("The anomaly happens."));
  EXPECT_THAT(text, HasSubstr("the invariant `get accounts/alice > 100` holds"));
  EXPECT_THAT(text, HasSubstr("`A.x = 100 and B.y = 100` is true"));
  EXPECT_THAT(text, HasSubstr("no serial order"));
  EXPECT_THAT(text, HasSubstr("all that the file expects at read_committed was seen"));
  EXPECT_THAT(out({"run", "p.scenario", "--no-story"}), Not(HasSubstr("Both read")));
}

TEST_F(CliAnomaliesTest, RunAtSnapshotNamesTheRuleThatStopsIt) {
  const std::string text = out({"run", "p.scenario", "--level", "snapshot"});
  EXPECT_THAT(text, HasSubstr("takes its snapshot"));
  EXPECT_THAT(text, HasSubstr("first updater wins"));
  EXPECT_THAT(text, HasSubstr("It is prevented by aborting: B failed with conflict/write_conflict."));
}

TEST_F(CliAnomaliesTest, RunGivesTheSameTextEachTime) {
  EXPECT_EQ(out({"run", "p.scenario", "--level", "all"}), out({"run", "p.scenario", "--level", "all"}));
  EXPECT_EQ(out({"run", "p.scenario", "--order", "random:7", "--level", "snapshot", "--json"}),
            out({"run", "p.scenario", "--order", "random:7", "--level", "snapshot", "--json"}));
}

TEST_F(CliAnomaliesTest, RunExitsWithOneWhereTheFileExpectsSomethingElse) {
  std::string wrong(kLostUpdate);
  wrong.replace(wrong.find("  happens\n"), 10, "  prevented\n");
  directory_.write("wrong.scenario", wrong);
  const ProgramResult result = directory_.isolith({"run", "wrong.scenario"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("this is not what the file expects:"));
  EXPECT_THAT(result.out, HasSubstr("wrong.scenario:26:3: expected `prevented`"));
  std::string silent(kLostUpdate);
  silent.resize(silent.find("expect "));
  directory_.write("silent.scenario", silent);
  EXPECT_THAT(out({"run", "silent.scenario"}), HasSubstr("the file expects nothing at read_committed"));
}

TEST_F(CliAnomaliesTest, RunTakesOrdersAndSaysWhatAllOfThemCameTo) {
  const ProgramResult serial = directory_.isolith({"run", "p.scenario", "--order", "A1 A2 A3 B1 B2 B3"});
  EXPECT_EQ(serial.exit_code, 1);
  EXPECT_THAT(serial.out, HasSubstr("the expectations were written for the file's own orders; in these:"));
  const std::string all = out({"run", "p.scenario", "--order", "all"});
  EXPECT_THAT(all, HasSubstr("orders were run"));
  EXPECT_THAT(all, HasSubstr("that shows the anomaly)"));
  EXPECT_THAT(serial.out, HasSubstr("It does not happen in this order: nobody waited, and nobody failed."));
  expect_failure({"run", "p.scenario", "--order", ""}, 2, "--order: no step is named");
  expect_failure({"run", "p.scenario", "--order", "  "}, 2, "--order: no step is named");
  expect_failure({"run", "p.scenario", "--order", "A1 C1"}, 2, "--order: schedule, column 4");
  expect_failure({"run", "p.scenario", "--order", "A1 B1"}, 2, "left out");
  expect_failure({"run", "p.scenario", "--order", "random:x"}, 2, "whole number");
}

TEST_F(CliAnomaliesTest, RunAsJsonHasWhatTheTextHas) {
  const nlohmann::json seen = json({"run", "p.scenario", "--level", "all", "--json"});
  ASSERT_EQ(seen["levels"].size(), 7U);
  const nlohmann::json& level = seen["levels"][1];
  EXPECT_EQ(level["level"], "read_committed");
  EXPECT_EQ(level["verdict"], "happens");
  EXPECT_EQ(level["run"]["order"], "A1 B1 A2 B2 A3 B3");
  EXPECT_EQ(level["run"]["phenomenon"], "G-single");
  EXPECT_EQ(level["run"]["final"]["accounts"]["alice"], "110");
  EXPECT_EQ(level["run"]["timeline"][0]["engine"][0], "reads alice = 100, first row");
  EXPECT_EQ(seen["levels"][3]["level"], "snapshot");
  EXPECT_EQ(seen["levels"][3]["run"]["transactions"][1]["end"], "failed");
  EXPECT_EQ(seen["as_expected"], true);
}

TEST_F(CliAnomaliesTest, RunTakesStandardInputAndTheCatalogue) {
  EXPECT_THAT(out({"run", "-"}, kLostUpdate), HasSubstr("The anomaly happens."));
  EXPECT_THAT(out({"run", "p4", "--level", "snapshot"}), HasSubstr("prevented by aborting"));
  std::filesystem::create_directory(directory_.path("p4"));
  EXPECT_THAT(out({"run", "p4"}), HasSubstr("The anomaly happens."));  // a directory is no scenario
}

TEST_F(CliAnomaliesTest, EveryScenarioOfTheCatalogueRunsAtEveryLevel) {
  for (const anomalies::CatalogueEntry& entry : anomalies::catalogue()) {
    const ProgramResult result = directory_.isolith({"run", std::string(entry.name), "--level", "all"});
    EXPECT_EQ(result.exit_code, 0) << entry.name << result.err << result.out;
  }
}

TEST_F(CliAnomaliesTest, StepWalksByLinesForwardAndBack) {
  const std::string text = out({"run", "p.scenario", "--step"}, "\nn\nb\nn\nq\n");
  EXPECT_THAT(text, HasSubstr("(back to before B1)"));
  EXPECT_THAT(text, HasSubstr("ended after 2 of 7"));
  EXPECT_THAT(text, Not(HasSubstr("verdict")));
  EXPECT_THAT(out({"run", "p.scenario", "--step"}, "\n\n\n\n\n\n\n\n"), HasSubstr("The anomaly happens."));
}

TEST_F(CliAnomaliesTest, PredictTellsWhatWasRightAndHowOften) {
  const std::string text = out({"run", "p.scenario", "--predict"}, "100\nreads 99\ng\nw\nwhat\ng\ng\ng\n");
  EXPECT_THAT(text, HasSubstr("right: it reads 100"));
  EXPECT_THAT(text, HasSubstr("no: it reads 100"));
  EXPECT_THAT(text, HasSubstr("right: it waits"));
  EXPECT_THAT(text, HasSubstr("not understood: 'what'"));
  EXPECT_THAT(text, EndsWith("You were right 6 of 7 times.\n"));
  EXPECT_THAT(out({"run", "p.scenario", "--predict"}), EndsWith("No prediction was made.\n"));
  EXPECT_THAT(out({"run", "p.scenario", "--predict"}, "100\n"), HasSubstr("(no more answers come:"));
}

TEST_F(CliAnomaliesTest, WrongCommandLinesOfRun) {
  expect_failure({"run"}, 2, "FILE");
  expect_failure({"run", "p.scenario", "--level", "snapshoot"}, 2, "did you mean snapshot?");
  expect_failure({"run", "p.scenario", "--level", "strongest"}, 2,
                 "it has read_uncommitted, read_committed, repeatable_read, snapshot, serializable_2pl, "
                 "serializable_ssi, serial");
  expect_failure({"run", "p.scenario", "--engine", "nothing"}, 2, "nothing");
  expect_failure({"run", "p.scenario", "--step", "--predict"}, 2, "not both");
  expect_failure({"run", "p.scenario", "--step", "--json"}, 2, "--json");
  expect_failure({"run", "-", "--step"}, 2, "standard input");
  expect_failure({"run", "p.scenario", "--step", "--level", "all"}, 2, "one level");
}

TEST_F(CliAnomaliesTest, ScenariosThatAreNoneAreRefusedInALine) {
  expect_failure({"run", "docters_on_call.scenario"}, 3, "did you mean doctors_on_call?");
  expect_failure({"explore", "zzz"}, 3, "'isolith anomalies --list'");
  std::filesystem::create_directory(directory_.path("folder"));
  expect_failure({"run", "folder"}, 3, "'folder' is a directory");
  directory_.write("large", std::string(10 << 20, ' '));
  expect_failure({"run", "large"}, 3, "at most 1,048,576 bytes");
  expect_failure({"run", "-"}, 3, "at most 1,048,576 bytes", std::string(10 << 20, ' '));
  expect_failure({"run", "/dev/zero"}, 3, "at most 1,048,576 bytes");
  directory_.write("empty", "");
  expect_failure({"run", "empty"}, 3, "empty:1:1");
  expect_failure({"run", "-"}, 3, "standard input:1:1", "nonsense");
  directory_.write("bytes", std::string("scenario \x00\xff\x1b", 12));
  expect_failure({"run", "bytes"}, 3, "bytes:1:");
}

TEST_F(CliAnomaliesTest, ALevelOfTheFileThatTheEngineLacksIsNamedWithItsPlace) {
  std::string other(kLostUpdate);
  other.replace(other.find("session B\n"), 10, "session B at linear\n");
  directory_.write("session.scenario", other);
  expect_failure({"run", "session.scenario"}, 3, "session.scenario:15:");
  std::string expects(kLostUpdate);
  expects.replace(expects.find("expect snapshot"), 15, "expect linear");
  directory_.write("expect.scenario", expects);
  expect_failure({"explore", "expect.scenario"}, 3, "expect.scenario:28:");
}

TEST_F(CliAnomaliesTest, WhatGoesWrongInASerialOrderTooIsNotBlamedOnTheIsolation) {
  std::string wrong(kLostUpdate);
  wrong.replace(wrong.find("alice > 100\n"), 12, "alice > 200\n");
  directory_.write("wrong.scenario", wrong);
  // On one line, whatever the width.
  const auto joined = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) {
      const std::size_t end = std::min(text.find_first_not_of(" \n", at), text.size());
      text.replace(at, end - at, " ");
    }
    return text;
  };
  const std::string fault =
      "the invariant `get accounts/alice > 200` fails even one after the other (A, B): the sessions or the "
      "invariant are wrong, not the isolation";
  EXPECT_THAT(joined(directory_.isolith({"run", "wrong.scenario"}).out), HasSubstr(fault));
  EXPECT_THAT(joined(out({"explore", "wrong.scenario"})), HasSubstr(fault));
  EXPECT_EQ(json({"explore", "wrong.scenario", "--json"})["levels"][0]["serial_fault"], fault);
  EXPECT_THAT(out({"run", "p.scenario"}), Not(HasSubstr("even one after")));
  EXPECT_THAT(out({"explore", "p.scenario"}), Not(HasSubstr("even one after")));
}

TEST_F(CliAnomaliesTest, WhyNamesThePhenomenonOnce) {
  const std::string text = out({"run", "p.scenario"});
  EXPECT_THAT(text, HasSubstr("why         G-single\n"));
  EXPECT_THAT(text, HasSubstr("(a lost"));
}

// By the versions that were read there is a cycle; but one of them says what the one before it said.
TEST_F(CliAnomaliesTest, WhatSomeSerialOrderGivesIsNotExplainedAsAnAnomaly) {
  directory_.write("same.scenario",
                   "scenario c\ntable t\n  a = 1\n  b = 1\n"
                   "session A\n  x = get t/a\n  y = get t/b\n  commit\n"
                   "session B\n  put t/a = 1\n  put t/b = 2\n  commit\n"
                   "order A1 B1 B2 B3 A2 A3\n");
  const std::string text = out({"run", "same.scenario"});
  EXPECT_THAT(text, HasSubstr("It is prevented by what was read"));
  EXPECT_THAT(text, HasSubstr("some serial order gives it"));
  EXPECT_THAT(text, Not(HasSubstr("G-single")));
  EXPECT_THAT(text, Not(HasSubstr("scenario's own anomaly")));
}

TEST_F(CliAnomaliesTest, AVariableOfAnUpdateShowsHowManyRowsWereWritten) {
  directory_.write("update.scenario",
                   "scenario u\ntable t\n  a = 7\nsession A\n  n = update t = 9\n  commit\norder A1 A2\n");
  EXPECT_THAT(out({"run", "update.scenario"}), HasSubstr("-> 1 "));
  EXPECT_THAT(out({"run", "update.scenario"}), Not(HasSubstr("-> t/a")));
}

// ---- explore ----

TEST_F(CliAnomaliesTest, ExploreCountsOrdersAndGivesTheShortestReadyToRun) {
  const std::string text = out({"explore", "p.scenario", "--level", "read_committed"});
  EXPECT_THAT(text, HasSubstr("read_committed: the anomaly happens, most simply in\n"));
  const std::string command = "isolith run p.scenario --level read_committed --order \"";
  const std::size_t begin = text.find(command);
  ASSERT_NE(begin, std::string::npos) << text;
  const std::size_t order = begin + command.size();
  const std::string found = text.substr(order, text.find('"', order) - order);
  const std::string shown =  // with code 1: B does not wait in this order
      directory_.isolith({"run", "p.scenario", "--level", "read_committed", "--order", found, "--json"}).out;
  EXPECT_EQ(nlohmann::json::parse(shown)["levels"][0]["run"]["verdict"], "happens");
}

TEST_F(CliAnomaliesTest, ExploreFindsTheSameWithAndWithoutPruning) {
  const nlohmann::json pruned = json({"explore", "p.scenario", "--json"});
  const nlohmann::json all = json({"explore", "p.scenario", "--no-pruning", "--json"});
  ASSERT_EQ(pruned["levels"].size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) {
    const nlohmann::json& few = pruned["levels"][i];
    const nlohmann::json& many = all["levels"][i];
    EXPECT_EQ(many["orders"], 20);  // 6! / (3! 3!)
    EXPECT_EQ(many["runs"], 20);
    EXPECT_EQ(many["pruned"], 0);
    EXPECT_EQ(few["runs"].get<int>() + few["pruned"].get<int>(), 20);
    EXPECT_LT(few["runs"], many["runs"]);
    EXPECT_EQ(few["verdict"], many["verdict"]);
    EXPECT_EQ(few["shortest"].is_null(), many["shortest"].is_null());
  }
  EXPECT_EQ(pruned["levels"][3]["verdict"], "aborting");
  EXPECT_TRUE(pruned["levels"][3]["needless"].is_number());
  EXPECT_EQ(pruned["levels"][5]["verdict"], "aborting");
  EXPECT_TRUE(pruned["levels"][5]["needless"].is_number());
  EXPECT_EQ(pruned["levels"][6]["verdict"], "waiting");
}

TEST_F(CliAnomaliesTest, ExploreStopsWhereItIsTold) {
  const nlohmann::json stopped = json({"explore", "p.scenario", "--no-pruning", "--max", "3", "--json"});
  EXPECT_EQ(stopped["levels"][0]["runs"], 3);
  EXPECT_EQ(stopped["levels"][0]["complete"], false);
  EXPECT_THAT(out({"explore", "p.scenario", "--max", "1"}), HasSubstr("stopped after 1 run; there are more"));
  expect_failure({"explore", "p.scenario", "--max", "0"}, 2, "--max");
  expect_failure({"explore", "p.scenario", "--level", "snap"}, 2, "isolith has no level 'snap'");
}

}  // namespace
}  // namespace isolith::tools
