// Reading and writing the text of a schedule.
#include "anomalies/schedule.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace isolith::anomalies {
namespace {

// As isalpha and isdigit in the C locale, whatever the program's own is.
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

std::string names_of(const Program& program) {
  std::string names;
  for (const Session& session : program.sessions) {
    if (!names.empty()) names += ", ";
    names += session.name;
  }
  return names.empty() ? "none" : names;
}

std::string steps_of(const Session& session) {
  const std::size_t count = session.steps.size();
  std::string text = session.name;
  text += " has ";
  text += std::to_string(count);
  text += count == 1 ? " step" : " steps";
  return text;
}

// Which session a word names, and the number behind its name (0: none).
struct Word {
  std::uint32_t session = 0;
  std::uint32_t number = 0;
};

std::optional<std::uint32_t> read_number(std::string_view digits) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// Tries each session's name in front of the word; the longest that leaves nothing or a number wins.
std::optional<Word> read_word(std::string_view text, const Program& program) {
  std::optional<Word> best;
  std::size_t best_size = 0;
  for (std::size_t i = 0; i < program.sessions.size(); ++i) {
    const std::string_view name = program.sessions[i].name;
    if (!text.starts_with(name) || (best && name.size() <= best_size)) continue;
    std::string_view rest = text.substr(name.size());
    Word word{static_cast<std::uint32_t>(i), 0};
    if (!rest.empty()) {
      if (rest.front() == '.') rest.remove_prefix(1);
      const std::optional<std::uint32_t> number = read_number(rest);
      if (!number || *number == 0) continue;
      word.number = *number;
    }
    best = word;
    best_size = name.size();
  }
  return best;
}

// Nothing, for `return wrong_at(...)`.
std::nullopt_t wrong_at(ScheduleProblem& problem, std::size_t at, std::string_view word,
                        std::string_view what) {
  problem.at = at;
  problem.what.clear();
  if (!word.empty()) problem.what.append(1, '"').append(word).append("\": ");
  problem.what += what;
  return std::nullopt;
}

// As `name` begins the word, but for small and capital letters.
bool begins_in_other_case(std::string_view word, std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (name.empty() || word.size() < name.size() || word.starts_with(name)) return false;
  const std::string_view rest = word.substr(name.size());
  const bool is_number =
      std::all_of(rest.begin(), rest.end(), [](char c) { return c == '.' || is_digit(c); });
  return is_number && std::equal(name.begin(), name.end(), word.begin(),
                                 [lower](char a, char b) { return lower(a) == lower(b); });
}

// What is wrong with a word that names no session.
std::string explain(std::string_view word, const Program& program) {
  if (word.find(',') != std::string_view::npos) return "no commas; blanks stand between steps";
  for (const Session& session : program.sessions) {
    if (begins_in_other_case(word, session.name)) return "did you mean " + session.name + "?";
  }
  const std::size_t letters = static_cast<std::size_t>(
      std::find_if_not(word.begin(), word.end(), [](char c) { return is_letter(c) || is_digit(c); }) -
      word.begin());
  if (word.empty() || letters == 0 || !is_letter(word.front())) {
    return "a step was expected, like A or A1 (A! ends a wait); the sessions are " + names_of(program);
  }
  if (letters < word.size() && word[letters] != '.') return "no step is written like this; write A, A1 or A!";
  return "there is no such session; the sessions are " + names_of(program);
}

// What is wrong with a word as the next step of its session, `next`; empty: nothing.
std::string check_word(const Word& word, const Session& session, std::uint32_t next) {
  if (next > session.steps.size()) return steps_of(session) + ", and all of them were named before";
  if (word.number == 0 || word.number == next) return {};
  if (word.number > session.steps.size()) return steps_of(session);
  std::string expected;
  append_step(expected, session, next);
  return "the next step of " + session.name + " is " + expected;
}

std::string steps_left_out(const Program& program, const std::vector<std::uint32_t>& named) {
  std::string missing;
  for (std::size_t i = 0; i < named.size(); ++i) {
    for (std::uint32_t step = named[i] + 1; step <= program.sessions[i].steps.size(); ++step) {
      missing += missing.empty() ? "" : ", ";
      append_step(missing, program.sessions[i], step);
    }
  }
  if (missing.empty()) return {};
  return "these steps were left out: " + missing + "; name each step once";
}

}  // namespace

