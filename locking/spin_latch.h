// SpinLatch: for what is held for some tens of nanoseconds. A cache line may have it and all that it
// protects.
//
// Threads: any; meets the requirements of std::lock_guard.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace isolith::locking {

class SpinLatch {
 public:
  void lock() noexcept {
    for (int spins = 0; word_.exchange(1, std::memory_order_acquire) != 0;) {
      while (word_.load(std::memory_order_relaxed) != 0) {
        if (++spins % kSpinsMax == 0) std::this_thread::yield();
      }
    }
  }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }

 private:
  static constexpr int kSpinsMax = 64;  // looks at it before the thread gives way to others

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace isolith::locking
