// The outline of a scenario.
#include "anomalies/scenario.h"

namespace isolith::anomalies {

Program outline(const Scenario& scenario) {
  Program program;
  program.sessions.reserve(scenario.sessions.size());
  for (const SessionScript& script : scenario.sessions) {
    program.sessions.push_back({script.name, std::vector<std::function<void()>>(script.steps.size(), [] {})});
  }
  return program;
}

}  // namespace isolith::anomalies
