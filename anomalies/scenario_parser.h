// parse_scenario: the text of a scenario file to a Scenario.
//
// Threads: any.
#pragma once

#include <string_view>

#include "anomalies/scenario.h"

namespace isolith::anomalies {

// `invalid_argument`: "NAME:LINE:COLUMN: what is wrong; what to write instead". `name` is the file's, for
// messages. The text is UTF-8; lines end in LF or CR LF; at most kMaxScenarioBytes.
Result<Scenario> parse_scenario(std::string_view text, std::string_view name);

}  // namespace isolith::anomalies
