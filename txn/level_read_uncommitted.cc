// read_uncommitted: a read sees the newest version, committed or not. Dirty reads happen; dirty writes never
// do.
#include "txn/levels.h"

namespace isolith::txn {
namespace {

class ReadUncommitted final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "read_uncommitted"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

}  // namespace

const IsolationPolicy& read_uncommitted() noexcept {
  static const ReadUncommitted kPolicy;
  return kPolicy;
}

}  // namespace isolith::txn
