// serial: one writer at a time. It begins when nobody writes, and nobody else writes until it ends; so it
// reads without locks what no one can change.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class Serial final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "serial"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest_committed; }
  [[nodiscard]] bool runs_alone() const noexcept override { return true; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& serial() noexcept {
  static const Serial kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
