// Fields: one key or value of a text format, decoded while it is read.
//
// What is read is never trusted for its length: a field over its limit is refused as soon as the limit is
// passed, and no more than the decoded field is in memory.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isolith/status.h"
#include "isolith/transaction.h"
#include "tools/text_input.h"

namespace isolith::tools {

// A row of any format.
struct Row {
  std::string key;
  std::string value;
};

struct FieldLimits {
  std::uint64_t key_bytes = kMaxKeyBytes;
  std::uint64_t value_bytes = kMaxValueBytes;
};

enum class FieldEnd : std::uint8_t { tab, line, input };

enum class EscapeStyle : std::uint8_t {
  tsv,   // \t \n \r \\ \xHH
  dump,  // \\ and \HH, as db_dump -p writes them
};

struct FieldRule {
  std::string_view name;  // "key" or "value", for messages
  std::uint64_t bytes_max;
  EscapeStyle escapes;
  bool ends_at_tab;  // otherwise a tab is a byte like any other
};

// Reads a field and what ends it into `field`, and returns what ended it. `invalid_argument` for an unknown
// escape, a line that ends in CR LF, or a field over its limit.
Result<FieldEnd> read_text_field(TextInput& input, const FieldRule& rule, std::string& field);

// The same for pairs of hexadecimal digits up to the end of the line (`rule.escapes` and `ends_at_tab` mean
// nothing).
Result<FieldEnd> read_hex_field(TextInput& input, const FieldRule& rule, std::string& field);

}  // namespace isolith::tools
