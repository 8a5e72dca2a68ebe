#include "tools/field.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/escape.h"

namespace isolith::tools {
namespace {

constexpr std::string_view kCarriageReturnHint =
    "the line ends in CR LF; make it LF (with dos2unix, say), or write a carriage return inside a row as an "
    "escape";

// How many bytes of `bytes` come before a tab that ends the field, a line feed or a backslash.
std::size_t plain_run(std::string_view bytes, bool ends_at_tab) noexcept {
  const auto stop = std::find_if(bytes.begin(), bytes.end(), [ends_at_tab](char byte) {
    return byte == '\n' || byte == '\\' || (byte == '\t' && ends_at_tab);
  });
  return static_cast<std::size_t>(stop - bytes.begin());
}

Status check_room(const TextInput& input, const FieldRule& rule, std::uint64_t size) {
  if (size <= rule.bytes_max) return {};
  return input.error(fmt::format("the {} is over the limit of {} bytes", rule.name, rule.bytes_max));
}

// What follows a backslash, which is consumed.
Result<char> read_escape(TextInput& input, EscapeStyle style) {
  const std::uint64_t line = input.line();
  int character = input.next();
  if (!input.status().ok()) return input.status();
  if (style == EscapeStyle::tsv) {
    switch (character) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case '\\':
        return '\\';
      case 'x':
        character = input.next();
        break;
      default:
        return input.error_at(line, "unknown escape after '\\': write \\t, \\n, \\r, \\\\ or \\xHH");
    }
  } else if (character == '\\') {
    return '\\';
  }
  const int high = hex_value(character);
  const int low = high < 0 ? -1 : hex_value(input.next());
  if (low >= 0) return static_cast<char>(high * 16 + low);
  if (!input.status().ok()) return input.status();
  if (style == EscapeStyle::tsv) return input.error_at(line, "\\x needs two hexadecimal digits");
  return input.error_at(line,
                        "a backslash needs two hexadecimal digits or a second backslash after it "
                        "(mdb_dump -p leaves backslashes bare: dump again without -p)");
}

Status no_hex_digit(const TextInput& input, std::uint64_t line, int character) {
  const char byte = static_cast<char>(character);
  const std::string shown = quote(std::string_view(&byte, 1));
  return input.error_at(line, fmt::format("{} is no hexadecimal digit (is this format=print?)", shown));
}

}  // namespace

Result<FieldEnd> read_text_field(TextInput& input, const FieldRule& rule, std::string& field) {
  field.clear();
  for (;;) {
    const std::string_view bytes = input.buffered();
    if (bytes.empty()) {
      if (!input.status().ok()) return input.status();
      return FieldEnd::input;
    }
    const std::size_t run = plain_run(bytes, rule.ends_at_tab);
    if (Status status = check_room(input, rule, field.size() + run); !status.ok()) return status;
    field.append(bytes.substr(0, run));
    const bool stopped = run < bytes.size();
    const char stop = stopped ? bytes[run] : '\0';
    input.consume(run);
    if (!stopped) continue;

    if (stop == '\n' && input.previous() == '\r') return input.error(kCarriageReturnHint);
    input.consume(1);
    if (stop == '\n') return FieldEnd::line;
    if (stop == '\t') return FieldEnd::tab;
    Result<char> byte = read_escape(input, rule.escapes);
    if (!byte.ok()) return byte.status();
    if (Status status = check_room(input, rule, field.size() + 1); !status.ok()) return status;
    field.push_back(*byte);
  }
}

Result<FieldEnd> read_hex_field(TextInput& input, const FieldRule& rule, std::string& field) {
  field.clear();
  for (;;) {
    const std::uint64_t line = input.line();
    const int first = input.next();
    if (first == '\n') return FieldEnd::line;
    if (first == TextInput::kEndOfInput) {
      if (!input.status().ok()) return input.status();
      return FieldEnd::input;
    }
    if (first == '\r') return input.error_at(line, kCarriageReturnHint);
    const int high = hex_value(first);
    if (high < 0) return no_hex_digit(input, line, first);
    const int second = input.next();
    const int low = hex_value(second);
    if (low < 0) {
      if (!input.status().ok()) return input.status();
      const bool at_end = second == '\n' || second == '\r' || second == TextInput::kEndOfInput;
      return at_end ? input.error_at(line,
                                     fmt::format("the {} has an odd number of hexadecimal digits", rule.name))
                    : no_hex_digit(input, line, second);
    }
    if (Status status = check_room(input, rule, field.size() + 1); !status.ok()) return status;
    field.push_back(static_cast<char>(high * 16 + low));
  }
}

}  // namespace isolith::tools
