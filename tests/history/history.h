// History: what a generated test does, as small numbers, so that it can be made smaller by leaving parts out,
// and printed in one line a step.
//
// Sessions run transactions one after another; events happen between the steps of all of them. In which order
// is drawn from `seed`.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <rapidcheck.h>

namespace isolith::history {

enum class Kind : std::uint8_t {
  get,
  get_for_update,
  put,
  insert,
  erase,
  erase_range,
  scan,
  open_cursor,
  seek,
  move,
  savepoint,
  rollback_to,
  // Events, of no transaction.
  checkpoint,
  crash,  // a copy of the disk as after a power failure is opened and looked at
  reopen,
  verify,
  churn,  // so many commits that old versions are collected
};

enum class Level : std::uint8_t { read_uncommitted, read_committed, snapshot };

inline constexpr unsigned kTables = 2;
inline constexpr unsigned kKeys = 8;  // in each table

struct Operation {
  Kind kind = Kind::get;
  unsigned table = 0;
  unsigned key = 0;
  unsigned other = 0;   // the end of a range; kKeys: none
  unsigned number = 0;  // everything else: a direction, a size, a seed, which savepoint
};

struct Plan {
  Level level = Level::read_committed;
  std::vector<Operation> operations;
  bool commits = true;
};

struct History {
  std::uint32_t seed = 0;        // of the schedule
  std::uint32_t first_rows = 0;  // a bit for each key that is there before
  std::vector<std::vector<Plan>> sessions;
  std::vector<Operation> events;
};

std::string key_of(unsigned key);
std::string table_of(unsigned table);
std::string_view to_string(Level level);
std::string to_string(const Operation& operation);
void showValue(const History& history, std::ostream& out);

rc::Gen<History> any_history();

}  // namespace isolith::history
