// Escapes: how any bytes travel through a line of text, a command line and a message.
//
//   \t  \n  \r  \\   tab, line feed, carriage return, backslash
//   \xHH             the byte with two hexadecimal digits, upper or lower case
//
// Written escaped are those four, the other control characters, and every byte that is not part of
// well-formed UTF-8; all other text stays as it is, so that names in any script can be read. Every byte may
// be given escaped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::tools {

class Output;

// 0 to 15, or -1 for a character that is no hexadecimal digit.
int hex_value(int character) noexcept;

// "\x0a" style, two digits in lower case without the prefix.
std::string_view hex_digits(unsigned char byte) noexcept;

// How many bytes at the start of `bytes` may be written as they are.
std::size_t plain_prefix(std::string_view bytes) noexcept;

// Writes `bytes` escaped, in pieces.
void write_escaped(Output& output, std::string_view bytes);

// The same, in memory.
std::string escape(std::string_view bytes);

// For people: control characters and what is not well-formed UTF-8 escaped; backslashes and text stay.
std::string printable(std::string_view text);

// For messages: escaped, between single quotes, and cut with "..." after 60 characters.
std::string quote(std::string_view bytes);

// `invalid_argument` names the position of what is no escape.
Result<std::string> unescape(std::string_view text);

}  // namespace isolith::tools
