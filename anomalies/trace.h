// Trace: what happened when a program was run: its events in order, and the schedule that gives them again.
//
// Invariants:
//   1. A step that was taken ends with one `done`; a `blocked` within it is followed by one `resumed` or
//      `timed_out` of the same session first.
//   2. Running the same program by `schedule` from the same state gives the same text.
//
// Threads: values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "anomalies/program.h"
#include "anomalies/schedule.h"

namespace isolith::anomalies {

enum class EventKind : std::uint8_t {
  done,         // the step has ended
  blocked,      // it waits for another transaction
  resumed,      // its wait was ended by the other one; it goes on
  timed_out,    // its wait was ended by the schedule, or because the run was stuck; it goes on
  deferred,     // the schedule named a step of a session that was blocked: it comes when that one is free
  not_blocked,  // the schedule ended a wait of a session that did not wait: nothing was done
  stuck,        // nobody could go on any more: its wait is ended
};

inline constexpr std::size_t kNoSession = SIZE_MAX;

struct Event {
  EventKind kind = EventKind::done;
  std::uint32_t session = 0;
  std::uint32_t step = 0;  // from 1; 0 for `not_blocked`

  // Of `blocked` and `stuck`.
  std::uint64_t waiter = 0;  // transactions, as WaitInfo has them
  std::uint64_t holder = 0;
  std::vector<std::size_t> holder_sessions;  // whom it waits for, where `Program::transaction_of` tells it
  std::string table;
  std::string key;
};

// Used again from run to run, it keeps its memory.
struct Trace {
  Schedule schedule;  // what was asked for, or drawn
  std::vector<Event> events;
  bool stuck = false;  // sessions waited for something that no session could end
};

inline bool waits_for(const Event& event, std::size_t session) {
  return std::find(event.holder_sessions.begin(), event.holder_sessions.end(), session) !=
         event.holder_sessions.end();
}

// "A", "A and B", "A, B and C"; empty where it is no session. `sessions`: a program's or a scenario's.
template <typename Sessions>
std::string holder_names(const Event& event, const Sessions& sessions) {
  std::string text;
  for (std::size_t i = 0; i < event.holder_sessions.size(); ++i) {
    if (i > 0) text += i + 1 == event.holder_sessions.size() ? " and " : ", ";
    text += sessions[event.holder_sessions[i]].name;
  }
  return text;
}

// "B1 blocked: waits for A at accounts/alice"
std::string to_string(const Event& event, const Program& program);

// All events, a line each.
std::string to_string(const Trace& trace, const Program& program);

}  // namespace isolith::anomalies
