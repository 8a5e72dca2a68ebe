#include "anomalies/needless_abort.h"

#include <algorithm>
#include <utility>

namespace isolith::anomalies {
namespace {

bool was_refused(const TransactionRecord& record) {
  return record.end == TransactionEnd::failed && (record.status.reason() == ConflictReason::write_conflict ||
                                                  record.status.reason() == ConflictReason::serialization);
}

}  // namespace

Status NeedlessAborts::add(const Run& run) {
  const auto refused = std::count_if(run.transactions.begin(), run.transactions.end(), was_refused);
  if (refused == 0) return {};
  aborts_ += static_cast<std::uint64_t>(refused);
  engine_.set_refusals(Refusals::overwrite);
  Status status = execution_.run(run.trace.schedule, overwritten_);
  engine_.set_refusals(Refusals::keep);
  // What cannot be computed once nobody is refused is no harmless outcome.
  if (status.is(StatusCode::invalid_argument)) return {};
  if (!status.ok()) return status;
  const Result<bool> is_serial = serial_.has(overwritten_);
  if (!is_serial.ok()) return is_serial.status();
  for (std::uint32_t i = 0; *is_serial && i < run.transactions.size(); ++i) {
    if (was_refused(run.transactions[i]) && overwritten_.committed(i)) ++needless_;
  }
  return {};
}

}  // namespace isolith::anomalies
