// Evaluating expressions, and values as texts.
#include "anomalies/expression.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace isolith::anomalies {

std::string_view symbol_of(Operator op) noexcept {
  switch (op) {
    case Operator::negate:
    case Operator::subtract:
      return "-";
    case Operator::logical_not:
      return "not";
    case Operator::add:
      return "+";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::remainder:
      return "%";
    case Operator::equal:
      return "=";
    case Operator::not_equal:
      return "!=";
    case Operator::less:
      return "<";
    case Operator::less_equal:
      return "<=";
    case Operator::greater:
      return ">";
    case Operator::greater_equal:
      return ">=";
    case Operator::logical_and:
      return "and";
    case Operator::logical_or:
      return "or";
    case Operator::get:
      return "get";
    case Operator::scan:
      return "scan";
    case Operator::count:
      return "count";
    case Operator::sum:
      return "sum";
    case Operator::exists:
      return "exists";
    default:
      return "value";
  }
}

namespace {

const char* kind_of(const Value& value) {
  switch (value.index()) {
    case 0:
      return "something that was not read";
    case 1:
      return "absent";
    case 2:
      return "a truth";
    case 3:
      return "a number";
    default:
      return "a text";
  }
}

bool is_unread(const Value& value) { return std::holds_alternative<Unread>(value); }

Status error_at(Place place, const std::string& what) {
  return {StatusCode::invalid_argument, to_text(place) + ": " + what};
}

Status needs(const Expression& expression, const char* what, const Value& found) {
  return error_at(expression.place, "`" + std::string(symbol_of(expression.op)) + "` needs " + what +
                                        ", and `" + to_text(found) + "` is " + kind_of(found));
}

// False: more than 64 bits, or a division by 0.
bool compute(Operator op, std::int64_t left, std::int64_t right, std::int64_t& result) {
  switch (op) {
    case Operator::add:
      return !__builtin_add_overflow(left, right, &result);
    case Operator::subtract:
      return !__builtin_sub_overflow(left, right, &result);
    case Operator::multiply:
      return !__builtin_mul_overflow(left, right, &result);
    default:
      break;
  }
  if (right == 0) return false;
  if (right == -1) {  // the smallest number has no counterpart, and its remainder is undefined in C++
    result = 0;
    return op == Operator::remainder || !__builtin_sub_overflow(std::int64_t{0}, left, &result);
  }
  result = op == Operator::divide ? left / right : left % right;
  return true;
}

Status arithmetic(const Expression& expression, const Value& left, const Value& right, Value& result) {
  result = Unread{};
  if (is_unread(left) || is_unread(right)) return {};
  const auto* a = std::get_if<std::int64_t>(&left);
  const auto* b = std::get_if<std::int64_t>(&right);
  if (a == nullptr) return needs(expression, "numbers", left);
  if (b == nullptr) return needs(expression, "numbers", right);
  std::int64_t number = 0;
  if (compute(expression.op, *a, *b, number)) {
    result = number;
    return {};
  }
  const std::string term =
      std::to_string(*a) + " " + std::string(symbol_of(expression.op)) + " " + std::to_string(*b);
  const bool by_zero = *b == 0 && (expression.op == Operator::divide || expression.op == Operator::remainder);
  return error_at(expression.place, term + (by_zero ? " is a division by 0" : " is more than 64 bits hold"));
}

template <typename T>
bool in_order(Operator op, const T& left, const T& right) {
  switch (op) {
    case Operator::less:
      return left < right;
    case Operator::less_equal:
      return left <= right;
    case Operator::greater:
      return left > right;
    default:
      return left >= right;
  }
}

Status comparison(const Expression& expression, const Value& left, const Value& right, bool& result) {
  result = false;
  if (is_unread(left) || is_unread(right)) return {};
  if (expression.op == Operator::equal || expression.op == Operator::not_equal) {
    result = (left == right) == (expression.op == Operator::equal);
    return {};
  }
  const auto* number = std::get_if<std::int64_t>(&left);
  const auto* text = std::get_if<std::string>(&left);
  if (left.index() != right.index() || (number == nullptr && text == nullptr)) {
    return error_at(expression.place, "`" + std::string(symbol_of(expression.op)) +
                                          "` compares two numbers or two texts, and `" + to_text(left) +
                                          "` is " + kind_of(left) + ", `" + to_text(right) + "` is " +
                                          kind_of(right));
  }
  result = number != nullptr ? in_order(expression.op, *number, std::get<std::int64_t>(right))
                             : in_order(expression.op, *text, std::get<std::string>(right));
  return {};
}

Status unary(const Expression& expression, const Value& operand, Value& result) {
  result = Unread{};
  if (is_unread(operand)) return {};
  if (expression.op == Operator::negate) {
    const auto* number = std::get_if<std::int64_t>(&operand);
    if (number == nullptr) return needs(expression, "a number", operand);
    if (*number == INT64_MIN) {
      return error_at(expression.place, "-(" + to_text(operand) + ") is more than 64 bits hold");
    }
    result = -*number;
    return {};
  }
  const auto* truth = std::get_if<bool>(&operand);
  if (truth == nullptr) return needs(expression, "a truth", operand);
  result = !*truth;
  return {};
}

// Evaluates within one scope and, in a `where`, one row. What an expression gives is written to its place.
class Evaluator {
 public:
  Evaluator(const Scope& scope, const Row* row) : scope_(scope), row_(row) {}

