// Reading what is expected at the levels: the lines of `expect`.
//
// Threads: any.
#pragma once

#include "anomalies/scenario.h"
#include "anomalies/scenario_lexer.h"

namespace isolith::anomalies {

// What stands behind `expect`.
bool read_levels(LineReader& line, Expectation& expectation);

// One of the lines below it.
bool read_expected(LineReader& line, const Scenario& scenario, Expected& expected);

}  // namespace isolith::anomalies
