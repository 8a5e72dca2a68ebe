#include "anomalies/schedule.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace isolith::anomalies {
namespace {

Program program_of(std::initializer_list<std::pair<const char*, std::size_t>> sessions) {
  Program program;
  for (const auto& [name, steps] : sessions) {
    Session& session = program.sessions.emplace_back();
    session.name = name;
    session.steps.assign(steps, [] {});
  }
  return program;
}

// The schedule's first form, or the message of its error.
std::string parse(const char* text, const Program& program) {
  const Result<Schedule> schedule = parse_schedule(text, program);
  if (schedule.ok()) return to_string(*schedule, program);
  EXPECT_TRUE(schedule.status().is(StatusCode::invalid_argument));
  return std::string(schedule.status().message());
}

TEST(Schedule, StepsMayBeNamedWithOrWithoutTheirNumbers) {
  const Program program = program_of({{"A", 2}, {"B", 2}});
  EXPECT_EQ(parse("A1 B1 A2 B2", program), "A1 B1 A2 B2");
  EXPECT_EQ(parse("A B A B", program), "A1 B1 A2 B2");
  EXPECT_EQ(parse("  B\n\tB2  A A2\r\n", program), "B1 B2 A1 A2");
  EXPECT_EQ(parse("A1 B1 B! A2 A! B2", program), "A1 B1 B! A2 A! B2");
  EXPECT_EQ(parse("", program_of({})), "");
}

TEST(Schedule, NamesThatEndInDigitsAreToldApart) {
  const Program program = program_of({{"T1", 2}, {"T11", 1}, {"T", 1}});
  EXPECT_EQ(parse("T1 T11 T1 T", program), "T1.1 T11.1 T1.2 T1");
  EXPECT_EQ(parse("T1.1 T11.1 T1.2 T.1", program), "T1.1 T11.1 T1.2 T1");
  const Program two = program_of({{"reader", 11}, {"writer_2", 1}});
  EXPECT_EQ(
      parse("reader writer_2 reader2 reader reader reader reader reader reader reader reader10 reader11",
            two),
      "reader1 writer_2.1 reader2 reader3 reader4 reader5 reader6 reader7 reader8 reader9 reader10 reader11");
}

TEST(Schedule, WhatItWritesParsesToTheSame) {
  const Program program = program_of({{"a", 3}, {"b2", 3}, {"c", 1}});
  const Result<Schedule> first = parse_schedule("a b2 b2! b2 c a a b2", program);
  ASSERT_TRUE(first.ok());
  const Result<Schedule> second = parse_schedule(to_string(*first, program), program);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->entries.size(), first->entries.size());
  for (std::size_t i = 0; i < first->entries.size(); ++i) {
    EXPECT_EQ(second->entries[i].session, first->entries[i].session);
    EXPECT_EQ(second->entries[i].times_out, first->entries[i].times_out);
  }
}

TEST(Schedule, ErrorsSayWhereAndWhatWouldBeRight) {
  const Program program = program_of({{"A", 2}, {"B", 1}});
  EXPECT_EQ(parse("A1 C1", program),
            "schedule, column 4: \"C1\": there is no such session; the sessions are A, B");
  EXPECT_EQ(parse("A A B A", program),
            "schedule, column 7: \"A\": A has 2 steps, and all of them were named before");
  EXPECT_EQ(parse("A A B B1", program),
            "schedule, column 7: \"B1\": B has 1 step, and all of them were named before");
  EXPECT_EQ(parse("A2 A1 B", program), "schedule, column 1: \"A2\": the next step of A is A1");
  EXPECT_EQ(parse("A7 A1 B", program), "schedule, column 1: \"A7\": A has 2 steps");
  EXPECT_EQ(parse("A1", program),
            "schedule, column 3: these steps were left out: A2, B1; name each step once");
  EXPECT_EQ(parse("A1 A2 A3 B", program),
            "schedule, column 7: \"A3\": A has 2 steps, and all of them were named before");
  EXPECT_EQ(parse("A0", program),
            "schedule, column 1: \"A0\": there is no such session; the sessions are A, B");
  EXPECT_EQ(parse("A1 B1! A2 B", program), "schedule, column 4: \"B1!\": a wait has no number; write B!");
  EXPECT_EQ(parse("A1 -- A2", program),
            "schedule, column 4: \"--\": a step was expected, like A or A1 (A! ends a wait); the sessions "
            "are A, B");
  EXPECT_EQ(parse("A1,B1,A2", program),
            "schedule, column 1: \"A1,B1,A2\": no commas; blanks stand between steps");
  EXPECT_EQ(parse("A99999999999999999999", program),
            "schedule, column 1: \"A99999999999999999999\": there is no such session; the sessions are A, B");
}

TEST(Schedule, NamesOfSessionsAreChecked) {
  EXPECT_EQ(parse("", program_of({{"A", 0}, {"B", 0}, {"A", 0}})), "two sessions are named A");
  EXPECT_EQ(parse("", program_of({{"1", 0}})),
            "\"1\" is no name of a session: a letter, then letters and digits");
  EXPECT_EQ(parse("", program_of({{"", 0}})),
            "\"\" is no name of a session: a letter, then letters and digits");
  EXPECT_EQ(parse("", program_of({{"a b", 0}})),
            "\"a b\" is no name of a session: a letter, then letters and digits");
}

TEST(Schedule, OneThatDoesNotFitTheProgramIsRefused) {
  const Program program = program_of({{"A", 2}, {"B", 1}});
  EXPECT_TRUE(check_schedule({{{0, false}, {1, false}, {0, false}}}, program).ok());
  EXPECT_TRUE(check_schedule({{{0, false}, {1, false}, {0, false}, {1, true}}}, program).ok());
  EXPECT_EQ(check_schedule({{{0, false}, {1, false}}}, program).message(),
            "A has 2 steps, the schedule names 1");
  EXPECT_EQ(check_schedule({{{0, false}, {1, false}, {0, false}, {2, false}}}, program).message(),
            "the schedule names a session that the program does not have");
  EXPECT_EQ(check_schedule({{{0, false}, {1, false}, {0, false}, {2, true}}}, program).message(),
            "the schedule names a session that the program does not have");
}

}  // namespace
}  // namespace isolith::anomalies