void append_step(std::string& text, const Session& session, std::uint32_t step) {
  text += session.name;
  if (!session.name.empty() && is_digit(session.name.back())) text += '.';
  text += std::to_string(step);
}

Status check_program(const Program& program) {
  for (std::size_t i = 0; i < program.sessions.size(); ++i) {
    const std::string& name = program.sessions[i].name;
    if (!is_name(name)) {
      return {StatusCode::invalid_argument,
              "\"" + name + "\" is no name of a session: a letter, then letters and digits"};
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (program.sessions[j].name == name)
        return {StatusCode::invalid_argument, "two sessions are named " + name};
    }
  }
  return {};
}

std::optional<Schedule> parse_schedule(std::string_view text, const Program& program,
                                       ScheduleProblem& problem) {
  if (Status status = check_program(program); !status.ok()) return wrong_at(problem, 0, {}, status.message());
  Schedule schedule;
  std::vector<std::uint32_t> named(program.sessions.size());
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    const std::string_view whole = text.substr(at, end - at);
    const bool times_out = whole.ends_with('!');
    const std::optional<Word> word =
        read_word(times_out ? whole.substr(0, whole.size() - 1) : whole, program);
    if (!word) return wrong_at(problem, at, whole, explain(whole.substr(0, whole.find('!')), program));
    const Session& session = program.sessions[word->session];
    if (times_out && word->number != 0)
      return wrong_at(problem, at, whole, "a wait has no number; write " + session.name + "!");
    if (!times_out) {
      const std::string wrong = check_word(*word, session, named[word->session] + 1);
      if (!wrong.empty()) return wrong_at(problem, at, whole, wrong);
      ++named[word->session];
    }
    schedule.entries.push_back({word->session, times_out});
    at = end;
  }
  const std::string missing = steps_left_out(program, named);
  if (!missing.empty()) return wrong_at(problem, text.size(), {}, missing);
  return schedule;
}

Result<Schedule> parse_schedule(std::string_view text, const Program& program) {
  if (Status status = check_program(program); !status.ok()) return status;
  ScheduleProblem problem;
  std::optional<Schedule> schedule = parse_schedule(text, program, problem);
  if (schedule) return *std::move(schedule);
  return Status(StatusCode::invalid_argument,
                "schedule, column " + std::to_string(problem.at + 1) + ": " + problem.what);
}

std::string to_string(const Schedule& schedule, const Program& program) {
  std::string text;
  std::vector<std::uint32_t> named(program.sessions.size());
  for (const ScheduleEntry& entry : schedule.entries) {
    if (!text.empty()) text += ' ';
    const Session& session = program.sessions[entry.session];
    if (entry.times_out) {
      text += session.name;
      text += '!';
    } else {
      append_step(text, session, ++named[entry.session]);
    }
  }
  return text;
}

Status check_schedule(const Schedule& schedule, const Program& program) {
  std::size_t steps = 0;
  for (std::size_t i = 0; i < program.sessions.size(); ++i) {
    const auto named =
        std::count_if(schedule.entries.begin(), schedule.entries.end(),
                      [i](const ScheduleEntry& entry) { return entry.session == i && !entry.times_out; });
    if (static_cast<std::size_t>(named) != program.sessions[i].steps.size()) {
      return {StatusCode::invalid_argument,
              steps_of(program.sessions[i]) + ", the schedule names " + std::to_string(named)};
    }
    steps += static_cast<std::size_t>(
        std::count_if(schedule.entries.begin(), schedule.entries.end(),
                      [i](const ScheduleEntry& entry) { return entry.session == i; }));
  }
  if (steps == schedule.entries.size()) return {};
  return {StatusCode::invalid_argument, "the schedule names a session that the program does not have"};
}

}  // namespace isolith::anomalies
