// The data of `isolith demo`: rows of the Unicode Character Database, each with a count that transactions
// move about.
//
//   table       key                         text                                     from
//   characters  code point, six digits      the other fields, with semicolons        UnicodeData.txt
//   collation   code points, with spaces    collation weights and name               allkeys.txt
//   names       code point, six digits      name, aliases, notes, a line each        NamesList.txt
//   categories  general category ("Lu")     nothing                                  UnicodeData.txt
//
// A stored value is the count in decimal, a semicolon, and the text. A count begins at kStartCount, in
// `categories` at the number of characters of the category.
//
// Every transaction also inserts a row into `journal`, which tells what it moved: key "w03/00000012" for the
// twelfth transaction of writer 3, value a line "table TAB key TAB table TAB key TAB amount" per move. So the
// count of every row can be worked out from the data and the journal alone.
//
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolith/status.h"

namespace isolith::tools {

inline constexpr std::uint64_t kStartCount = 100;
inline constexpr std::string_view kJournalTable = "journal";

// The tables by their place in DemoData::tables. Counts move among the first three, and within the last one.
enum DemoTableIndex : std::size_t { characters = 0, collation = 1, names = 2, categories = 3 };
inline constexpr std::size_t kDemoTables = 4;
inline constexpr std::size_t kLoadedTables = 3;

struct DemoRow {
  std::string key;
  std::string text;
  std::uint64_t count = 0;
};

struct DemoTable {
  std::string name;
  std::string source;         // the name of the file
  std::vector<DemoRow> rows;  // in the order of their keys, each key once

  [[nodiscard]] std::uint64_t total() const noexcept;
  [[nodiscard]] DemoRow* find(std::string_view key) noexcept;  // null if there is none
};

struct DemoData {
  std::vector<DemoTable> tables;  // kDemoTables

  [[nodiscard]] DemoTable* find(std::string_view name) noexcept;  // null if there is none
};

struct DemoMove {
  std::string from_table;
  std::string from_key;
  std::string to_table;
  std::string to_key;
  std::uint64_t amount = 0;
};

struct DemoJournalKey {
  std::uint32_t writer = 0;
  std::uint64_t sequence = 0;  // from 1
};

// Reads the files in `directory`. `not_found` for a missing file, `invalid_argument` for one that is
// something else.
Result<DemoData> read_demo_data(const std::string& directory);

std::string encode_demo_value(std::uint64_t count, std::string_view text);
std::string encode_journal_key(const DemoJournalKey& key);
std::string encode_journal_value(const std::vector<DemoMove>& moves);

// False for bytes that the encoders never make. `text` is a view into `value`.
[[nodiscard]] bool decode_demo_value(std::string_view value, std::uint64_t& count, std::string_view& text);
[[nodiscard]] bool decode_journal_key(std::string_view bytes, DemoJournalKey& key);
[[nodiscard]] bool decode_journal_value(std::string_view value, std::vector<DemoMove>& moves);

}  // namespace isolith::tools
