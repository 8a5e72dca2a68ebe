// Reading expressions: precedence climbing, with the loosest operators at level 1.
#include "anomalies/expression_parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace isolith::anomalies {
namespace {

constexpr int kNotLevel = 3;
constexpr int kComparisonLevel = 4;
constexpr int kTightest = 6;

struct Binary {
  int level;
  std::string_view symbol;
  Operator op;
};

// Where one symbol begins with another, the longer one is first.
constexpr std::array<Binary, 13> kBinaries = {{
    {1, "or", Operator::logical_or},
    {2, "and", Operator::logical_and},
    {4, "!=", Operator::not_equal},
    {4, "<=", Operator::less_equal},
    {4, ">=", Operator::greater_equal},
    {4, "=", Operator::equal},
    {4, "<", Operator::less},
    {4, ">", Operator::greater},
    {5, "+", Operator::add},
    {5, "-", Operator::subtract},
    {6, "*", Operator::multiply},
    {6, "/", Operator::divide},
    {6, "%", Operator::remainder},
}};

// What people write who have other languages in mind.
struct Habit {
  std::string_view written;
  std::string_view instead;
};
constexpr std::array<Habit, 10> kHabits = {{{"==", "="},
                                            {"<>", "!="},
                                            {"=<", "<="},
                                            {"=>", ">="},
                                            {"&&", "and"},
                                            {"||", "or"},
                                            {"&", "and"},
                                            {"|", "or"},
                                            {"≤", "<="},
                                            {"≥", ">="}}};

std::optional<Operator> take_binary(LineReader& line, int level) {
  for (const Binary& binary : kBinaries) {
    if (binary.level != level) continue;
    const bool is_word = level < kNotLevel;
    if (is_word ? line.take_word(binary.symbol) : line.take(binary.symbol)) return binary.op;
  }
  return std::nullopt;
}

std::optional<Operator> state_read(std::string_view word) {
  if (word == "get") return Operator::get;
  if (word == "scan") return Operator::scan;
  if (word == "count") return Operator::count;
  if (word == "sum") return Operator::sum;
  if (word == "exists") return Operator::exists;
  return std::nullopt;
}

// What the step reads that sets the variable.
std::optional<StepKind> reader_of(const SessionScript& session, std::uint32_t variable) {
  for (const Step& step : session.steps) {
    if (step.variable == variable) return step.kind;
  }
  return std::nullopt;
}

std::string_view what_it_is(const Expression& expression) {
  switch (expression.op) {
    case Operator::literal:
      return std::holds_alternative<std::int64_t>(expression.literal) ? "a number" : "a text";
    case Operator::variable:
      return "a value that was read";
    case Operator::row_key:
      return "a key";
    case Operator::row_value:
    case Operator::get:
      return "a stored value";
    case Operator::scan:
      return "a text";
    default:
      return "a number";
  }
}

}  // namespace

bool ExpressionParser::new_term(Expression& expression, Operator op, Place place) {
  expression.op = op;
  expression.place = place;
  if (++terms_ <= kMaxTerms) return true;
  return line_.wrong_at(place, "this expression is too long; it may have " + std::to_string(kMaxTerms) +
                                   " values and operators");
}

bool ExpressionParser::deeper(Place place) {
  if (++depth_ <= kMaxDepth) return true;
  return line_.wrong_at(place, "this expression is nested too deep; parentheses, `not` and `-` may stand " +
                                   std::to_string(kMaxDepth) + " deep in each other");
}

bool ExpressionParser::never_a_truth(const Expression& expression) const {
  switch (expression.op) {
    case Operator::literal:
      return !std::holds_alternative<bool>(expression.literal);
    case Operator::variable:
      return reader_of(names_.scenario.sessions[expression.session], expression.variable) != StepKind::exists;
    case Operator::exists:
      return false;
    default:
      return expression.op < Operator::logical_not ||
             (expression.op >= Operator::add && expression.op <= Operator::remainder) ||
             expression.op >= Operator::get;
  }
}

bool ExpressionParser::check_truth(const Expression& expression) {
  if (!never_a_truth(expression)) return true;
  return line_.wrong_at(expression.place, "a condition is true or false, and this is " +
                                              std::string(what_it_is(expression)) +
                                              "; compare it with something: = != < <= > >=");
}

bool ExpressionParser::read_condition(Expression& expression) {
  return read(expression) && check_truth(expression);
}

bool ExpressionParser::check_habits() {
  for (const Habit& habit : kHabits) {
    if (line_.sees(habit.written)) {
      return line_.wrong(quoted(habit.written) + " is not written here; write " + quoted(habit.instead));
    }
  }
  return true;
}

