// WaitHook: the one door through which isolith waits for another transaction.
//
// Every wait that depends on another transaction (a write lock, the checkpoint gate, group commit) goes
// through `wait`, and whoever ends the reason for it calls `wake_all`. The default sleeps on a futex. A
// program may set its own, to run transactions on fibres or, as the deterministic runner does, one step at a
// time.
//
// The protocol is a futex's: the waiter read `word == expected` before it called, so a wake that came first
// has changed the word and `wait` returns at once. No latch is held during the call.
//
// Threads: `wait` and `wake_all` are called from any thread, also at the same time.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace isolith {

enum class WaitKind : std::uint8_t {
  write_lock,       // to write a key, or to read it with a lock, that another transaction wrote or has locked
  range_lock,       // to read a range with a lock in which another one is about to write
  table_lock,       // for a table, or to begin to write, that another one has locked as a whole
  safe_snapshot,    // to begin, for those whose ends decide whether the snapshot is safe
  checkpoint_gate,  // a checkpoint is fixing its instant (microseconds)
  group_commit,     // another transaction is writing the log for this one too
};

std::string_view to_string(WaitKind kind) noexcept;

// What is waited for. The views live as long as the call.
struct WaitInfo {
  WaitKind kind = WaitKind::write_lock;
  std::uint64_t waiter = 0;  // number of the transaction that waits; 0: it has none yet
  std::uint64_t holder = 0;  // of the transaction that is waited for; 0: it is none
  std::string_view table;    // empty where no key is concerned
  std::string_view key;
  std::span<const std::uint64_t> holders = {};  // where there are several: all of them, in no order
};

class WaitHook {
 public:
  virtual ~WaitHook() = default;

  // Returns when `word` may no longer be `expected`, or when `timeout_ms` has passed (0: no limit). It may
  // return early without reason: the caller looks again. Returns false only when the time has passed.
  virtual bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
                    std::uint64_t timeout_ms) = 0;

  // Every waiter on `word` returns. The caller has changed the word before.
  virtual void wake_all(const std::atomic<std::uint32_t>& word) = 0;
};

// The hook that sleeps on a futex: one object for the process, never destroyed.
WaitHook& default_wait_hook() noexcept;

}  // namespace isolith
