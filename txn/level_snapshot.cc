// snapshot: a transaction sees what was committed when it began, and its own writes. First updater wins: a
// write that meets a version committed since fails. Reads and writes never wait for each other; lost updates
// and unrepeatable reads do not happen, write skew does.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class SnapshotLevel final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "snapshot"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::snapshot; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& met) const noexcept override {
    return met.commit_ts > met.snapshot_ts ? WriteRule::conflict : WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& snapshot() noexcept {
  static const SnapshotLevel kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
