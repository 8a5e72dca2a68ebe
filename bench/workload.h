// Workload: what the benchmarks share: rows, clocks, a directory that goes when it is done with, figures of
// the process.
//
// Rows are made from their number by a bijection, so that a million of them need no memory: row n has the
// same key in every run, keys of different numbers differ, and numbers in order give keys in no order.
//
// Threads: pure functions; a directory belongs to whoever made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "isolith/status.h"

namespace isolith::bench {

inline constexpr std::size_t kKeyBytes = 16;
inline constexpr std::size_t kValueBytes = 100;
inline constexpr std::size_t kRowBytes = kKeyBytes + kValueBytes;

enum class KeyKind : std::uint8_t {
  binary,   // 16 bytes of every value
  hex,      // 16 hexadecimal digits
  decimal,  // 16 decimal digits, the numbers 0 to count - 1
};

// The keys of `count` rows, one behind the other. `scrambled`: in no order; else ascending.
class Keys {
 public:
  Keys(std::uint64_t count, KeyKind kind, bool scrambled);

  [[nodiscard]] std::uint64_t count() const noexcept { return bytes_.size() / kKeyBytes; }
  [[nodiscard]] std::string_view at(std::uint64_t index) const noexcept {
    return {bytes_.data() + index * kKeyBytes, kKeyBytes};
  }
  // `count` of them, from number `first` on.
  [[nodiscard]] Keys part(std::uint64_t first, std::uint64_t count) const;
  // The same keys in another order of their own.
  void shuffle(std::uint64_t seed);

 private:
  Keys() = default;
  std::vector<char> bytes_;
};

// Value of kValueBytes, incompressible, made from `seed`.
std::string make_value(std::uint64_t seed);

// Mixes a number, one to one (SplitMix64's finalizer).
std::uint64_t mix(std::uint64_t number) noexcept;

// Reads every byte: what a benchmark does with a row.
inline std::uint64_t read_bytes(std::string_view bytes) noexcept {
  std::uint64_t sum = bytes.size();
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    sum += word;
  }
  for (; i < bytes.size(); ++i) sum += static_cast<unsigned char>(bytes[i]);
  return sum;
}

// CPU time of this thread, and of the whole process with the engine's own threads, in seconds.
struct CpuSeconds {
  double thread = 0;
  double process = 0;

  static CpuSeconds now() noexcept;
  friend CpuSeconds operator-(const CpuSeconds& a, const CpuSeconds& b) noexcept {
    return {a.thread - b.thread, a.process - b.process};
  }
};

// The named line of /proc/self/status, in bytes: "VmRSS", "VmHWM". 0 where there is none.
std::uint64_t process_memory_bytes(std::string_view name);
// VmHWM begins anew from what is resident now. False where the system does not let us.
bool reset_peak_memory();

// A new directory below `parent` (empty: $TMPDIR, else /tmp), removed with everything in it at the end.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& parent = {});
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// Prints what failed and ends the program: a benchmark that failed has no figures.
void require(bool holds, std::string_view what);
void require_ok(const Status& status, std::string_view what);

// The one in the middle; of an even number the upper one. At least one value.
double median(std::vector<double> values);

}  // namespace isolith::bench