  Status value(const Expression& expression, Value& result) const;
  Status truth(const Expression& expression, bool& result) const;

 private:
  Status of_row(const Expression& expression, Value& result) const;
  Status binary(const Expression& expression, Value& result) const;
  Status logic(const Expression& expression, Value& result) const;
  Status state(const Expression& expression, Value& result) const;
  Status sum(const Expression& expression, Value& result) const;
  template <typename Visit>
  Status each_row(const Expression& expression, const Visit& visit) const;

  const Scope& scope_;
  const Row* row_;
};

Status Evaluator::value(const Expression& expression, Value& result) const {
  switch (expression.op) {
    case Operator::literal:
      result = expression.literal;
      return {};
    case Operator::variable:
      result = scope_.variable(expression.session, expression.variable);
      return {};
    case Operator::row_key:
    case Operator::row_value:
      return of_row(expression, result);
    case Operator::negate:
    case Operator::logical_not: {
      Value operand;
      if (Status status = value(expression.operands[0], operand); !status.ok()) return status;
      return unary(expression, operand, result);
    }
    case Operator::logical_and:
    case Operator::logical_or:
      return logic(expression, result);
    case Operator::get:
    case Operator::scan:
    case Operator::count:
    case Operator::sum:
    case Operator::exists:
      return state(expression, result);
    default:
      return binary(expression, result);
  }
}

Status Evaluator::truth(const Expression& expression, bool& result) const {
  Value found;
  if (Status status = value(expression, found); !status.ok()) return status;
  result = false;
  if (is_unread(found)) return {};
  const auto* truth = std::get_if<bool>(&found);
  if (truth == nullptr) {
    return error_at(expression.place,
                    "a condition is true or false, and `" + to_text(found) + "` is " + kind_of(found));
  }
  result = *truth;
  return {};
}

Status Evaluator::of_row(const Expression& expression, Value& result) const {
  if (row_ == nullptr) {
    return error_at(expression.place, "`key` and `value` are of a row, and there is none here");
  }
  result = from_text(expression.op == Operator::row_key ? row_->key : row_->value);
  return {};
}

Status Evaluator::binary(const Expression& expression, Value& result) const {
  Value left;
  Value right;
  if (Status status = value(expression.operands[0], left); !status.ok()) return status;
  if (Status status = value(expression.operands[1], right); !status.ok()) return status;
  if (expression.op <= Operator::remainder) return arithmetic(expression, left, right, result);
  bool truth = false;
  Status status = comparison(expression, left, right, truth);
  result = truth;
  return status;
}

Status Evaluator::logic(const Expression& expression, Value& result) const {
  const bool decides = expression.op == Operator::logical_or;
  bool truth_so_far = false;
  if (Status status = truth(expression.operands[0], truth_so_far); !status.ok()) return status;
  if (truth_so_far != decides) {
    if (Status status = truth(expression.operands[1], truth_so_far); !status.ok()) return status;
  }
  result = truth_so_far;
  return {};
}

// Calls `visit(row)`, which returns a Status, for each row of the expression's target that its operand is
// true of.
template <typename Visit>
Status Evaluator::each_row(const Expression& expression, const Visit& visit) const {
  const Target& target = expression.target;
  const std::vector<Row>* rows = scope_.rows(target.table);
  if (rows == nullptr) return error_at(expression.place, "there are no stored rows to look at here");
  auto row = std::lower_bound(rows->begin(), rows->end(), target.lo,
                              [](const Row& left, const std::string& key) { return left.key < key; });
  for (; row != rows->end() && target.contains(row->key); ++row) {
    bool fits = true;
    if (!expression.operands.empty()) {
      Status status = Evaluator(scope_, &*row).truth(expression.operands[0], fits);
      if (!status.ok()) return status;
    }
    if (!fits) continue;
    if (Status status = visit(*row); !status.ok()) return status;
  }
  return {};
}

Status Evaluator::sum(const Expression& expression, Value& result) const {
  std::int64_t total = 0;
  Status status = each_row(expression, [&](const Row& row) -> Status {
    const Value found = from_text(row.value);
    const auto* number = std::get_if<std::int64_t>(&found);
    if (number == nullptr) return needs(expression, "numbers", found);
    if (!__builtin_add_overflow(total, *number, &total)) return {};
    return error_at(expression.place, "the sum is more than 64 bits hold");
  });
  result = total;
  return status;
}

Status Evaluator::state(const Expression& expression, Value& result) const {
  if (expression.op == Operator::sum) return sum(expression, result);
  std::vector<const Row*> found;
  Status status = each_row(expression, [&found](const Row& row) -> Status {
    found.push_back(&row);
    return {};
  });
  if (!status.ok()) return status;
  switch (expression.op) {
    case Operator::count:
      result = static_cast<std::int64_t>(found.size());
      return {};
    case Operator::exists:
      result = !found.empty();
      return {};
    case Operator::get:
      result = Absent{};
      if (!found.empty()) result = from_text(found.front()->value);
      return {};
    default:
      break;
  }
  std::vector<Row> rows;
  for (const Row* row : found) rows.push_back(*row);
  result = to_text(rows);
  return {};
}

}  // namespace

