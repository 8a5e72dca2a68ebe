#include "tools/matrix_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace isolith::tools {
namespace {

using anomalies::Cell;
using anomalies::MatrixRow;
using anomalies::Verdict;
using ::testing::HasSubstr;
using ::testing::Not;

Cell cell(Verdict verdict) {
  Cell made;
  made.verdict = verdict;
  made.runs = 1;
  if (verdict == Verdict::happens) {
    made.showing = 1;
    made.order = "A1 B1";
  }
  return made;
}

MatrixReport report() {
  MatrixReport made;
  made.engine = "isolith";
  made.version = "1.2";
  made.levels = {{"read_uncommitted", "anything", false}, {"snapshot", "one moment", false}};
  made.rows = {MatrixRow{"a", "Everywhere", "x", {cell(Verdict::happens), cell(Verdict::happens)}},
               MatrixRow{"b", "Nowhere", "x", {cell(Verdict::waiting), cell(Verdict::aborting)}},
               MatrixRow{"c", "Weakly|so", "x", {cell(Verdict::happens), cell(Verdict::snapshot)}},
               MatrixRow{"d", "Nowhere too", "x", {cell(Verdict::waiting), cell(Verdict::aborting)}}};
  return made;
}

TEST(MatrixText, GroupsRowsByWhereTheAnomalyHappens) {
  const std::string text = matrix_text(report(), Look());
  const std::size_t nowhere = text.find("prevented at every level");
  const std::size_t weakly = text.find("happens at read_uncommitted\n");
  const std::size_t everywhere = text.find("happens at every level");
  ASSERT_NE(everywhere, std::string::npos) << text;
  EXPECT_LT(nowhere, weakly);
  EXPECT_LT(weakly, everywhere);
  EXPECT_THAT(text, HasSubstr("  b  Nowhere      waits       aborts\n"));
  EXPECT_THAT(text, HasSubstr("  c  Weakly|so    happens     reads\n"));
  EXPECT_THAT(text, HasSubstr("snapshot          one moment"));
  EXPECT_THAT(text, HasSubstr("Every cell is what its scenario expects."));
}

TEST(MatrixText, CallsNothingPreventedThatWasNotRun) {
  MatrixReport made = report();
  for (Cell& one : made.rows[1].cells) one.status = Status(StatusCode::invalid_argument, "no such level");
  const std::string text = matrix_text(made, Look());
  const std::size_t prevented = text.find("prevented at every level\n  d ");
  const std::size_t not_run = text.find("cannot be run here\n  b ");
  ASSERT_NE(prevented, std::string::npos) << text;
  ASSERT_NE(not_run, std::string::npos) << text;
  EXPECT_LT(text.find("happens at every level"), not_run);
}

TEST(MatrixText, MarksWhatIsNotExpectedAndSaysWhy) {
  MatrixReport made = report();
  made.rows[1].cells[0].unmet.push_back({{12, 3}, "expected `happens`"});
  made.rows[2].cells[1].status = Status(StatusCode::invalid_argument, "no such step");
  EXPECT_FALSE(made.is_expected());
  const std::string text = matrix_text(made, Look());
  EXPECT_THAT(text, HasSubstr("waits (!)"));
  EXPECT_THAT(text, HasSubstr("b at read_uncommitted: line 12: expected `happens`"));
  EXPECT_THAT(text, HasSubstr("c at snapshot: no such step"));
  EXPECT_THAT(text, HasSubstr("not run"));
  EXPECT_THAT(text, Not(HasSubstr("Every cell")));
}

TEST(MatrixText, FitsANarrowTerminalWithoutTitles) {
  Look look;
  look.width = 40;
  EXPECT_THAT(matrix_text(report(), look), HasSubstr("  b  waits       aborts\n"));
}

TEST(MatrixMarkdown, PutsScenariosWithTheSameCellsIntoOneLine) {
  const std::string text = matrix_markdown(report());
  EXPECT_THAT(text, HasSubstr("| | `read_uncommitted` | `snapshot` |\n|---|---|---|\n"
                              "| Nowhere · Nowhere too | waits | aborts |\n"
                              "| Weakly\\|so | **happens** | reads |\n"
                              "| Everywhere | **happens** | **happens** |\n"));
}

TEST(MatrixJson, HasEachCellWithWhatWasSeen) {
  MatrixReport made = report();
  made.rows[1].cells[0].unmet.push_back({{12, 3}, "why"});
  made.rows[2].cells[1].status = Status(StatusCode::invalid_argument, "no such step");
  const nlohmann::ordered_json json = matrix_json(made);
  EXPECT_EQ(json["engine"], "isolith");
  EXPECT_EQ(json["as_expected"], false);
  EXPECT_EQ(json["levels"][1]["claim"], "one moment");
  EXPECT_EQ(json["entries"].size(), 4U);
  EXPECT_EQ(json["entries"][0]["cells"][1]["verdict"], "happens");
  EXPECT_EQ(json["entries"][0]["cells"][1]["order"], "A1 B1");
  EXPECT_EQ(json["entries"][1]["cells"][0]["order"], nullptr);
  EXPECT_EQ(json["entries"][1]["cells"][0]["unmet"][0]["line"], 12);
  EXPECT_EQ(json["entries"][2]["cells"][1]["verdict"], nullptr);
}

}  // namespace
}  // namespace isolith::tools
