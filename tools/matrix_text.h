// The matrix of scenarios by levels as people, programs and documents read it.
//
// Rows stand in groups, by the levels at which the anomaly happens: first what happens nowhere. So a stronger
// level's column is empty further down.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/matrix.h"
#include "tools/lanes.h"

namespace isolith::tools {

struct MatrixReport {
  std::string engine;
  std::string version;
  std::vector<anomalies::EngineLevel> levels;
  std::vector<anomalies::MatrixRow> rows;  // by name
  double seconds = 0;

  // Whether every cell was run and is what its file expects.
  [[nodiscard]] bool is_expected() const;
};

// With a legend, what the levels claim, and below it what was not as expected. The time that it took is
// said, so two texts differ.
std::string matrix_text(const MatrixReport& report, const Look& look);

// A table with a line for all scenarios whose cells are the same, and a legend. The same runs give the same
// text.
std::string matrix_markdown(const MatrixReport& report);

nlohmann::ordered_json matrix_json(const MatrixReport& report);

}  // namespace isolith::tools
