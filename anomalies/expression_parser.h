// Reading expressions, and keys and ranges of tables, from a line of a scenario.
//
// Invariants:
//   1. An expression has at most kMaxTerms nodes, and parentheses, `not` and `-` at most kMaxDepth deep: no
//      text, however long, makes the stack of who reads, evaluates or destroys it overflow.
//   2. `and`, `or`, `not`, and every condition, have operands that may be truths.
//
// Threads: from one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "anomalies/expression.h"
#include "anomalies/scenario.h"
#include "anomalies/scenario_lexer.h"

namespace isolith::anomalies {

inline constexpr std::uint32_t kNoSession = UINT32_MAX;

// What names mean where an expression stands.
struct Names {
  const Scenario& scenario;            // its tables and sessions so far
  std::uint32_t session = kNoSession;  // whose step it is in; none: a condition over the end of a run
  bool row = false;                    // `key` and `value` are of a row
};

class ExpressionParser {
 public:
  static constexpr std::uint32_t kMaxTerms = 500;
  static constexpr std::uint32_t kMaxDepth = 64;

  ExpressionParser(LineReader& line, const Names& names) : line_(line), names_(names) {}

  bool read(Expression& expression) { return read_level(kLowest, expression); }
  bool read_condition(Expression& expression);

 private:
  static constexpr int kLowest = 1;

  bool read_level(int level, Expression& expression);
  bool read_not(Expression& expression);
  bool read_negative(Expression& expression);
  bool read_primary(Expression& expression);
  bool read_parentheses(Expression& expression);
  bool read_word(Expression& expression);
  bool read_row_word(Expression& expression);
  bool read_state(Operator op, Expression& expression);
  bool read_where(Operator op, bool opened, Expression& expression);
  bool read_own_variable(std::string_view name, Expression& expression);
  bool read_variable_of(std::string_view session, Expression& expression);
  bool unknown_name(std::string_view name, Place place);
  bool check_habits();
  bool check_truth(const Expression& expression);
  bool new_term(Expression& expression, Operator op, Place place);
  bool deeper(Place place);
  [[nodiscard]] bool never_a_truth(const Expression& expression) const;

  LineReader& line_;
  Names names_;
  std::uint32_t terms_ = 0;
  std::uint32_t depth_ = 0;
  std::size_t opened_at_ = SIZE_MAX;  // what stands first in the parentheses that were opened last
  bool in_where_ = false;             // of a read of the state
};

enum class TargetKind : std::uint8_t {
  key,    // TABLE/KEY
  range,  // TABLE, TABLE/A..B, TABLE/A*; TABLE/KEY is the range of one key
  rows,   // as `range`, and TABLE/KEY is a key
};

// `reader` is the word that it stands behind, for messages.
bool read_target(LineReader& line, const Scenario& scenario, std::string_view reader, TargetKind kind,
                 Target& target);

}  // namespace isolith::anomalies
