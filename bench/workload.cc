#include "bench/workload.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace isolith::bench {
namespace {

double seconds_of(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void put_big_endian(char* to, std::uint64_t number) noexcept {
  const std::uint64_t swapped = __builtin_bswap64(number);
  std::memcpy(to, &swapped, sizeof swapped);
}

void put_digits(char* to, std::uint64_t number, unsigned base) noexcept {
  for (std::size_t i = kKeyBytes; i-- > 0; number /= base) to[i] = "0123456789abcdef"[number % base];
}

}  // namespace

std::uint64_t mix(std::uint64_t number) noexcept {
  number += 0x9e3779b97f4a7c15ULL;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ULL;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebULL;
  return number ^ (number >> 31);
}

Keys::Keys(std::uint64_t count, KeyKind kind, bool scrambled) : bytes_(count * kKeyBytes) {
  for (std::uint64_t n = 0; n < count; ++n) {
    char* const key = bytes_.data() + n * kKeyBytes;
    switch (kind) {
      case KeyKind::binary:
        put_big_endian(key, mix(n));
        put_big_endian(key + 8, mix(~n));
        break;
      case KeyKind::hex:
        put_digits(key, mix(n), 16);
        break;
      case KeyKind::decimal:
        put_digits(key, n, 10);
        break;
    }
  }
  if (scrambled) {
    shuffle(1);
    return;
  }
  std::vector<std::string_view> order;
  for (std::uint64_t n = 0; n < count; ++n) order.push_back(at(n));
  std::sort(order.begin(), order.end());
  std::vector<char> sorted;
  sorted.reserve(bytes_.size());
  for (const std::string_view key : order) sorted.insert(sorted.end(), key.begin(), key.end());
  bytes_.swap(sorted);
}

Keys Keys::part(std::uint64_t first, std::uint64_t count) const {
  Keys keys;
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(first * kKeyBytes);
  keys.bytes_.assign(begin, begin + static_cast<std::ptrdiff_t>(count * kKeyBytes));
  return keys;
}

void Keys::shuffle(std::uint64_t seed) {
  for (std::uint64_t n = count(); n > 1; --n) {
    char* const last = bytes_.data() + (n - 1) * kKeyBytes;
    char* const other = bytes_.data() + mix(seed * 0x100000001b3ULL + n) % n * kKeyBytes;
    if (last != other) std::swap_ranges(last, last + kKeyBytes, other);
  }
}

std::string make_value(std::uint64_t seed) {
  std::string value(kValueBytes, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(mix(seed * kValueBytes + i));
  return value;
}

CpuSeconds CpuSeconds::now() noexcept {
  return {seconds_of(CLOCK_THREAD_CPUTIME_ID), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

std::uint64_t process_memory_bytes(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

bool reset_peak_memory() {
  std::ofstream clear("/proc/self/clear_refs");
  clear << '5' << std::flush;
  return clear.good();
}

ScratchDirectory::ScratchDirectory(const std::string& parent) {
  const char* const from_environment = std::getenv("TMPDIR");
  const std::string base = !parent.empty() ? parent : from_environment != nullptr ? from_environment : "/tmp";
  path_ = base + "/isolith-bench-XXXXXX";
  require(mkdtemp(path_.data()) != nullptr, "making a directory below " + base);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(2);
}

void require_ok(const Status& status, std::string_view what) {
  if (!status.ok()) require(false, std::string(what) + ": " + status.to_string());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace isolith::bench
