// What the parts of Node share: the sizes of its pieces, keys behind the prefix, and loads for optimistic
// readers.
//
// A key behind the prefix is a Suffix: the head (its first four bytes, big-endian, padded with zeros) and the
// rest. Heads order keys unless they are equal; then the rests do, and then the sizes, for "a" and "a\0" have
// the same head and no rest.
//
// Threads: pure functions. Bytes that are read may be changing; the caller validates.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace isolith::btree {

// Whatever the keys are, a page with the longest fences and one longest row has room for it, so that
// splitting always helps.
inline constexpr std::size_t kKeyBytesMax = 2048;

inline constexpr std::size_t kNodeHeaderBytes = 112;
inline constexpr std::size_t kSlotBytes = 8;
inline constexpr std::size_t kHeadBytes = 4;
inline constexpr std::size_t kLeafRecordBytes = 10;  // writer and value size
inline constexpr std::size_t kInnerRecordBytes = 4;  // child

// Bytes of a key of `suffix_size` bytes behind the prefix that are kept in the record.
constexpr std::size_t rest_bytes(std::size_t suffix_size) noexcept {
  return suffix_size > kHeadBytes ? suffix_size - kHeadBytes : 0;
}

// Loads once: without it the compiler may load again after a bounds check, when a writer has put something
// else there.
template <typename T>
T load_once(const T& from) noexcept {
  T value;
  __atomic_load(&from, &value, __ATOMIC_RELAXED);
  return value;
}

// The same for a number in a record, which need not be aligned.
template <typename T>
T load_once_unaligned(const char* from) noexcept {
  T value = base::load<T>(from);
  asm volatile("" : "+r"(value));
  return value;
}

constexpr std::uint32_t swap_bytes(std::uint32_t value) noexcept { return __builtin_bswap32(value); }

// memcpy for some tens of bytes, without a call: blocks of 16, of which the last overlaps the one before.
inline void copy_short(char* to, const char* from, std::size_t size) noexcept {
  constexpr std::size_t kBlock = 16;
  if (size < kBlock || size > 16 * kBlock) {
    std::memcpy(to, from, size);
    return;
  }
  for (std::size_t at = 0; at < size - kBlock; at += kBlock) {
    std::memcpy(to + at, from + at, kBlock);
    asm volatile("" ::: "memory");  // keeps the loop from becoming the call again
  }
  std::memcpy(to + size - kBlock, from + size - kBlock, kBlock);
}

struct Suffix {
  std::uint32_t head = 0;
  std::size_t size = 0;
  const char* rest = nullptr;  // rest_bytes(size) bytes
};

inline Suffix make_suffix(std::string_view key) noexcept {
  if (key.size() >= kHeadBytes) [[likely]]
    return {swap_bytes(base::load<std::uint32_t>(key.data())), key.size(), key.data() + kHeadBytes};
  std::uint32_t head = 0;
  if (!key.empty()) std::memcpy(&head, key.data(), key.size());
  return {swap_bytes(head), key.size(), key.data()};
}

// < 0, 0, > 0; the heads are equal.
inline int compare_behind_head(const Suffix& a, const Suffix& b) noexcept {
  const std::size_t shared = rest_bytes(std::min(a.size, b.size));
  if (shared != 0)
    if (const int order = std::memcmp(a.rest, b.rest, shared); order != 0) return order;
  return a.size < b.size ? -1 : a.size > b.size ? 1 : 0;
}

inline int compare(const Suffix& a, const Suffix& b) noexcept {
  if (a.head != b.head) return a.head < b.head ? -1 : 1;
  return compare_behind_head(a, b);
}

inline std::size_t shared_bytes(std::string_view a, std::string_view b) noexcept {
  const std::size_t size = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin()).first - a.begin());
}

inline std::size_t shared_bytes(const Suffix& a, const Suffix& b) noexcept {
  const std::size_t size = std::min(a.size, b.size);
  if (a.head != b.head)
    return std::min(size, static_cast<std::size_t>(std::countl_zero(a.head ^ b.head)) / 8);
  if (size <= kHeadBytes) return size;
  return kHeadBytes + shared_bytes(std::string_view{a.rest, size - kHeadBytes},
                                   std::string_view{b.rest, size - kHeadBytes});
}

// Writes the first `size` bytes of the key; size <= suffix.size.
inline void copy_suffix(const Suffix& suffix, std::size_t size, char* to) noexcept {
  const std::uint32_t head = swap_bytes(suffix.head);
  if (size >= kHeadBytes) [[likely]] {
    base::store(to, head);
    std::memcpy(to + kHeadBytes, suffix.rest, size - kHeadBytes);
  } else {
    std::memcpy(to, &head, size);
  }
}

}  // namespace isolith::btree
