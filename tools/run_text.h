// The texts around a timeline: what the scenario is about, what was stored before and after, the verdict, and
// whether it is what the file expects.
//
// Threads: any.
#pragma once

#include <string>

#include "anomalies/scenario.h"
#include "tools/lanes.h"
#include "tools/scenario_run.h"
#include "tools/scenario_source.h"

namespace isolith::tools {

// What a text is about; what it refers to outlives the calls.
struct RunSubject {
  const LoadedScenario& loaded;
  std::string engine;  // its name
  std::string version;
  const Look& look;
};

// Title, phenomenon and story.
std::string intro_text(const RunSubject& subject, bool with_story);

// The engine, level and order; what is stored at first.
std::string start_text(const RunSubject& subject, const LevelReport& report);

// What is stored at the end, the verdict with its reasons, all orders, and what the file expects.
std::string end_text(const RunSubject& subject, const LevelReport& report);

// A line across.
std::string rule_text(const Look& look);

// "the anomaly happens", "prevented by waiting".
std::string verdict_words(anomalies::Verdict verdict);

}  // namespace isolith::tools
