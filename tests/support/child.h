// Running a test in a process of its own, so that one that crashes or hangs is a failure like any other.
//
// Threads: the calling process must have one thread.
#pragma once

#include <functional>
#include <string>

namespace isolith::testing {

struct ChildResult {
  std::string problem;  // also how the process died; empty: none
  std::string output;   // of `body`
};

// `body` returns a problem, or nothing, and sets its output; it has `seconds`.
ChildResult run_in_child(unsigned seconds, const std::function<std::string(std::string& output)>& body);

}  // namespace isolith::testing
