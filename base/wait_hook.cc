// The default WaitHook: a private futex on the word itself (Drepper, "Futexes Are Tricky", 2011).
//
// No wake is lost: the kernel compares the word with `expected` under the lock of the futex's queue, and
// whoever wakes has changed the word before. Ordering is the word's own: the waiter loads it again with
// acquire after `wait`.
#include "isolith/wait_hook.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace isolith {

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
              "the kernel reads the atomic as an int");
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

class FutexWaitHook final : public WaitHook {
 public:
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& /*info*/,
            std::uint64_t timeout_ms) override {
    const timespec limit{static_cast<std::time_t>(timeout_ms / 1000),
                         static_cast<long>(timeout_ms % 1000) * 1'000'000};
    const long rc = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected,
                            timeout_ms == 0 ? nullptr : &limit, nullptr, 0);
    // EAGAIN (the word had changed) and EINTR are early returns, which the caller expects.
    return rc == 0 || errno != ETIMEDOUT;
  }

  void wake_all(const std::atomic<std::uint32_t>& word) override {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }
};

}  // namespace

std::string_view to_string(WaitKind kind) noexcept {
  switch (kind) {
    case WaitKind::write_lock:
      return "write_lock";
    case WaitKind::range_lock:
      return "range_lock";
    case WaitKind::table_lock:
      return "table_lock";
    case WaitKind::safe_snapshot:
      return "safe_snapshot";
    case WaitKind::checkpoint_gate:
      return "checkpoint_gate";
    case WaitKind::group_commit:
      return "group_commit";
  }
  return "unknown";
}

WaitHook& default_wait_hook() noexcept {
  static WaitHook* const hook = new FutexWaitHook;
  return *hook;
}

}  // namespace isolith
