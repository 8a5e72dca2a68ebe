// Evaluating expressions, and values as texts.
#include "anomalies/expression.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace isolith::anomalies {
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

std::string_view symbol_of(Operator op) {
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

Result<Value> arithmetic(const Expression& expression, const Value& left, const Value& right) {
  if (is_unread(left) || is_unread(right)) return Value(Unread{});
  const auto* a = std::get_if<std::int64_t>(&left);
  const auto* b = std::get_if<std::int64_t>(&right);
  if (a == nullptr) return needs(expression, "numbers", left);
  if (b == nullptr) return needs(expression, "numbers", right);
  std::int64_t result = 0;
  if (compute(expression.op, *a, *b, result)) return Value(result);
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

Result<Value> comparison(const Expression& expression, const Value& left, const Value& right) {
  if (is_unread(left) || is_unread(right)) return Value(false);
  if (expression.op == Operator::equal) return Value(left == right);
  if (expression.op == Operator::not_equal) return Value(left != right);
  const auto* number = std::get_if<std::int64_t>(&left);
  const auto* text = std::get_if<std::string>(&left);
  if (left.index() != right.index() || (number == nullptr && text == nullptr)) {
    return error_at(expression.place, "`" + std::string(symbol_of(expression.op)) +
                                          "` compares two numbers or two texts, and `" + to_text(left) +
                                          "` is " + kind_of(left) + ", `" + to_text(right) + "` is " +
                                          kind_of(right));
  }
  if (number != nullptr) return Value(in_order(expression.op, *number, std::get<std::int64_t>(right)));
  return Value(in_order(expression.op, *text, std::get<std::string>(right)));
}

// Of an operand of `and` and `or`, and of a whole condition.
Result<bool> truth(const Expression& expression, const Value& value) {
  if (is_unread(value)) return false;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  return error_at(expression.place,
                  "a condition is true or false, and `" + to_text(value) + "` is " + kind_of(value));
}

Result<Value> logic(const Expression& expression, const Scope& scope, const Row* row) {
  const bool decides = expression.op == Operator::logical_or;
  Result<bool> left = is_true(expression.operands[0], scope, row);
  if (!left.ok()) return left.status();
  if (*left == decides) return Value(decides);
  Result<bool> right = is_true(expression.operands[1], scope, row);
  if (!right.ok()) return right.status();
  return Value(*right);
}

Result<Value> unary(const Expression& expression, const Value& operand) {
  if (is_unread(operand)) return Value(Unread{});
  if (expression.op == Operator::negate) {
    const auto* number = std::get_if<std::int64_t>(&operand);
    if (number == nullptr) return needs(expression, "a number", operand);
    if (*number == INT64_MIN)
      return error_at(expression.place, "-" + to_text(operand) + " is more than 64 bits hold");
    return Value(-*number);
  }
  const auto* truth = std::get_if<bool>(&operand);
  if (truth == nullptr) return needs(expression, "a truth", operand);
  return Value(!*truth);
}

// The rows of a range, one after the other, that the expression's operand is true of.
class MatchingRows {
 public:
  MatchingRows(const Expression& expression, const Scope& scope) : expression_(expression), scope_(scope) {}

  // Calls `visit(row)`, which returns a Status, for each.
  template <typename Visit>
  Status each(const Visit& visit) const {
    const Target& target = expression_.target;
    const std::vector<Row>* rows = scope_.rows(target.table);
    if (rows == nullptr) return error_at(expression_.place, "there are no stored rows to look at here");
    auto row = std::lower_bound(rows->begin(), rows->end(), target.lo,
                                [](const Row& left, const std::string& key) { return left.key < key; });
    for (; row != rows->end() && target.contains(row->key); ++row) {
      if (!expression_.operands.empty()) {
        Result<bool> fits = is_true(expression_.operands[0], scope_, &*row);
        if (!fits.ok()) return fits.status();
        if (!*fits) continue;
      }
      if (Status status = visit(*row); !status.ok()) return status;
    }
    return {};
  }

 private:
  const Expression& expression_;
  const Scope& scope_;
};

Result<Value> sum(const Expression& expression, const MatchingRows& matching) {
  std::int64_t total = 0;
  const Status status = matching.each([&](const Row& row) -> Status {
    const Value value = from_text(row.value);
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr) return needs(expression, "numbers", value);
    if (!__builtin_add_overflow(total, *number, &total)) return {};
    return error_at(expression.place, "the sum is more than 64 bits hold");
  });
  if (!status.ok()) return status;
  return Value(total);
}

Result<Value> read_state(const Expression& expression, const Scope& scope) {
  const MatchingRows matching(expression, scope);
  if (expression.op == Operator::sum) return sum(expression, matching);
  std::vector<Row> found;
  const Status status = matching.each([&found](const Row& row) -> Status {
    found.push_back(row);
    return {};
  });
  if (!status.ok()) return status;
  switch (expression.op) {
    case Operator::scan:
      return Value(to_text(found));
    case Operator::count:
      return Value(static_cast<std::int64_t>(found.size()));
    case Operator::exists:
      return Value(!found.empty());
    default:
      return found.empty() ? Value(Absent{}) : from_text(found.front().value);
  }
}

Result<Value> binary(const Expression& expression, const Scope& scope, const Row* row) {
  Result<Value> left = evaluate(expression.operands[0], scope, row);
  if (!left.ok()) return left;
  Result<Value> right = evaluate(expression.operands[1], scope, row);
  if (!right.ok()) return right;
  return expression.op <= Operator::remainder ? arithmetic(expression, *left, *right)
                                              : comparison(expression, *left, *right);
}

Result<Value> of_row(const Expression& expression, const Row* row) {
  if (row == nullptr)
    return error_at(expression.place, "`key` and `value` are of a row, and there is none here");
  return from_text(expression.op == Operator::row_key ? row->key : row->value);
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
  switch (expression.op) {
    case Operator::literal:
      return expression.literal;
    case Operator::variable:
      return scope.variable(expression.session, expression.variable);
    case Operator::row_key:
    case Operator::row_value:
      return of_row(expression, row);
    case Operator::negate:
    case Operator::logical_not: {
      Result<Value> operand = evaluate(expression.operands[0], scope, row);
      return operand.ok() ? unary(expression, *operand) : operand;
    }
    case Operator::logical_and:
    case Operator::logical_or:
      return logic(expression, scope, row);
    case Operator::get:
    case Operator::scan:
    case Operator::count:
    case Operator::sum:
    case Operator::exists:
      return read_state(expression, scope);
    default:
      return binary(expression, scope, row);
  }
}

Result<bool> is_true(const Expression& expression, const Scope& scope, const Row* row) {
  Result<Value> value = evaluate(expression, scope, row);
  if (!value.ok()) return value.status();
  return truth(expression, *value);
}

}  // namespace isolith::anomalies
