// Schedule: the order in which the steps of all sessions are taken, and its text.
//
//   A1 B1 A2 B2      a session and the number of its step
//   A B A B          the same: without a number it is the session's next step
//   A1 B1 B! A2 B2   B! ends the wait of B, which is blocked then, as if its time had passed
//
// A schedule names each step of each session once, the steps of one session in order. The number of a session
// whose name ends in a digit stands behind a point: T1.2 is step 2 of T1. What can be read two ways is first
// a session's whole name, then the longest name in front of a number.
//
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/program.h"
#include "isolith/status.h"

namespace isolith::anomalies {

struct ScheduleEntry {
  std::uint32_t session = 0;  // its place in `Program::sessions`
  bool times_out = false;     // not a step: its wait ends
};

struct Schedule {
  std::vector<ScheduleEntry> entries;
};

// `invalid_argument` says the column (from 1), what stands there, what is wrong and what would be right.
Result<Schedule> parse_schedule(std::string_view text, const Program& program);

// What is wrong with a text, and at which of its bytes, from 0.
struct ScheduleProblem {
  std::size_t at = 0;
  std::string what;
};

// As above, for texts that stand in a larger one. None: `problem` says why.
std::optional<Schedule> parse_schedule(std::string_view text, const Program& program,
                                       ScheduleProblem& problem);

// The text in its first form. It parses to the same schedule.
std::string to_string(const Schedule& schedule, const Program& program);

// Whether the names of the program's sessions can be told apart in a text.
Status check_program(const Program& program);

// Whether the schedule names each step of the program once.
Status check_schedule(const Schedule& schedule, const Program& program);

// "A2", "T1.2": step `step` (from 1) of a session.
void append_step(std::string& text, const Session& session, std::uint32_t step);

}  // namespace isolith::anomalies
