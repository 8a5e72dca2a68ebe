// Tab-separated rows: a line of text per row, key<TAB>value, with the escapes of tools/escape.h, so that any
// bytes travel.
//
// The first tab ends the key; further tabs belong to the value. The last line may lack its line feed. There
// is no header and there are no comments.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "isolith/status.h"
#include "tools/field.h"
#include "tools/text_input.h"

namespace isolith::tools {

class Output;

class TsvReader {
 public:
  explicit TsvReader(TextInput& input, const FieldLimits& limits = {}) : input_(input), limits_(limits) {}

  // Reads a row into `row`, whose memory is used again; false at the end. `invalid_argument` "name:line:
  // what" for a line that is no row, or the error of the input. After an error the reader is of no further
  // use.
  Result<bool> next(Row& row);

  // The line of the row that was read last.
  [[nodiscard]] std::uint64_t line() const noexcept { return line_; }

 private:
  TextInput& input_;
  FieldLimits limits_;
  std::uint64_t line_ = 0;
};

void write_tsv_row(Output& output, std::string_view key, std::string_view value);

}  // namespace isolith::tools
