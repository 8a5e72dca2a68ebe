// What a condition is about, with the values that it had in a run, for people.
//
// Threads: any.
#pragma once

#include <string>

#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::anomalies {

// "A.n is 2, count doctors is 0": each variable, and each read of what is stored, that the condition names.
std::string describe_values(const Expression& condition, const Scenario& scenario, const Run& run);

}  // namespace isolith::anomalies
