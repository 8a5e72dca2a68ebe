// isolith as an engine for scenarios: a database in memory whose hook is the runner.
//
// Threads: as Engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/runner.h"
#include "isolith/isolation.h"
#include "isolith/options.h"

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

// A level of the program's own, under the name that its policy gives.
struct OwnLevel {
  const IsolationPolicy* policy = nullptr;  // outlives the engine
  std::string claim;                        // in a line
};

// With the levels of isolith, and behind them those of the program. `runner` outlives the engine. `test`:
// when serializable_ssi fails.
Result<std::unique_ptr<IsolithEngine>> open_isolith(Runner& runner, ConflictTest test = ConflictTest::circle,
                                                    const std::vector<OwnLevel>& own = {});

}  // namespace isolith::anomalies
