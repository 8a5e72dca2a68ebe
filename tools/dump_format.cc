#include "tools/dump_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tools/escape.h"
#include "tools/output.h"

namespace isolith::tools {
namespace {

constexpr std::size_t kHeaderLineBytesMax = 64 << 10;

bool is_plain(char byte) noexcept { return byte >= 0x20 && byte < 0x7f && byte != '\\'; }

void write_print(Output& output, std::string_view bytes) {
  while (!bytes.empty() && output.ok()) {
    const auto stop = std::find_if_not(bytes.begin(), bytes.end(), is_plain);
    const auto run = static_cast<std::size_t>(stop - bytes.begin());
    output.write(bytes.substr(0, run));
    bytes.remove_prefix(run);
    if (bytes.empty()) return;
    // A backslash goes out as \5c, which old and new versions of mdb_load and db_load all read the same way.
    output.write("\\");
    output.write(hex_digits(static_cast<unsigned char>(bytes.front())));
    bytes.remove_prefix(1);
  }
}

void write_bytevalue(Output& output, std::string_view bytes) {
  constexpr std::size_t kPieceBytes = 4096;
  std::string piece;
  while (!bytes.empty() && output.ok()) {
    piece.clear();
    for (const char byte : bytes.substr(0, kPieceBytes))
      piece.append(hex_digits(static_cast<unsigned char>(byte)));
    output.write(piece);
    bytes.remove_prefix(std::min(bytes.size(), kPieceBytes));
  }
}

void write_data_line(Output& output, DumpEncoding encoding, std::string_view bytes) {
  output.write(" ");
  if (encoding == DumpEncoding::print) {
    write_print(output, bytes);
  } else {
    write_bytevalue(output, bytes);
  }
  output.write("\n");
}

class ViewSource final : public ByteSource {
 public:
  explicit ViewSource(std::string_view text) : text_(text) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t count = text_.copy(buffer, size);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

// A name as db_dump writes it, or as it stands where it cannot be that: mdb_dump does not escape names.
std::string decode_name(std::string_view text) {
  TextInput input(std::make_unique<ViewSource>(text), "");
  std::string name;
  const FieldRule rule{"name", kHeaderLineBytesMax, EscapeStyle::dump, false};
  return read_text_field(input, rule, name).ok() ? name : std::string(text);
}

}  // namespace

Result<std::string> DumpReader::read_line() {
  std::string line;
  const std::uint64_t number = input_.line();
  for (;;) {
    const int character = input_.next();
    if (character == '\n') break;
    if (character == TextInput::kEndOfInput) {
      if (!input_.status().ok()) return input_.status();
      return input_.error_at(number, "the dump ends in the middle of a line: it was cut short");
    }
    line.push_back(static_cast<char>(character));
    if (line.size() > kHeaderLineBytesMax)
      return input_.error_at(number, "this line is too long for a header");
  }
  if (line.ends_with('\r'))
    return input_.error_at(number, "the line ends in CR LF; make it LF (with dos2unix, say)");
  return line;
}

Result<bool> DumpReader::next_database(DumpHeader& header) {
  header = DumpHeader{};
  const std::string_view start = input_.buffered();
  if (start.empty()) {
    if (!input_.status().ok()) return input_.status();
    if (!any_database_) return input_.error("nothing in it: a dump begins with VERSION=3");
    return false;
  }
  const std::uint64_t first_line = input_.line();
  const bool is_version = start.front() == 'V';  // otherwise the line may be as long as the file
  const Result<std::string> version = is_version ? read_line() : Result<std::string>(std::string());
  if (!version.ok()) return version.status();
  if (!version->starts_with("VERSION=")) {
    return input_.error_at(first_line,
                           "no header: a dump begins with VERSION=3 (tab-separated rows: --format=tsv)");
  }
  if (*version != "VERSION=3") {
    return input_.error_at(first_line, fmt::format("{}: only version 3 is known", quote(*version)));
  }

  bool has_format = false;
  for (;;) {
    const std::uint64_t number = input_.line();
    const Result<std::string> line = read_line();
    if (!line.ok()) return line.status();
    if (*line == "HEADER=END") {
      if (!has_format) return input_.error_at(number, "the header has no format=print or format=bytevalue");
      break;
    }
    if (Status status = read_setting(*line, header, has_format); !status.ok()) {
      return input_.error_at(number, status.message());
    }
  }
  encoding_ = header.encoding;
  any_database_ = true;
  return true;
}

// One line of a header; errors come without the line's number.
Status DumpReader::read_setting(std::string_view line, DumpHeader& header, bool& has_format) {
  const auto refuse = [](std::string text) { return Status(StatusCode::invalid_argument, std::move(text)); };
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return refuse(
        fmt::format("{} is no header line: name=value expected, or HEADER=END is missing", quote(line)));
  }
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (name == "format") {
    if (value != "print" && value != "bytevalue") {
      return refuse(fmt::format("unknown format {}: print or bytevalue expected", quote(value)));
    }
    header.encoding = value == "print" ? DumpEncoding::print : DumpEncoding::bytevalue;
    has_format = true;
  } else if (name == "database" || name == "subdatabase") {
    header.database = decode_name(value);
  } else if (name == "type") {
    if (value != "btree" && value != "hash") {
      return refuse(
          fmt::format("type {} has no keys of its own: only btree and hash can be loaded", quote(value)));
    }
  } else if ((name == "duplicates" || name == "dupsort") && value != "0") {
    return refuse("this database has duplicate keys, and isolith keeps one value per key");
  } else if (name == "keys" && value == "0") {
    return refuse("this dump was written without keys (keys=0): dump it again with keys (db_dump -k)");
  }
  return {};
}

// Consumes the space that begins a data line and returns true, or the line DATA=END and returns false.
Result<bool> DumpReader::begin_data_line(std::string_view field_name) {
  const std::uint64_t number = input_.line();
  const std::string_view bytes = input_.buffered();
  if (bytes.empty()) {
    if (!input_.status().ok()) return input_.status();
    return input_.error_at(number, "the dump ends without DATA=END: it was cut short");
  }
  if (bytes.front() == ' ') {
    input_.consume(1);
    return true;
  }
  if (bytes.front() == 'D') {
    const Result<std::string> line = read_line();
    if (!line.ok()) return line.status();
    if (*line == "DATA=END") return false;
  }
  return input_.error_at(
      number, fmt::format("a {} or DATA=END expected: lines with data begin with one space", field_name));
}

Status DumpReader::read_field(std::string_view name, std::uint64_t bytes_max, std::string& field) {
  const std::uint64_t number = input_.line();
  const FieldRule rule{name, bytes_max, EscapeStyle::dump, false};
  const Result<FieldEnd> end = encoding_ == DumpEncoding::print ? read_text_field(input_, rule, field)
                                                                : read_hex_field(input_, rule, field);
  if (!end.ok()) return end.status();
  if (*end == FieldEnd::input)
    return input_.error_at(number, "the dump ends in the middle of a line: it was cut short");
  return {};
}

Result<bool> DumpReader::next_row(Row& row) {
  const std::uint64_t number = input_.line();
  const Result<bool> has_key = begin_data_line("key");
  if (!has_key.ok()) return has_key.status();
  if (!*has_key) return false;
  line_ = number;
  if (Status status = read_field("key", limits_.key_bytes, row.key); !status.ok()) return status;
  const Result<bool> has_value = begin_data_line("value");
  if (!has_value.ok()) return has_value.status();
  if (!*has_value) return input_.error_at(number, "the last key has no value");
  if (Status status = read_field("value", limits_.value_bytes, row.value); !status.ok()) return status;
  return true;
}

void write_dump_header(Output& output, const DumpHeader& header) {
  output.write("VERSION=3\n");
  output.write(header.encoding == DumpEncoding::print ? "format=print\n" : "format=bytevalue\n");
  if (header.database) {
    output.write("database=");
    write_print(output, *header.database);
    output.write("\n");
  }
  output.write("type=btree\n");
  if (header.mapsize) output.write(fmt::format("mapsize={}\n", *header.mapsize));
  output.write("HEADER=END\n");
}

void write_dump_row(Output& output, DumpEncoding encoding, std::string_view key, std::string_view value) {
  write_data_line(output, encoding, key);
  write_data_line(output, encoding, value);
}

void write_dump_end(Output& output) { output.write("DATA=END\n"); }

}  // namespace isolith::tools
