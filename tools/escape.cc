#include "tools/escape.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "tools/output.h"

namespace isolith::tools {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr std::array<char, 512> make_hex_pairs() {
  std::array<char, 512> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = kHexDigits[byte >> 4];
    pairs[2 * byte + 1] = kHexDigits[byte & 15];
  }
  return pairs;
}

constexpr std::array<char, 512> kHexPairs = make_hex_pairs();

bool is_continuation(std::string_view bytes, std::size_t index) noexcept {
  return index < bytes.size() && (static_cast<unsigned char>(bytes[index]) & 0xc0U) == 0x80U;
}

// The length of the printable character that `bytes` begins with, 0 if there is none: well-formed UTF-8 as in
// table 3-7 of the Unicode standard, without control characters.
std::size_t plain_character(std::string_view bytes) noexcept {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x80) return first >= 0x20 && first != 0x7f && first != '\\' ? 1 : 0;
  const unsigned char second = bytes.size() > 1 ? static_cast<unsigned char>(bytes[1]) : 0;
  if (first >= 0xc2 && first <= 0xdf) {
    const bool is_control = first == 0xc2 && second < 0xa0;
    return is_continuation(bytes, 1) && !is_control ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_overlong = first == 0xe0 && second < 0xa0;
    const bool is_surrogate = first == 0xed && second >= 0xa0;
    return is_continuation(bytes, 1) && is_continuation(bytes, 2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_overlong = first == 0xf0 && second < 0x90;
    const bool is_beyond = first == 0xf4 && second >= 0x90;
    const bool continues =
        is_continuation(bytes, 1) && is_continuation(bytes, 2) && is_continuation(bytes, 3);
    return continues && !is_overlong && !is_beyond ? 4 : 0;
  }
  return 0;
}

void append_escape(std::string& text, char byte) {
  switch (byte) {
    case '\t':
      text += "\\t";
      return;
    case '\n':
      text += "\\n";
      return;
    case '\r':
      text += "\\r";
      return;
    case '\\':
      text += "\\\\";
      return;
    default:
      text.append("\\x").append(hex_digits(static_cast<unsigned char>(byte)));
  }
}

}  // namespace

int hex_value(int character) noexcept {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

std::string_view hex_digits(unsigned char byte) noexcept {
  return {kHexPairs.data() + 2 * std::size_t{byte}, 2};
}

std::size_t plain_prefix(std::string_view bytes) noexcept {
  std::size_t length = 0;
  while (length < bytes.size()) {
    const std::size_t step = plain_character(bytes.substr(length));
    if (step == 0) break;
    length += step;
  }
  return length;
}

void write_escaped(Output& output, std::string_view bytes) {
  std::string escaped;
  while (!bytes.empty() && output.ok()) {
    const std::size_t plain = plain_prefix(bytes);
    output.write(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (bytes.empty()) return;
    escaped.clear();
    append_escape(escaped, bytes.front());
    output.write(escaped);
    bytes.remove_prefix(1);
  }
}

std::string escape(std::string_view bytes) {
  Output output = Output::in_memory();
  write_escaped(output, bytes);
  return output.memory();
}

std::string printable(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t plain = text.front() == '\\' ? 1 : plain_prefix(text);
    line.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty() || text.front() == '\\') continue;
    line.append(escape(text.substr(0, 1)));
    text.remove_prefix(1);
  }
  return line;
}

std::string quote(std::string_view bytes) {
  constexpr std::size_t kShownBytes = 60;
  if (bytes.size() <= kShownBytes) return fmt::format("'{}'", escape(bytes));
  std::size_t shown = kShownBytes;
  while (shown > kShownBytes - 4 && is_continuation(bytes, shown)) --shown;
  return fmt::format("'{}...'", escape(bytes.substr(0, shown)));
}

Result<std::string> unescape(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '\\') {
      bytes.push_back(text[index]);
      continue;
    }
    const std::string_view rest = text.substr(index + 1);
    const char kind = rest.empty() ? '\0' : rest[0];
    if (kind == 't' || kind == 'n' || kind == 'r' || kind == '\\') {
      bytes.push_back(kind == 't' ? '\t' : kind == 'n' ? '\n' : kind == 'r' ? '\r' : '\\');
      index += 1;
    } else if (kind == 'x' && rest.size() >= 3 && hex_value(rest[1]) >= 0 && hex_value(rest[2]) >= 0) {
      bytes.push_back(static_cast<char>(hex_value(rest[1]) * 16 + hex_value(rest[2])));
      index += 3;
    } else {
      return Status(StatusCode::invalid_argument,
                    fmt::format("{} has no valid escape at character {}: write \\t, \\n, \\r, \\\\ or \\xHH",
                                quote(text), index + 1));
    }
  }
  return bytes;
}

}  // namespace isolith::tools
