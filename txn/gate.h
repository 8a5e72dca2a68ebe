// Gate: what changes pages holds it shared for a moment; a checkpoint fixes its instant by closing it.
//
// Every slot has a word of its own, so that holders do not share a cache line. Proof (Dekker): an entrant
// stores its word, then loads `closed_`; the closer stores `closed_`, then loads the words; all four are
// sequentially consistent, so at least one of the two sees the other. An entrant who sees `closed_` takes its
// word back and waits.
//
// Nobody waits for another transaction inside the gate, and nobody enters it twice.
//
// Threads: `enter` and `exit` by the slot's owner; `close` and `open` by one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>

#include "isolith/wait_hook.h"
#include "txn/transaction_state.h"

namespace isolith::txn {

class Gate {
 public:
  Gate(Slots& slots, WaitHook& hook) noexcept : slots_(slots), hook_(hook) {}

  void enter(TransactionState& state) noexcept {
    state.in_gate.store(1, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst) != 0) [[unlikely]] wait_to_enter(state);
  }
  static void exit(TransactionState& state) noexcept { state.in_gate.store(0, std::memory_order_release); }

  // Returns when nobody is inside; nobody enters until `open`.
  void close() noexcept;
  void open() noexcept;

 private:
  void wait_to_enter(TransactionState& state) noexcept;

  Slots& slots_;
  WaitHook& hook_;
  std::atomic<std::uint32_t> closed_{0};
};

class GateHold {
 public:
  GateHold(Gate& gate, TransactionState& state) noexcept : state_(state) { gate.enter(state); }
  ~GateHold() { Gate::exit(state_); }
  GateHold(const GateHold&) = delete;
  GateHold& operator=(const GateHold&) = delete;

 private:
  TransactionState& state_;
};

}  // namespace isolith::txn
