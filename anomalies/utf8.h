// UTF-8: characters and how many there are.
//
// Threads: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace isolith::anomalies {

struct Character {
  char32_t code = 0;
  std::size_t size = 0;  // bytes; 0: not UTF-8
};

// The one that begins at `at`, which is less than the size. Overlong forms, surrogates and what is beyond
// U+10FFFF are not UTF-8.
Character character_at(std::string_view text, std::size_t at);

// Whether the byte continues a character.
constexpr bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Of valid text.
inline std::uint32_t count_characters(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return !is_continuation(byte); }));
}

}  // namespace isolith::anomalies
