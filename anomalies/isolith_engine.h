// isolith as an engine for scenarios: a database in memory whose hook is the runner.
//
// Threads: as Engine.
#pragma once

#include <memory>

#include "anomalies/engine.h"
#include "anomalies/runner.h"

namespace isolith::anomalies {

// What happens where the level refuses a write because of a newer committed version.
enum class Refusals : std::uint8_t {
  keep,
  overwrite,  // it is written all the same: what would have come of a transaction that was refused
};

class IsolithEngine : public Engine {
 public:
  virtual void set_refusals(Refusals refusals) = 0;  // of transactions that begin from now on
};

// `runner` outlives the engine.
Result<std::unique_ptr<IsolithEngine>> open_isolith(Runner& runner);

}  // namespace isolith::anomalies
