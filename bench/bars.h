// Bars: figures that this engine has to reach, each measured against std::map in the same run, or against the
// raw bytes.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/workload.h"
#include "isolith/database.h"

namespace isolith::bench {

struct BarOptions {
  std::uint64_t rows = 1'000'000;
  int repetitions = 7;
  KeyKind keys = KeyKind::binary;
  std::string directory;  // parent of the scratch directories; empty: $TMPDIR or /tmp
  std::uint64_t cache_database_bytes = std::uint64_t{2} << 30;
};

// One line of the table.
struct Bar {
  std::string name;
  std::string detail;         // what was measured, with units
  double measured = 0;
  double limit = 0;
  bool at_least = true;       // else: at most
  [[nodiscard]] bool passed() const noexcept { return at_least ? measured >= limit : measured <= limit; }
};

// bars_speed.cc: get, scan and put against std::map.
void measure_speed(const BarOptions& options, std::vector<Bar>& bars);
// bars_size.cc: log bytes per put, data file bytes after loading in random order and in key order.
void measure_size(const BarOptions& options, std::vector<Bar>& bars);
// bars_snapshot.cc: reads at `snapshot` against the raw tree, a reader that stays, space used again.
void measure_snapshot(const BarOptions& options, std::vector<Bar>& bars);
// bars_cache.cc: memory of a process whose database is far larger than its cache.
void measure_cache(const BarOptions& options, std::vector<Bar>& bars);

// Loads all keys with values made from their index, many rows a transaction.
void load(Database& database, const Table& table, const Keys& keys);

// Opens, or ends the program.
Database open_database(const std::string& path, const Options& options);
Table open_bench_table(Database& database);

}  // namespace isolith::bench
