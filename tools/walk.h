// Walking through a recorded run: with keys, or by saying before each step what it will do.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "tools/command.h"
#include "tools/lanes.h"
#include "tools/timeline.h"

namespace isolith::tools {

// What stands before and behind the rows.
struct Walk {
  const Timeline& timeline;
  const Look& look;
  std::string start;
  std::string end;
};

// `--step`: keys from standard input move forward and back. On a terminal the screen shows the rows so far,
// and everything is printed at the end; otherwise each row is printed as it comes.
ExitCode step_through(const Walk& walk);

// What somebody said a step would do, and whether it did.
struct Answer {
  enum class Kind : std::uint8_t { right, wrong, not_understood, quit };
  Kind kind = Kind::not_understood;
};

// `text` as people write it: "goes on", "g", "waits", "w", "fails", "f", "reads 100", or "100" of a step that
// reads.
Answer judge_answer(std::string_view text, const Outcome& outcome);

// `--predict`: asks before each step, reading answers from `input`, tells whether it was right and why, and
// how often at the end. Where the input ends, the rest is shown without questions.
ExitCode ask_through(const Walk& walk, std::istream& input);

}  // namespace isolith::tools
