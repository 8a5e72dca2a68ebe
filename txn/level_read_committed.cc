// read_committed: an operation sees what was committed when it began, a cursor when it was opened. Waits for
// writers of the same key and then writes over what they committed; lost updates and unrepeatable reads
// happen.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class ReadCommitted final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "read_committed"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest_committed; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& read_committed() noexcept {
  static const ReadCommitted kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
