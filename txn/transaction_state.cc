#include "txn/transaction_state.h"

#include "locking/key_locks.h"

namespace isolith::txn {
namespace {

bool claim(TransactionState& state) noexcept {
  std::uint32_t free = 0;
  return state.in_use.load(std::memory_order_relaxed) == 0 &&
         state.in_use.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed);
}

}  // namespace

Slots::~Slots() {
  for (std::uint32_t i = 0; i < count(); ++i) {
    TransactionState* const state = places_[i].load(std::memory_order_relaxed);
    locking::KeyLocks::free_spare(state->owner);
    delete state;
  }
}

TransactionState* Slots::acquire() {
  // Where this thread found its last slot, in whichever database: a hint, nothing depends on it.
  thread_local std::uint32_t hint = 0;
  const std::uint32_t used = count();
  if (hint < used && claim(at(hint))) return &at(hint);
  for (std::uint32_t i = 0; i < used; ++i) {
    if (claim(at(i))) {
      hint = i;
      return &at(i);
    }
  }
  const std::lock_guard lock(grow_mutex_);
  const std::uint32_t index = count();
  if (index == kSlotsMax) return nullptr;
  auto state = std::make_unique<TransactionState>();
  state->index = index;
  state->in_use.store(1, std::memory_order_relaxed);
  places_[index].store(state.release(), std::memory_order_release);
  count_.store(index + 1, std::memory_order_seq_cst);
  hint = index;
  return &at(index);
}

}  // namespace isolith::txn
