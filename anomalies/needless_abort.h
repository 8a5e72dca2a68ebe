// NeedlessAborts: counts the transactions that were refused although no harm would have come of them.
//
// A transaction that failed with conflict/write_conflict or conflict/serialization was refused *needlessly*
// if, in the same order with nothing refused, it commits and some serial order gives all that was read and
// stored. A deadlock is never needless: somebody has to give way.
//
// Threads: from one thread at a time.
#pragma once

#include <cstdint>

#include "anomalies/execution.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/judgement.h"
#include "anomalies/run.h"
#include "isolith/status.h"

namespace isolith::anomalies {

class NeedlessAborts {
 public:
  // `execution` is on `engine`, prepared for the level of the runs that will be added.
  NeedlessAborts(Execution& execution, IsolithEngine& engine, SerialOutcomes& serial)
      : execution_(execution), engine_(engine), serial_(serial) {}

  // Runs the order of `run` once more if somebody was refused in it.
  Status add(const Run& run);

  // Of all runs so far.
  [[nodiscard]] std::uint64_t aborts() const noexcept { return aborts_; }
  [[nodiscard]] std::uint64_t needless() const noexcept { return needless_; }

 private:
  Execution& execution_;
  IsolithEngine& engine_;
  SerialOutcomes& serial_;
  Run overwritten_;
  std::uint64_t aborts_ = 0;
  std::uint64_t needless_ = 0;
};

}  // namespace isolith::anomalies
