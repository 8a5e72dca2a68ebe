#include "txn/gate.h"

#include "pages/latch.h"

namespace isolith::txn {

void Gate::wait_to_enter(TransactionState& state) noexcept {
  while (closed_.load(std::memory_order_seq_cst) != 0) {
    exit(state);
    WaitInfo info;
    info.kind = WaitKind::checkpoint_gate;
    info.waiter = state.id.load(std::memory_order_relaxed);
    hook_.wait(closed_, 1, info, 0);
    state.in_gate.store(1, std::memory_order_seq_cst);
  }
}

void Gate::close() noexcept {
  closed_.store(1, std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    for (pages::Backoff backoff; slots_.at(i).in_gate.load(std::memory_order_seq_cst) != 0;) backoff.pause();
  }
}

void Gate::open() noexcept {
  closed_.store(0, std::memory_order_seq_cst);
  hook_.wake_all(closed_);
}

}  // namespace isolith::txn
