// Integers in byte strings: little-endian fixed width, and the unsigned varint (LEB128, 1 to 10 bytes).
// `load` and `store` need no alignment. Readers of untrusted bytes use ByteReader, which never passes its
// end.
//
// Threads: pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace isolith::base {

static_assert(std::endian::native == std::endian::little,
              "isolith's formats are written as they lie in memory");

template <typename T>
T load(const void* from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void store(void* to, T value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof value);
}

inline void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

template <typename T>
void append_fixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  store(bytes, value);
  out.append(bytes, sizeof bytes);
}

// Takes values off the front of a byte string. After the first value that is not there in full every call
// fails.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

  bool varint(std::uint64_t& value) noexcept {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return fail();
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return fail();
  }

  template <typename T>
  bool fixed(T& value) noexcept {
    if (rest_.size() < sizeof(T)) return fail();
    value = load<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }

  bool bytes(std::uint64_t size, std::string_view& value) noexcept {
    if (rest_.size() < size) return fail();
    value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

 private:
  bool fail() noexcept {
    rest_ = {};
    return false;
  }

  std::string_view rest_;
};

}  // namespace isolith::base
