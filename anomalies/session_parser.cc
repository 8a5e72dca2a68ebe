// Reading sessions and their steps.
#include "anomalies/session_parser.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "anomalies/expression_parser.h"

namespace isolith::anomalies {
namespace {

constexpr std::size_t kMaxNameBytes = 40;

// What stands behind the word of a step.
enum class Form : std::uint8_t {
  nothing,
  key,         // TABLE/KEY
  range,       // RANGE [where CONDITION]
  key_value,   // TABLE/KEY = EXPRESSION
  rows_value,  // ROWS = EXPRESSION [where CONDITION]
  condition,
  savepoint,
};

struct StepWord {
  std::string_view word;
  StepKind kind;
  Form form;
  bool gives;  // a value, to a variable: what it read, or how many rows it wrote
};

constexpr std::array<StepWord, 18> kStepWords = {{
    {"begin", StepKind::begin, Form::nothing, false},
    {"get", StepKind::get, Form::key, true},
    {"get_for_update", StepKind::get_for_update, Form::key, true},
    {"get_for_share", StepKind::get_for_share, Form::key, true},
    {"put", StepKind::put, Form::key_value, false},
    {"insert", StepKind::insert, Form::key_value, false},
    {"erase", StepKind::erase, Form::key, false},
    {"update", StepKind::update, Form::rows_value, true},
    {"scan", StepKind::scan, Form::range, true},
    {"count", StepKind::count, Form::range, true},
    {"sum", StepKind::sum, Form::range, true},
    {"exists", StepKind::exists, Form::range, true},
    {"erase_range", StepKind::erase_range, Form::range, true},
    {"require", StepKind::require, Form::condition, false},
    {"savepoint", StepKind::savepoint, Form::savepoint, false},
    {"rollback", StepKind::rollback_to, Form::savepoint, false},
    {"commit", StepKind::commit, Form::nothing, false},
    {"abort", StepKind::abort, Form::nothing, false},
}};

// Words of other languages, and what they are here.
struct Synonym {
  std::string_view word;
  std::string_view step;
};
constexpr std::array<Synonym, 14> kSynonyms = {
    {{"read", "x = get TABLE/KEY"},
     {"select", "x = get TABLE/KEY` or `x = scan RANGE where CONDITION"},
     {"write", "put TABLE/KEY = EXPRESSION"},
     {"set", "put TABLE/KEY = EXPRESSION"},
     {"delete", "erase TABLE/KEY` or `erase_range RANGE"},
     {"remove", "erase TABLE/KEY"},
     {"lock", "get_for_update TABLE/KEY"},
     {"start", "begin"},
     {"end", "commit` or `abort"},
     {"assert", "require CONDITION"},
     {"check", "require CONDITION"},
     {"when", "if CONDITION then STEP"},
     {"let", "x = get TABLE/KEY"},
     {"release", "commit"}}};

const StepWord* find_step(std::string_view word) {
  const auto* found = std::find_if(kStepWords.begin(), kStepWords.end(),
                                   [word](const StepWord& step) { return step.word == word; });
  return found == kStepWords.end() ? nullptr : found;
}

bool unknown_step(LineReader& line) {
  const std::string_view word = line.peek_name();
  std::string text =
      word.empty() ? "a step was expected, not " + line.excerpt() : "there is no step " + quoted(word);
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.word == word) return line.wrong(text + "; write `" + std::string(synonym.step) + "`");
  }
  std::vector<std::string_view> words = {"if"};
  for (const StepWord& step : kStepWords) words.push_back(step.word);
  return line.wrong(text + did_you_mean(word, words, "the steps are " + listed(words, "none")));
}

// Behind `x =` stands no step that reads.
bool no_reading(LineReader& line, const SessionScript& session) {
  const std::string_view word = line.peek_name();
  const bool is_variable =
      std::find(session.variables.begin(), session.variables.end(), word) != session.variables.end();
  if (is_variable || line.digit_follows()) {
    const Place place = line.place();
    return line.wrong_at(place, quoted(line.take_rest()) + " is no step; write it where it is used");
  }
  std::vector<std::string_view> words;
  for (const StepWord& step : kStepWords) {
    if (step.gives) words.push_back(step.word);
  }
  return line.wrong("a step that reads was expected, not " + line.excerpt() +
                    did_you_mean(word, words, "write one of " + listed(words, "none")));
}

