// repeatable_read: a read sees what is committed, waits for whoever is writing there, and locks the key to
// the end of the transaction, there or not. What it read stays so: no lost updates, no read skew, no write
// skew among rows that were read. Ranges are not locked: phantoms happen.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class RepeatableRead final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "repeatable_read"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest_committed; }
  [[nodiscard]] ReadLocks read_locks() const noexcept override { return ReadLocks::keys; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& repeatable_read() noexcept {
  static const RepeatableRead kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
