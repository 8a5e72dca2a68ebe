#include "tools/walk.h"

#include <gtest/gtest.h>

namespace isolith::tools {
namespace {

using Kind = Outcome::Kind;

std::string judged(std::string_view text, Kind kind, std::string value = "") {
  switch (judge_answer(text, {kind, std::move(value)}).kind) {
    case Answer::Kind::right:
      return "right";
    case Answer::Kind::wrong:
      return "wrong";
    case Answer::Kind::not_understood:
      return "not understood";
    case Answer::Kind::quit:
      return "quit";
  }
  return "";
}

TEST(JudgeAnswer, TakesLettersAndWords) {
  for (const char* text : {"g", "goes on", " GO ON \r"})
    EXPECT_EQ(judged(text, Kind::goes_on), "right") << text;
  for (const char* text : {"w", "waits", "waits for A"})
    EXPECT_EQ(judged(text, Kind::waits), "right") << text;
  for (const char* text : {"f", "fails", "fails with conflict"})
    EXPECT_EQ(judged(text, Kind::fails), "right") << text;
  EXPECT_EQ(judged("w", Kind::goes_on), "wrong");
  EXPECT_EQ(judged("g", Kind::waits), "wrong");
  EXPECT_EQ(judged("q", Kind::waits), "quit");
}

TEST(JudgeAnswer, TakesAValueWithAndWithoutQuotes) {
  for (const char* text : {"100", "reads 100", "r 100", "g"})
    EXPECT_EQ(judged(text, Kind::reads, "100"), "right") << text;
  EXPECT_EQ(judged("on", Kind::reads, "on"), "right");
  EXPECT_EQ(judged("\"on\"", Kind::reads, "on"), "right");
  EXPECT_EQ(judged("reads \"w\"", Kind::reads, "w"), "right");
  EXPECT_EQ(judged("alice = 1, bob = 2", Kind::reads, "alice=1, bob=2"), "right");
  EXPECT_EQ(judged("no rows", Kind::reads, ""), "right");
  EXPECT_EQ(judged("101", Kind::reads, "100"), "wrong");
  EXPECT_EQ(judged("w", Kind::reads, "w"), "wrong");  // it means waits
}

TEST(JudgeAnswer, AsksAgainWhereItUnderstandsNothing) {
  EXPECT_EQ(judged("", Kind::reads, "100"), "not understood");
  EXPECT_EQ(judged("perhaps", Kind::goes_on), "not understood");
  EXPECT_EQ(judged("100", Kind::waits), "wrong");  // it was to read and waits
}

}  // namespace
}  // namespace isolith::tools
