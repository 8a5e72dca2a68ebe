// `isolith run --json`.
//
// Threads: any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tools/run_text.h"
#include "tools/scenario_run.h"

namespace isolith::tools {

nlohmann::ordered_json run_json(const RunSubject& subject, const std::vector<LevelReport>& reports);

}  // namespace isolith::tools