bool ExpressionParser::read_level(int level, Expression& expression) {
  if (level == kNotLevel && line_.sees_word("not")) return read_not(expression);
  if (level > kTightest) return read_negative(expression) && check_habits();
  if (!read_level(level + 1, expression)) return false;
  for (bool again = false;; again = true) {
    const Place place = line_.place();
    const std::optional<Operator> op = take_binary(line_, level);
    if (!op) return true;
    if (again && level == kComparisonLevel) {
      return line_.wrong_at(place, "a comparison of a comparison; join two with `and`: A < B and B < C");
    }
    Expression both;
    if (!new_term(both, *op, place)) return false;
    both.operands.resize(2);
    both.operands[0] = std::move(expression);
    if (!read_level(level + 1, both.operands[1])) return false;
    expression = std::move(both);
    if (level >= kNotLevel) continue;
    if (!check_truth(expression.operands[0]) || !check_truth(expression.operands[1])) return false;
  }
}

bool ExpressionParser::read_not(Expression& expression) {
  const Place place = line_.place();
  line_.take_word("not");
  if (!deeper(place) || !new_term(expression, Operator::logical_not, place)) return false;
  expression.operands.resize(1);
  if (!read_level(kNotLevel, expression.operands[0])) return false;
  --depth_;
  return check_truth(expression.operands[0]);
}

bool ExpressionParser::read_negative(Expression& expression) {
  const Place place = line_.place();
  if (!line_.take("-")) return read_primary(expression);
  if (line_.digit_follows()) {
    std::int64_t number = 0;
    if (!line_.read_number(true, number)) return false;
    expression.literal = number;
    return new_term(expression, Operator::literal, place);
  }
  if (!deeper(place) || !new_term(expression, Operator::negate, place)) return false;
  expression.operands.resize(1);
  if (!read_negative(expression.operands[0])) return false;
  --depth_;
  return true;
}

bool ExpressionParser::read_primary(Expression& expression) {
  const Place place = line_.place();
  if (line_.sees("(")) return read_parentheses(expression);
  if (line_.digit_follows()) {
    std::int64_t number = 0;
    if (!line_.read_number(false, number)) return false;
    expression.literal = number;
    return new_term(expression, Operator::literal, place);
  }
  if (line_.sees("\"")) {
    std::string text;
    if (!line_.read_text(text)) return false;
    expression.literal = from_text(text);
    return new_term(expression, Operator::literal, place);
  }
  if (!line_.peek_name().empty()) return read_word(expression);
  if (line_.sees("'") || line_.sees("“") || line_.sees("”") || line_.sees("„")) {
    return line_.wrong("a text stands in double quotes; write \"...\"");
  }
  if (line_.sees("!")) return line_.wrong("`!` is not written here; write `not`");
  return line_.wrong("a value was expected, not " + line_.excerpt() +
                     "; write a number, a text in quotes, or the name of what was read");
}

bool ExpressionParser::read_parentheses(Expression& expression) {
  const Place place = line_.place();
  line_.take("(");
  if (!deeper(place)) return false;
  opened_at_ = line_.offset();
  if (!read(expression)) return false;
  --depth_;
  if (line_.take(")")) return true;
  if (line_.at_end()) return line_.wrong_at(place, "this parenthesis is not closed; write its `)`");
  return line_.wrong("a `)` was expected, not " + line_.excerpt() + "; close the parenthesis before it");
}

bool ExpressionParser::read_word(Expression& expression) {
  const Place place = line_.place();
  const std::string_view name = line_.peek_name();
  if (name == "key" || name == "value") return read_row_word(expression);
  if (const std::optional<Operator> op = state_read(name)) return read_state(*op, expression);
  const bool is_truth = name == "true" || name == "false";
  if (is_truth || name == "absent") {
    line_.take_name();
    expression.literal = is_truth ? Value(name == "true") : Value(Absent{});
    return new_term(expression, Operator::literal, place);
  }
  if (name == "not") return line_.wrong("`not` stands in parentheses here; write (not ...)");
  if (name == "and" || name == "or" || name == "then" || name == "where") {
    return line_.wrong("a value was expected, not " + quoted(name) + "; write it before this word");
  }
  line_.take_name();
  const bool qualified = line_.follows(".");
  if (names_.session == kNoSession) {
    return qualified ? read_variable_of(name, expression) : unknown_name(name, place);
  }
  if (!qualified) {
    return new_term(expression, Operator::variable, place) && read_own_variable(name, expression);
  }
  return line_.wrong_at(place,
                        "a step knows only what its own session has read; write the variable without `" +
                            std::string(name) + ".`");
}

bool ExpressionParser::read_row_word(Expression& expression) {
  const Place place = line_.place();
  const std::string_view name = line_.take_name();
  if (names_.row) return new_term(expression, name == "key" ? Operator::row_key : Operator::row_value, place);
  return line_.wrong_at(place,
                        quoted(name) + " is of a row that `where` or `update` looks at; " +
                            (names_.session == kNoSession ? "write `get TABLE/KEY` here"
                                                          : "read it before, as in `x = get TABLE/KEY`"));
}

