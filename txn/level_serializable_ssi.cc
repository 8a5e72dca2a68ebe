// serializable_ssi: serializable snapshot isolation. A transaction reads and writes as at snapshot, nobody
// waits for readers, and what it reads is remembered; it fails rather than close a circle among those that
// committed.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class SerializableSsi final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "serializable_ssi"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::snapshot; }
  [[nodiscard]] bool tracks_conflicts() const noexcept override { return true; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& met) const noexcept override {
    return met.commit_ts > met.snapshot_ts ? WriteRule::conflict : WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& serializable_ssi() noexcept {
  static const SerializableSsi kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
