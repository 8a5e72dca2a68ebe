#include "tools/tsv.h"

#include "tools/escape.h"
#include "tools/output.h"

namespace isolith::tools {

Result<bool> TsvReader::next(Row& row) {
  if (input_.buffered().empty()) {
    if (!input_.status().ok()) return input_.status();
    return false;
  }
  line_ = input_.line();
  const FieldRule key_rule{"key", limits_.key_bytes, EscapeStyle::tsv, true};
  const Result<FieldEnd> key_end = read_text_field(input_, key_rule, row.key);
  if (!key_end.ok()) return key_end.status();
  if (*key_end != FieldEnd::tab) {
    const bool looks_like_dump = line_ == 1 && row.key.starts_with("VERSION=");
    return input_.error_at(line_, looks_like_dump ? "this looks like a dump: add --format=dump"
                                                  : "no tab in the line: key<TAB>value expected");
  }
  const FieldRule value_rule{"value", limits_.value_bytes, EscapeStyle::tsv, false};
  const Result<FieldEnd> value_end = read_text_field(input_, value_rule, row.value);
  if (!value_end.ok()) return value_end.status();
  return true;
}

void write_tsv_row(Output& output, std::string_view key, std::string_view value) {
  write_escaped(output, key);
  output.write("\t");
  write_escaped(output, value);
  output.write("\n");
}

}  // namespace isolith::tools
