// Expression: what a scenario computes, over values that sessions read or over a state of the tables.
//
// A value is a whole number of 64 bits, a text, a truth, `absent` (a read found no row), or unread (the step
// did not run, or its transaction did not commit). Rules:
//   1. Stored values, keys and literals are texts; one that is a whole number as `to_text` writes it is read
//      as a number.
//   2. `=` and `!=` compare anything: values of different kinds differ. `<` and so on order two numbers or
//      two texts (bytewise). What is unread makes every comparison false, `!=` too, and every sum and every
//      `not` unread.
//   3. Arithmetic needs numbers. What is not defined (a text plus 1, a division by 0, more than 64 bits) is
//      an error with its place, never a value.
//   4. `and`, `or` do not evaluate their right side when the left one decides; both need truths. There, and
//      in `is_true`, what is unread counts as false.
//
// Threads: values; evaluation is const.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "isolith/status.h"

namespace isolith::anomalies {

// In a scenario file, both from 1. A column counts characters, not bytes.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

std::string to_text(Place place);  // "12:3"

struct Unread {
  friend bool operator==(Unread, Unread) = default;
};
struct Absent {
  friend bool operator==(Absent, Absent) = default;
};
using Value = std::variant<Unread, Absent, bool, std::int64_t, std::string>;

// A stored value, a key or a literal, by rule 1.
Value from_text(std::string_view text);
// As it is stored, and as people read it: "7", "text", "true", "absent", "unread".
std::string to_text(const Value& value);

// One key of a table, or the range [lo, hi) of its keys, bytewise. `hi` is any bytes: it need not be UTF-8,
// and ends in a byte 0 where the range is one key.
struct Target {
  std::uint32_t table = 0;
  bool is_range = false;
  std::string lo;  // the key, where it is no range
  std::optional<std::string> hi;

  [[nodiscard]] bool contains(std::string_view key) const {
    return is_range ? key >= lo && (!hi || key < *hi) : key == lo;
  }
};

enum class Operator : std::uint8_t {
  literal,
  variable,       // `variable` of `session`
  row_key,        // of the row that `where` looks at
  row_value,
  negate, logical_not,                             // one operand
  add, subtract, multiply, divide, remainder,      // two; remainder has the sign of the left one
  equal, not_equal, less, less_equal, greater, greater_equal,
  logical_and, logical_or,
  get, scan, count, sum, exists,  // of a state: `target`, and where the one operand is true, if there is one
};

// As it is written: "+", "and", "count".
std::string_view symbol_of(Operator op) noexcept;

// Whether it is one of `get` to `exists`: a question to the tables.
constexpr bool reads_state(Operator op) noexcept { return op >= Operator::get; }

struct Expression {
  Operator op = Operator::literal;
  Place place;
  Value literal;
  std::uint32_t session = 0;
  std::uint32_t variable = 0;
  Target target;
  std::vector<Expression> operands;
};

struct Row {
  std::string key;
  std::string value;
};

// What an expression is evaluated over.
class Scope {
 public:
  virtual ~Scope() = default;
  // `Unread` where it has none.
  [[nodiscard]] virtual const Value& variable(std::uint32_t session, std::uint32_t variable) const = 0;
  // The rows of a table, by key; null where the scope has no state.
  [[nodiscard]] virtual const std::vector<Row>* rows(std::uint32_t table) const = 0;
};

// `invalid_argument`: "LINE:COLUMN: what can not be computed". `row`: for `key` and `value`; null outside of
// `where` and `update`.
Result<Value> evaluate(const Expression& expression, const Scope& scope, const Row* row = nullptr);

// As `evaluate`; what is unread is false, anything else but a truth an error.
Result<bool> is_true(const Expression& expression, const Scope& scope, const Row* row = nullptr);

// "a=1, b=2": what `scan` gives.
std::string to_text(const std::vector<Row>& rows);

}  // namespace isolith::anomalies
