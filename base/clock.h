// Clock: nanoseconds that never go back, as an object so that a test can set the time.
//
// Threads: every member may be called from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace isolith::base {

class Clock {
 public:
  virtual ~Clock() = default;

  // Nanoseconds since some moment that is the same for the whole life of the clock.
  [[nodiscard]] virtual std::uint64_t now_ns() const noexcept = 0;
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const noexcept override {
    const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(since_start).count());
  }
};

// Stands still until it is told to go on.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const noexcept override {
    return now_ns_.load(std::memory_order_acquire);
  }
  void advance_ns(std::uint64_t by_ns) noexcept { now_ns_.fetch_add(by_ns, std::memory_order_acq_rel); }

 private:
  std::atomic<std::uint64_t> now_ns_ = 0;
};

// Milliseconds since some moment, as exact as the system's tick (1 to 10 ms): reading it costs a few
// nanoseconds.
inline std::uint64_t coarse_clock_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

// The process's clock, for those who need no other.
inline const Clock& steady_clock() noexcept {
  static const SteadyClock clock;
  return clock;
}

}  // namespace isolith::base
