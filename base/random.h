// Random: a small fast generator for tests, back-off jitter and the simulated disk. Not for secrets.
//
// xoshiro256** 1.0 by Blackman and Vigna ("Scrambled Linear Pseudorandom Number Generators", TOMS 2021), its
// state filled from a seed by splitmix64 (Steele, Lea, Flood, OOPSLA 2014), as its authors advise. The same
// seed gives the same numbers on every machine and in every version: recorded seeds must replay.
//
// Threads: one thread at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace isolith::base {

// The next number of the sequence whose state is `state`; also a good mixer of a number into a seed.
constexpr std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

// Satisfies std::uniform_random_bit_generator.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit constexpr Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = splitmix64(seed);
  }

  static constexpr std::uint64_t min() noexcept { return 0; }
  static constexpr std::uint64_t max() noexcept { return std::numeric_limits<std::uint64_t>::max(); }

  constexpr std::uint64_t operator()() noexcept { return next(); }

  constexpr std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); `bound` is at least 1. By multiplication (Lemire, TOMACS 2019) without its last
  // correction: the bias is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  // True with probability `part` / `whole`.
  constexpr bool chance(std::uint64_t part, std::uint64_t whole) noexcept { return below(whole) < part; }

  // Uniform in [0, 1).
  constexpr double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_[4] = {};
};

}  // namespace isolith::base
