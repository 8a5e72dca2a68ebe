// LockWaits: who waits for whom, for engines that are asked for a lock without waiting for it.
//
// The engine says "busy"; the adapter waits here, in the runner's hook, until a transaction in the way has
// released something, and asks again.
//
// Invariants:
//   1. A transaction is active from `begun` to `ended`; only an active one waits.
//   2. Whoever waits can still get on when it begins to wait: else it is told `deadlock` and does not wait.
//   3. A waiter is woken by a release of one of its holders; one that knows no holder by every release.
//
// Threads: with the runner's baton.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "anomalies/runner.h"
#include "isolith/wait_hook.h"

namespace isolith::anomalies {

class LockWaits {
 public:
  explicit LockWaits(Runner& runner) : runner_(runner) {}
  LockWaits(const LockWaits&) = delete;
  LockWaits& operator=(const LockWaits&) = delete;

  void begun(std::uint64_t transaction);
  void ended(std::uint64_t transaction);     // it has released everything
  void released(std::uint64_t transaction);  // something, perhaps

  enum class Outcome : std::uint8_t {
    again,      // ask the engine again
    deadlock,   // nobody who is waited for could ever go on
    timed_out,  // the wait was ended from outside
  };
  // `holders`: each of them is in the way; empty: some of the others are, it is not known which (unless
  // there is only one).
  Outcome wait(std::uint64_t waiter, std::vector<std::uint64_t> holders, std::string_view table,
               std::string_view key);

 private:
  struct Waiting {
    std::uint64_t transaction;
    std::vector<std::uint64_t> holders;
    std::atomic<std::uint32_t> word{0};
  };

  [[nodiscard]] bool can_get_on(std::uint64_t transaction) const;
  [[nodiscard]] const Waiting* waiting(std::uint64_t transaction) const;

  Runner& runner_;
  std::vector<std::uint64_t> active_;
  std::vector<Waiting*> waiting_;  // each lives in its call of `wait`
};

}  // namespace isolith::anomalies
