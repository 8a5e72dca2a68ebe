// Starts the process that works (tools/demo_worker.h), follows its messages, and kills it in the middle.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolith/status.h"

namespace isolith::tools {

struct DemoPlan {
  std::string directory;
  std::uint64_t seed = 0;
  std::uint64_t kill_at_commit = 0;  // killed as soon as so many commits were announced
  double seconds_max = 0;            // or when so much time has passed since the first one
};

struct DemoRun {
  int process = 0;
  bool killed_by_count = false;                  // otherwise by the time
  double seconds = 0;                            // from the first message to the kill
  std::uint64_t commits = 0;                     // announced
  std::vector<std::uint64_t> last_acknowledged;  // the last announced sequence of each writer, 0 for none
  std::uint64_t runs_again = 0;
  std::uint64_t sums_checked = 0;
  std::uint64_t rows_read = 0;
};

// Runs the plan. Fails with the worker's words when it ended or failed before it was killed.
Result<DemoRun> run_and_kill(const DemoPlan& plan);

}  // namespace isolith::tools
