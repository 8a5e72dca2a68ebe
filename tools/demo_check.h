// What `isolith demo` demands of the database that it finds after the kill.
//
//   1. Every acknowledged commit is there: the journal of each writer has the rows 1, 2, ... without a gap,
//      up to the last announced one and at most one more (which was committed but not announced yet).
//   2. Commits are whole: the count of every row is the first count plus what the journal moved, no row is
//      missing or left over, and every text is as it was loaded.
//   3. Totals are what they were, among the loaded tables and within `categories`.
//   4. Database::verify() finds no problem.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolith/database.h"
#include "tools/demo_data.h"

namespace isolith::tools {

struct DemoFindings {
  std::uint64_t journal_rows = 0;
  std::uint64_t acknowledged_found = 0;
  std::uint64_t later_commits = 0;  // there, and not announced before the kill
  std::uint64_t rows_compared = 0;
  std::uint64_t loaded_total = 0;
  std::uint64_t categories_total = 0;
  VerifyReport verify;

  // What is wrong, by the number above; empty: all is well. The first few of each.
  std::vector<std::string> journal_problems;
  std::vector<std::string> row_problems;
  std::vector<std::string> total_problems;
};

// `data` is what was loaded; its counts are brought up to date with the journal. A status means that the
// check itself could not be done.
Result<DemoFindings> check_demo(Database& database, DemoData& data,
                                const std::vector<std::uint64_t>& last_acknowledged);

}  // namespace isolith::tools
