// Timeline: a run as rows in the order of time, each with what one session did and what the engine did then.
//
// A row is an event of the trace; a wait's end and what the step did after it are one row. How rows are
// drawn: lanes.h.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "tools/engine_notes.h"

namespace isolith::tools {

// What a line in a session's lane is; drawn as a sign in front of it.
enum class Mark : std::uint8_t {
  step,    // the text of a step
  result,  // what came of it
  waits,
  goes_on,  // after a wait
  fails,
  ends,   // committed or aborted as the session wanted
  aside,  // nothing was done
};

struct LaneLine {
  Mark mark = Mark::step;
  std::string text;  // printable
};

// What a step did, for those who are asked to say it before.
struct Outcome {
  enum class Kind : std::uint8_t {
    none,  // nothing to predict: its transaction was over
    goes_on,
    waits,
    fails,
    reads,  // goes on, with `value`
  };
  Kind kind = Kind::none;
  std::string value;
};

struct TimelineRow {
  std::uint32_t session = 0;
  std::string label;  // "A1"
  std::string step;   // its text
  std::vector<LaneLine> lane;
  Notes engine;
  std::vector<bool> waiting;  // of each session, whether it waits when the row is over
  bool resumes = false;       // it begins with the end of a wait
  Outcome outcome;
};

struct Timeline {
  std::vector<std::string> sessions;  // "A", "B (at snapshot, read only)"
  std::string engine;                 // its name
  std::vector<TimelineRow> rows;
};

Timeline make_timeline(const anomalies::Scenario& scenario, const anomalies::Run& run,
                       const std::string& engine_name);

}  // namespace isolith::tools
