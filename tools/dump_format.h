// The text format of Berkeley DB's db_dump and db_load and of LMDB's mdb_dump and mdb_load.
//
//   VERSION=3         the first line of each database; one database may follow another in a file
//   format=print      or bytevalue
//   database=NAME     where it has a name; written as format=print writes a key
//   type=btree        or hash; other kinds have no keys of their own and are refused
//   mapsize=1048576   settings of the engine that wrote it, in any number: passed over
//   HEADER=END
//    key              a space and the bytes. format=print: printing ASCII as it is, a backslash as \\ or \5c,
//    value            the rest as \HH; format=bytevalue: every byte as HH
//   DATA=END
//
// Refused, since isolith would lose rows: databases with duplicate keys (duplicates=1, dupsort=1) and without
// keys (type=recno, type=queue, keys=0).
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "isolith/status.h"
#include "tools/field.h"
#include "tools/text_input.h"

namespace isolith::tools {

class Output;

enum class DumpEncoding : std::uint8_t { print, bytevalue };

struct DumpHeader {
  DumpEncoding encoding = DumpEncoding::bytevalue;
  std::optional<std::string> database;
  std::optional<std::uint64_t> mapsize;  // only written: mdb_load needs it over 1 MiB, db_load refuses it
};

// Reads the databases of a dump one after another:
//   while (next_database(header)) while (next_row(row)) ...
// Errors are `invalid_argument` "name:line: what", or those of the input; after one the reader is of no
// further use.
class DumpReader {
 public:
  explicit DumpReader(TextInput& input, const FieldLimits& limits = {}) : input_(input), limits_(limits) {}

  // Reads a header; false at the end of the input. An input without any database is an error. Only at the
  // start and after next_row() returned false.
  Result<bool> next_database(DumpHeader& header);

  // Reads a row of this database into `row`, whose memory is used again; false after its last one.
  Result<bool> next_row(Row& row);

  // The line of the key of the row that was read last.
  [[nodiscard]] std::uint64_t line() const noexcept { return line_; }

 private:
  Result<std::string> read_line();
  Status read_setting(std::string_view line, DumpHeader& header, bool& has_format);
  Result<bool> begin_data_line(std::string_view field_name);
  Status read_field(std::string_view name, std::uint64_t bytes_max, std::string& field);

  TextInput& input_;
  FieldLimits limits_;
  DumpEncoding encoding_ = DumpEncoding::bytevalue;
  bool any_database_ = false;
  std::uint64_t line_ = 0;
};

void write_dump_header(Output& output, const DumpHeader& header);
void write_dump_row(Output& output, DumpEncoding encoding, std::string_view key, std::string_view value);
void write_dump_end(Output& output);

}  // namespace isolith::tools
