// Operation: one call of the public interface as a few small numbers, so that a sequence of them can be
// generated, made smaller by leaving some out, and printed in one line each.
//
// Every number is good for every state: what it names (a transaction, a table, a cursor) is looked up when
// the operation is carried out, and may be over, dropped or of a database that was closed.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <rapidcheck.h>

namespace isolith::property {

enum class Kind : std::uint8_t {
  begin,
  commit,
  abort,
  destroy,
  move,
  get,
  get_part,
  get_for_update,
  put,
  insert,
  erase,
  append,
  fill,
  erase_range,
  scan,
  open_cursor,
  close_cursor,
  seek_first,
  seek_last,
  seek,
  seek_before,
  next,
  prev,
  walk,
  value,
  savepoint,
  rollback_to,
  open_table,
  create_table,
  ensure_table,
  drop_table,
  database_open_table,
  database_ensure_table,
  tables,
  run_transaction,
  commit_many,
  stats,
  table_stats,
  verify,
  checkpoint,
  sync,
  reopen,
  crash,
};

struct Operation {
  Kind kind = Kind::begin;
  unsigned slot = 0;    // of the transaction
  unsigned table = 0;   // the slot of its handle, and the number of its name
  unsigned place = 0;   // the slot of a cursor or savepoint
  unsigned key = 0;     // see key_of
  unsigned other = 0;   // a second key; kNoKey: none
  unsigned size = 0;    // of a value
  unsigned number = 0;  // everything else: what a value is made of, a seed, a choice
};

using Operations = std::vector<Operation>;

inline constexpr unsigned kSlots = 4;
inline constexpr unsigned kPlaces = 3;
inline constexpr unsigned kTableSlots = 4;  // the last one never holds a handle
inline constexpr unsigned kNamedKeys = 64;  // from here on: the keys that `fill` writes
inline constexpr unsigned kFilledKeys = 256;
inline constexpr unsigned kNoKey = kNamedKeys + kFilledKeys;

// Short keys, the empty one, bytes at both ends, long ones with one prefix, the longest, and one too long.
std::string key_of(unsigned key);

// A short name for people.
std::string describe_key(unsigned key);
std::string describe_key(const std::string& key);

// Whether a cursor or scan goes over the whole table.
bool takes_all(const Operation& operation);

// The names of tables; 4 and 5 are no names.
std::string table_name(unsigned table);

// `size` bytes that depend on `number` and are nowhere alike.
std::string value_of(unsigned size, unsigned number);

// Sequences for transactions in the first `slots` slots.
rc::Gen<Operations> any_operations(unsigned slots);

std::string to_string(const Operation& operation);
void showValue(const Operations& operations, std::ostream& out);

}  // namespace isolith::property
