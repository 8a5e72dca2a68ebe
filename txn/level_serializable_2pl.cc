// serializable_2pl: strict two-phase locking. A read sees what is committed, waits for whoever is writing
// there, and locks what it read: keys, there or not, and ranges as far as a cursor went. All locks are held
// to the end, so the transactions are as if each had run alone at the moment of its commit.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class Serializable2pl final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "serializable_2pl"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest_committed; }
  [[nodiscard]] ReadLocks read_locks() const noexcept override { return ReadLocks::ranges; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& serializable_2pl() noexcept {
  static const Serializable2pl kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