std::string to_text(Place place) {
  std::string text = std::to_string(place.line);
  text += ':';
  text += std::to_string(place.column);
  return text;
}

Value from_text(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  // No leading 0 and no "-0": what is stored must be what `to_text` would write.
  const std::size_t digits = text.starts_with('-') ? 1 : 0;
  const bool canonical = whole && (text[digits] != '0' || text == "0");
  return canonical ? Value(number) : Value(std::string(text));
}

std::string to_text(const Value& value) {
  switch (value.index()) {
    case 0:
      return "unread";
    case 1:
      return "absent";
    case 2:
      return std::get<bool>(value) ? "true" : "false";
    case 3:
      return std::to_string(std::get<std::int64_t>(value));
    default:
      return std::get<std::string>(value);
  }
}

std::string to_text(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    if (!text.empty()) text += ", ";
    text.append(row.key).append(1, '=').append(row.value);
  }
  return text;
}

Result<Value> evaluate(const Expression& expression, const Scope& scope, const Row* row) {
  Value value;
  if (Status status = Evaluator(scope, row).value(expression, value); !status.ok()) return status;
  return value;
}

Result<bool> is_true(const Expression& expression, const Scope& scope, const Row* row) {
  bool truth = false;
  if (Status status = Evaluator(scope, row).truth(expression, truth); !status.ok()) return status;
  return truth;
}

}  // namespace isolith::anomalies