bool ExpressionParser::read_state(Operator op, Expression& expression) {
  const std::size_t begin = line_.offset();
  const Place place = line_.place();
  const std::string_view word = line_.take_name();
  if (names_.session != kNoSession) {
    return line_.wrong_at(place, quoted(word) + " is a step of its own; write `x = " + std::string(word) +
                                     " ...` in a line before, and `x` here");
  }
  if (in_where_ && op != Operator::get) {
    return line_.wrong_at(place,
                          quoted(word) + " can not stand in a `where`; compare `key` and `value` there");
  }
  if (!new_term(expression, op, place)) return false;
  const TargetKind kind = op == Operator::get ? TargetKind::key : TargetKind::range;
  if (!read_target(line_, names_.scenario, word, kind, expression.target)) return false;
  return !line_.sees_word("where") || read_where(op, begin == opened_at_, expression);
}

bool ExpressionParser::read_where(Operator op, bool opened, Expression& expression) {
  if (op == Operator::get) {
    return line_.wrong("`get` reads one key and has no `where`; write count, sum, exists or scan");
  }
  if (!opened) {
    return line_.wrong(
        "a read with `where` stands in parentheses in a condition; write (count TABLE where ...) = 1");
  }
  line_.take_word("where");
  const bool row = std::exchange(names_.row, true);
  in_where_ = true;
  expression.operands.resize(1);
  const bool good = read_condition(expression.operands[0]);
  names_.row = row;
  in_where_ = false;
  return good;
}

bool ExpressionParser::read_own_variable(std::string_view name, Expression& expression) {
  const std::vector<std::string>& variables = names_.scenario.sessions[names_.session].variables;
  const auto found = std::find(variables.begin(), variables.end(), name);
  if (found == variables.end()) return unknown_name(name, expression.place);
  expression.session = names_.session;
  expression.variable = static_cast<std::uint32_t>(found - variables.begin());
  return true;
}

bool ExpressionParser::read_variable_of(std::string_view session, Expression& expression) {
  const Place place = line_.place_before(session.size());
  std::vector<std::string_view> names;
  for (const SessionScript& script : names_.scenario.sessions) names.push_back(script.name);
  const auto found = std::find(names.begin(), names.end(), session);
  if (found == names.end()) {
    return line_.wrong_at(
        place, "there is no session " + quoted(session) + " above this line" +
                   did_you_mean(session, names, "the sessions are " + listed(names, "none so far")));
  }
  line_.take_following(".");
  if (line_.follows(" ") || line_.follows("\t"))
    return line_.wrong("a blank stands behind the point; write A.x");
  const Place at = line_.place();
  const std::string_view name = line_.peek_name();
  expression.session = static_cast<std::uint32_t>(found - names.begin());
  const std::vector<std::string>& variables = names_.scenario.sessions[expression.session].variables;
  const auto variable = std::find(variables.begin(), variables.end(), name);
  if (variable == variables.end()) {
    const std::vector<std::string_view> known(variables.begin(), variables.end());
    return line_.wrong_at(at, "session " + std::string(session) + " reads no variable " + line_.excerpt() +
                                  did_you_mean(name, known, "it reads " + listed(known, "none")));
  }
  line_.take_name();
  expression.variable = static_cast<std::uint32_t>(variable - variables.begin());
  return new_term(expression, Operator::variable, place);
}

bool ExpressionParser::unknown_name(std::string_view name, Place place) {
  const std::string text = "a text stands in quotes: \"" + std::string(name) + "\"";
  if (names_.session != kNoSession) {
    const SessionScript& session = names_.scenario.sessions[names_.session];
    const std::vector<std::string_view> known(session.variables.begin(), session.variables.end());
    return line_.wrong_at(place, quoted(name) + " was not read before in session " + session.name +
                                     did_you_mean(name, known,
                                                  "write a step `" + std::string(name) +
                                                      " = get TABLE/KEY` before this one; " + text));
  }
  for (const SessionScript& session : names_.scenario.sessions) {
    const bool reads =
        std::find(session.variables.begin(), session.variables.end(), name) != session.variables.end();
    if (reads) {
      return line_.wrong_at(place, quoted(name) + " is of a session; write `" + session.name + "." +
                                       std::string(name) + "` with its name");
    }
    if (session.name == name) {
      return line_.wrong_at(place, quoted(name) + " is a session; write `" + session.name +
                                       ".x` for the variable x that it read");
    }
  }
  return line_.wrong_at(place,
                        quoted(name) + " means nothing here; " + text + "; what session A read is `A.x`");
}

}  // namespace isolith::anomalies
