// Order-preserving key encodings. What the bytes are stands in the header: they are in databases and never
// change.
#include "isolith/key_encoding.h"

#include <bit>

#include "base/bytes.h"

namespace isolith {

namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr char kEscape = '\x00';
constexpr char kEscapedZero = '\xFF';  // after kEscape
constexpr char kEnd = '\x01';          // after kEscape; below kEscapedZero, so that "a" comes before "a\0"

}  // namespace

void append_key_u64(std::string& key, std::uint64_t value) {
  base::append_fixed(key, __builtin_bswap64(value));
}

void append_key_i64(std::string& key, std::int64_t value) {
  append_key_u64(key, static_cast<std::uint64_t>(value) ^ kSignBit);
}

void append_key_double(std::string& key, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  append_key_u64(key, (bits & kSignBit) != 0 ? ~bits : bits | kSignBit);
}

void append_key_string(std::string& key, std::string_view value) {
  for (;;) {
    const std::size_t zero = value.find(kEscape);
    key.append(value.substr(0, zero));
    key.push_back(kEscape);
    if (zero == std::string_view::npos) break;
    key.push_back(kEscapedZero);
    value.remove_prefix(zero + 1);
  }
  key.push_back(kEnd);
}

bool take_key_u64(std::string_view& key, std::uint64_t& value) noexcept {
  if (key.size() < sizeof value) return false;
  value = __builtin_bswap64(base::load<std::uint64_t>(key.data()));
  key.remove_prefix(sizeof value);
  return true;
}

bool take_key_i64(std::string_view& key, std::int64_t& value) noexcept {
  std::uint64_t bits = 0;
  if (!take_key_u64(key, bits)) return false;
  value = static_cast<std::int64_t>(bits ^ kSignBit);
  return true;
}

bool take_key_double(std::string_view& key, double& value) noexcept {
  std::uint64_t bits = 0;
  if (!take_key_u64(key, bits)) return false;
  value = std::bit_cast<double>((bits & kSignBit) != 0 ? bits ^ kSignBit : ~bits);
  return true;
}

bool take_key_string(std::string_view& key, std::string& value) {
  std::string decoded;
  std::string_view rest = key;
  for (;;) {
    const std::size_t zero = rest.find(kEscape);
    if (zero == std::string_view::npos || zero + 1 == rest.size()) return false;
    decoded.append(rest.substr(0, zero));
    const char after = rest[zero + 1];
    rest.remove_prefix(zero + 2);
    if (after == kEnd) break;
    if (after != kEscapedZero) return false;
    decoded.push_back('\0');
  }
  value = std::move(decoded);
  key = rest;
  return true;
}

std::optional<std::string> key_prefix_end(std::string_view prefix) {
  const std::size_t last = prefix.find_last_not_of('\xFF');
  if (last == std::string_view::npos) return std::nullopt;
  std::string end(prefix.substr(0, last + 1));
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace isolith
