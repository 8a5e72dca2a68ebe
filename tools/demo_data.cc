#include "tools/demo_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "tools/escape.h"
#include "tools/text_input.h"

namespace isolith::tools {
namespace {

// Takes what stands before the next `separator` off the front of `text`; all of it if there is none.
std::string_view take_until(std::string_view& text, char separator) noexcept {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = text.find_last_not_of(' ') + 1;
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

bool parse_number(std::string_view text, std::uint64_t& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// "41" -> "000041": keys of one length lie in the order of the code points.
std::optional<std::string> code_point_key(std::string_view digits) {
  constexpr std::size_t kDigits = 6;
  const bool all_hex = std::all_of(digits.begin(), digits.end(), [](char c) { return hex_value(c) >= 0; });
  if (digits.empty() || digits.size() > kDigits || !all_hex) return std::nullopt;
  return std::string(kDigits - digits.size(), '0').append(digits);
}

Result<std::string> read_file(const std::string& path) {
  const Result<std::unique_ptr<ByteSource>> source = open_source(path);
  if (!source.ok()) return source.status();
  std::string content;
  std::string piece(std::size_t{256} << 10, '\0');
  for (;;) {
    const Result<std::size_t> count = (*source)->read(piece.data(), piece.size());
    if (!count.ok()) return count.status();
    if (*count == 0) return content;
    content.append(piece, 0, *count);
  }
}

// "0041;LATIN CAPITAL LETTER A;Lu;0;L;..."
std::optional<DemoRow> parse_character(std::string_view line) {
  const std::optional<std::string> key = code_point_key(take_until(line, ';'));
  if (!key || line.empty()) return std::nullopt;
  return DemoRow{*key, std::string(line), kStartCount};
}

// "0FB2 0F71 ; [.2C2C.0020.0002] # ...": one or more code points that are ordered as one.
std::optional<DemoRow> parse_collation(std::string_view line) {
  std::string_view codes = trimmed(take_until(line, ';'));
  std::string key;
  while (!codes.empty()) {
    const std::optional<std::string> code = code_point_key(take_until(codes, ' '));
    if (!code) return std::nullopt;
    key += (key.empty() ? "" : " ") + *code;
  }
  if (key.empty() || line.empty()) return std::nullopt;
  return DemoRow{key, std::string(trimmed(line)), kStartCount};
}

// "0041 TAB name"; the notes follow in lines of their own.
std::optional<DemoRow> parse_name(std::string_view line) {
  const std::optional<std::string> key = code_point_key(take_until(line, '\t'));
  if (!key || line.empty()) return std::nullopt;
  return DemoRow{*key, std::string(line), kStartCount};
}

using RowParser = std::optional<DemoRow> (*)(std::string_view line);

// Rows are the lines that begin with a hexadecimal digit; lines that begin with a tab go on with the row
// before.
Result<DemoTable> read_table(std::string name, const std::string& directory, std::string file,
                             RowParser parse) {
  const std::string path = directory + "/" + file;
  const Result<std::string> content = read_file(path);
  if (!content.ok()) return content.status();
  DemoTable table{std::move(name), std::move(file), {}};
  std::string_view rest = *content;
  bool in_row = false;
  for (std::uint64_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = take_until(rest, '\n');
    if (in_row && line.starts_with('\t')) {
      table.rows.back().text.append("\n").append(line.substr(1));
      continue;
    }
    in_row = !line.empty() && hex_value(line.front()) >= 0;
    if (!in_row) continue;
    std::optional<DemoRow> row = parse(line);
    if (!row) {
      return Status(StatusCode::invalid_argument,
                    fmt::format("{}:{}: this is no row of {}: {}", path, number, table.source, quote(line)));
    }
    table.rows.push_back(*std::move(row));
  }
  const auto key_less = [](const DemoRow& a, const DemoRow& b) { return a.key < b.key; };
  const auto key_equal = [](const DemoRow& a, const DemoRow& b) { return a.key == b.key; };
  std::stable_sort(table.rows.begin(), table.rows.end(), key_less);
  table.rows.erase(std::unique(table.rows.begin(), table.rows.end(), key_equal), table.rows.end());
  if (table.rows.size() < 2) {
    return Status(StatusCode::invalid_argument, fmt::format("'{}' has no rows", path));
  }
  return table;
}

// The general category is the third field of UnicodeData.txt, the second of our text.
DemoTable count_categories(const DemoTable& table) {
  std::map<std::string, std::uint64_t, std::less<>> counts;
  for (const DemoRow& row : table.rows) {
    std::string_view text = row.text;
    take_until(text, ';');
    counts[std::string(take_until(text, ';'))] += 1;
  }
  DemoTable categories{"categories", table.source, {}};
  for (const auto& [category, count] : counts) categories.rows.push_back({category, "", count});
  return categories;
}

}  // namespace

std::uint64_t DemoTable::total() const noexcept {
  return std::accumulate(rows.begin(), rows.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const DemoRow& row) { return sum + row.count; });
}

DemoRow* DemoTable::find(std::string_view key) noexcept {
  const auto found = std::lower_bound(rows.begin(), rows.end(), key,
                                      [](const DemoRow& row, std::string_view k) { return row.key < k; });
  return found != rows.end() && found->key == key ? &*found : nullptr;
}

DemoTable* DemoData::find(std::string_view name) noexcept {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [name](const DemoTable& table) { return table.name == name; });
  return found != tables.end() ? &*found : nullptr;
}

Result<DemoData> read_demo_data(const std::string& directory) {
  DemoData data;
  const auto add = [&](std::string name, std::string file, RowParser parse) -> Status {
    Result<DemoTable> table = read_table(std::move(name), directory, std::move(file), parse);
    if (!table.ok()) return table.status();
    data.tables.push_back(*std::move(table));
    return {};
  };
  if (Status status = add("characters", "UnicodeData.txt", parse_character); !status.ok()) return status;
  if (Status status = add("collation", "allkeys.txt", parse_collation); !status.ok()) return status;
  if (Status status = add("names", "NamesList.txt", parse_name); !status.ok()) return status;
  data.tables.push_back(count_categories(data.tables[DemoTableIndex::characters]));
  return data;
}

std::string encode_demo_value(std::uint64_t count, std::string_view text) {
  return std::to_string(count).append(";").append(text);
}

std::string encode_journal_key(const DemoJournalKey& key) {
  return fmt::format("w{:02}/{:08}", key.writer, key.sequence);
}

std::string encode_journal_value(const std::vector<DemoMove>& moves) {
  std::string value;
  for (const DemoMove& move : moves) {
    fmt::format_to(std::back_inserter(value), "{}\t{}\t{}\t{}\t{}\n", move.from_table, move.from_key,
                   move.to_table, move.to_key, move.amount);
  }
  return value;
}

bool decode_demo_value(std::string_view value, std::uint64_t& count, std::string_view& text) {
  const std::size_t separator = value.find(';');
  if (separator == std::string_view::npos) return false;
  text = value.substr(separator + 1);
  return parse_number(value.substr(0, separator), count);
}

bool decode_journal_key(std::string_view bytes, DemoJournalKey& key) {
  std::uint64_t writer = 0;
  if (!bytes.starts_with('w')) return false;
  bytes.remove_prefix(1);
  if (!parse_number(take_until(bytes, '/'), writer) || writer > UINT32_MAX) return false;
  key.writer = static_cast<std::uint32_t>(writer);
  return parse_number(bytes, key.sequence);
}

bool decode_journal_value(std::string_view value, std::vector<DemoMove>& moves) {
  moves.clear();
  while (!value.empty()) {
    std::string_view line = take_until(value, '\n');
    DemoMove move;
    move.from_table = take_until(line, '\t');
    move.from_key = take_until(line, '\t');
    move.to_table = take_until(line, '\t');
    move.to_key = take_until(line, '\t');
    if (!parse_number(line, move.amount)) return false;
    moves.push_back(std::move(move));
  }
  return true;
}

}  // namespace isolith::tools