bool is_level(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

bool is_step_word(std::string_view word) { return find_step(word) != nullptr; }

bool read_new_name(LineReader& line, std::string_view what, std::string_view& name) {
  name = line.peek_name();
  if (name.empty()) {
    return line.wrong("the name of a " + std::string(what) + " was expected, not " + line.excerpt() +
                      "; write a letter or _, then letters (a to z), digits and _");
  }
  if (line.peek_word() != name) {
    return line.wrong(quoted(line.peek_word()) + " is no name; a name is letters (a to z), digits and _");
  }
  if (is_word_of_the_language(name)) {
    return line.wrong(quoted(name) + " is a word of the language; give the " + std::string(what) +
                      " another name");
  }
  if (name.size() > kMaxNameBytes) {
    return line.wrong("this name is too long; it may have " + std::to_string(kMaxNameBytes) + " letters");
  }
  line.take_name();
  return true;
}

bool read_level_name(LineReader& line, std::string_view& name) {
  name = line.peek_name();
  if (name.empty()) {
    return line.wrong("a level was expected, not " + line.excerpt() +
                      "; write its name, as in read_committed");
  }
  if (!is_level(name))
    return line.wrong(quoted(name) + " is no level; their names are in lower case: read_committed");
  line.take_name();
  return true;
}

bool SessionParser::open(LineReader& line) {
  const Place place = line.place();
  std::string_view name;
  if (!read_new_name(line, "session", name)) return false;
  for (const SessionScript& session : scenario_.sessions) {
    if (session.name != name) continue;
    return line.wrong_at(place, "there is a session " + quoted(name) + " in line " +
                                    std::to_string(session.place.line) +
                                    " already; give this one another name");
  }
  if (scenario_.sessions.size() == kMaxSessions) {
    return line.wrong_at(place,
                         "this is one session too many; a scenario may have " + std::to_string(kMaxSessions));
  }
  SessionScript& session = scenario_.sessions.emplace_back();
  session.name = name;
  session.place = place;
  return read_options(line, session);
}

bool SessionParser::read_options(LineReader& line, SessionScript& session) {
  bool has_level = false;
  while (!line.at_end()) {
    const Place place = line.place();
    const std::string_view word = line.peek_name();
    const bool again = (word == "at" && has_level) || (word == "read" && session.read_only) ||
                       (word == "deferrable" && session.deferrable);
    if (again) return line.wrong_at(place, quoted(word) + " stands here twice; write it once");
    if (line.take_word("at")) {
      has_level = true;
      if (!read_level(line, session)) return false;
    } else if (line.take_word("read")) {
      if (!line.take_word("only"))
        return line.wrong("`only` was expected, not " + line.excerpt() + "; write `read only`");
      session.read_only = true;
    } else if (line.take_word("deferrable")) {
      session.deferrable = true;
    } else {
      return line.wrong(line.excerpt() +
                        " is unexpected here; write `session NAME`, then `at LEVEL`, `read only` or "
                        "`deferrable`; a level is one word, and steps stand in lines of their own");
    }
  }
  return true;
}

bool SessionParser::read_level(LineReader& line, SessionScript& session) {
  std::string_view name;
  if (!read_level_name(line, name)) return false;
  if (name != "any") session.level = name;
  return true;
}

bool SessionParser::read_step(LineReader& line) {
  SessionScript& session = scenario_.sessions.back();
  const std::size_t begin = line.offset();
  Step step;
  step.place = line.place();
  if (session.steps.size() == kMaxSteps) {
    return line.wrong("this is one step too many; a session may have " + std::to_string(kMaxSteps));
  }
  if (line.take_word("if")) {
    if (!check_phase(line, "if")) return false;
    Expression condition;
    if (!ExpressionParser(line, {scenario_, number()}).read_condition(condition)) return false;
    if (!line.take_word("then")) {
      return line.wrong("`then` was expected, not " + line.excerpt() + "; write `if CONDITION then STEP`");
    }
    if (!check_conditional(line, line.peek_name())) return false;
    step.condition = std::move(condition);
  }
  if (!read_action(line, step)) return false;
  step.text = line.text_since(begin);
  session.steps.push_back(std::move(step));
  return true;
}

bool SessionParser::check_phase(LineReader& line, std::string_view word) {
  if (word == "begin") {
    if (phase_ == Phase::in_progress) {
      return line.wrong("the transaction has begun already; leave `begin` out, or write `commit` before it");
    }
    phase_ = Phase::in_progress;
    savepoints_.clear();
    return true;
  }
  if (phase_ == Phase::ended) {
    return line.wrong("the transaction has ended before this step; write `begin` above it for another one");
  }
  phase_ = word == "commit" || word == "abort" ? Phase::ended : Phase::in_progress;
  return true;
}

bool SessionParser::check_conditional(LineReader& line, std::string_view word) {
  if (word == "if") return line.wrong("an `if` stands in an `if`; join their conditions with `and`");
  if (word == "require") {
    return line.wrong(
        "`require` stands behind an `if`; write `require not (A) or B` for `if A then require B`");
  }
  if (word == "abort") {
    return line.wrong("`abort` stands behind an `if`; write `require` with what has to be true to go on");
  }
  if (word == "begin" || word == "commit" || word == "savepoint") {
    return line.wrong(quoted(word) + " can not stand behind an `if`; write it in a line of its own");
  }
  return true;
}

bool SessionParser::read_action(LineReader& line, Step& step) {
  if (line.sees_assignment()) return read_reading(line, step);
  const std::string_view word = line.peek_name();
  const StepWord* found = find_step(word);
  if (found == nullptr) return unknown_step(line);
  if (!check_phase(line, word)) return false;
  line.take_name();
  step.kind = found->kind;
  return read_operands(line, word, step);
}

bool SessionParser::read_reading(LineReader& line, Step& step) {
  SessionScript& session = scenario_.sessions.back();
  const Place place = line.place();
  std::string_view name;
  if (!read_new_name(line, "variable", name)) return false;
  if (std::find(session.variables.begin(), session.variables.end(), name) != session.variables.end()) {
    return line.wrong_at(
        place, quoted(name) + " was read before in session " + session.name + "; give this one another name");
  }
  line.take("=");
  const std::string_view word = line.peek_name();
  const StepWord* found = find_step(word);
  if (found == nullptr || !found->gives) {
    return no_reading(line, session);
  }
  if (!check_phase(line, word)) return false;
  line.take_name();
  step.kind = found->kind;
  if (!read_operands(line, word, step)) return false;
  step.variable = static_cast<std::uint32_t>(session.variables.size());
  session.variables.emplace_back(name);
  return true;
}

bool SessionParser::read_operands(LineReader& line, std::string_view word, Step& step) {
  bool good = true;
  switch (find_step(word)->form) {
    case Form::nothing:
      break;
    case Form::key:
      good = read_target(line, scenario_, word, TargetKind::key, step.target);
      break;
    case Form::range:
      good = read_target(line, scenario_, word, TargetKind::range, step.target) && read_where(line, step);
      break;
    case Form::key_value:
      good = read_target(line, scenario_, word, TargetKind::key, step.target) && read_value(line, word, step);
      break;
    case Form::rows_value:
      good = read_target(line, scenario_, word, TargetKind::rows, step.target) &&
             read_value(line, word, step) && read_where(line, step);
      break;
    case Form::condition:
      good = read_condition(line, step);
      break;
    case Form::savepoint:
      good = read_savepoint(line, step);
      break;
  }
  if (!good) return false;
  if (line.sees_word("where")) {
    return line.wrong("`where` is for ranges, and " + quoted(word) + " has none; write the condition as " +
                      "`if CONDITION then STEP`, over what was read before");
  }
  return line.expect_end("one step stands in a line, and this one ends before it");
}

bool SessionParser::read_where(LineReader& line, Step& step) {
  if (!line.take_word("where")) return true;
  return ExpressionParser(line, {scenario_, number(), true}).read_condition(step.where.emplace());
}

bool SessionParser::read_value(LineReader& line, std::string_view word, Step& step) {
  if (!line.take("=")) {
    const bool is_row = word == "update";
    return line.wrong("`=` was expected, not " + line.excerpt() + "; write `" + std::string(word) +
                      (is_row ? " ROWS = EXPRESSION`" : " TABLE/KEY = EXPRESSION`"));
  }
  return ExpressionParser(line, {scenario_, number(), word == "update"}).read(step.value.emplace());
}

bool SessionParser::read_condition(LineReader& line, Step& step) {
  return ExpressionParser(line, {scenario_, number()}).read_condition(step.condition.emplace());
}

bool SessionParser::read_savepoint(LineReader& line, Step& step) {
  const bool back = step.kind == StepKind::rollback_to;
  if (back && !line.take_word("to")) {
    return line.wrong("`to` was expected, not " + line.excerpt() +
                      "; write `rollback to SAVEPOINT`, or `abort` for the whole transaction");
  }
  const Place place = line.place();
  std::string_view name;
  if (!read_new_name(line, "savepoint", name)) return false;
  std::vector<std::string>& names = scenario_.sessions.back().savepoints;
  const auto known = std::find(names.begin(), names.end(), name);
  step.savepoint = static_cast<std::uint32_t>(known - names.begin());
  const auto live = std::find(savepoints_.begin(), savepoints_.end(), step.savepoint);
  if (!back) {
    if (live != savepoints_.end()) {
      return line.wrong_at(place, "there is a savepoint " + quoted(name) +
                                      " in this transaction already; give this one another name");
    }
    if (known == names.end()) names.emplace_back(name);
    savepoints_.push_back(step.savepoint);
    return true;
  }
  if (live == savepoints_.end()) {
    std::vector<std::string_view> there;
    for (const std::uint32_t savepoint : savepoints_) there.push_back(names[savepoint]);
    return line.wrong_at(place, "there is no savepoint " + quoted(name) + " here" +
                                    did_you_mean(name, there,
                                                 "in this transaction there are " + listed(there, "none") +
                                                     "; those after a `rollback to` are gone"));
  }
  savepoints_.erase(live + 1, savepoints_.end());
  return true;
}

bool SessionParser::close() {
  const SessionScript& session = scenario_.sessions.back();
  if (session.steps.empty()) {
    return problem_.found(session.place, "session " + session.name +
                                             " has no steps; write them in the lines below, each indented");
  }
  if (phase_ == Phase::ended) return true;
  return problem_.found(
      session.steps.back().place,
      "session " + session.name + " does not end here; write `commit` or `abort` below this step");
}

}  // namespace isolith::anomalies
