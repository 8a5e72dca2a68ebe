// CrashDraw: the chances of one simulated crash, all drawn from its seed.
//
// A crash has a style of its own, since a state in which one write of fifty is missing finds other bugs than
// one in which every sector is a coin toss: how likely a change is kept (never and always included), the
// sector's size, and whether a write is kept or lost as a whole or sector by sector.
//
// Threads: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace isolith::base {

class CrashDraw {
 public:
  explicit CrashDraw(std::uint64_t seed) noexcept : random_(seed) {
    constexpr std::uint64_t kChances[] = {0, 1, 4, 4, 7, 7, kAlways};
    keep_chance_ = kChances[random_.below(std::size(kChances))];
    sector_bytes_ = random_.chance(3, 4) ? 512 : 4096;
    whole_writes_ = random_.chance(1, 3);
  }

  [[nodiscard]] std::size_t sector_bytes() const noexcept { return sector_bytes_; }
  [[nodiscard]] bool whole_writes() const noexcept { return whole_writes_; }

  // Whether one change that was not synced survives.
  bool keep() noexcept { return random_.below(kAlways) < keep_chance_; }

  // How many of `count` changes survive that can only survive in order.
  std::size_t keep_first(std::size_t count) noexcept {
    if (keep_chance_ == 0) return 0;
    if (keep_chance_ == kAlways) return count;
    return static_cast<std::size_t>(random_.below(count + 1));
  }

 private:
  static constexpr std::uint64_t kAlways = 8;

  Random random_;
  std::uint64_t keep_chance_ = 0;  // in eighths
  std::size_t sector_bytes_ = 512;
  bool whole_writes_ = false;
};

}  // namespace isolith::base
