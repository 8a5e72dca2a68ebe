// `isolith run --predict`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <istream>
#include <string>

#include "tools/escape.h"
#include "tools/output.h"
#include "tools/walk.h"

namespace isolith::tools {
namespace {

using Kind = Outcome::Kind;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Without quotes around it and spaces in it, so that "alice = 1" and "alice=1" are one.
std::string bare(std::string_view value) {
  value = trimmed(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  std::string text;
  for (const char c : value) {
    if (c != ' ') text += c;
  }
  return text;
}

std::string describe_outcome(const Outcome& outcome) {
  switch (outcome.kind) {
    case Kind::none:
      break;
    case Kind::goes_on:
      return "it goes on";
    case Kind::waits:
      return "it waits";
    case Kind::fails:
      return "it fails";
    case Kind::reads:
      return fmt::format("it reads {}", outcome.value.empty() ? "no rows" : printable(outcome.value));
  }
  return "";
}

std::string question(const TimelineRow& row, bool reads) {
  const std::string_view choices =
      reads ? "[w]aits, [f]ails, or what it reads?" : "[g]oes on, [w]aits or [f]ails?";
  const std::string_view begin = row.resumes ? ", which has waited: " : ": ";
  return fmt::format("\n  {}{}{}\n  {} ", row.label, begin, row.step, choices);
}

// Whether a person may expect a value: the step is of a kind that reads, whatever became of it.
bool may_read(const TimelineRow& row) {
  if (row.outcome.kind == Kind::reads) return true;
  constexpr std::array<std::string_view, 7> kReading = {
      "get ", "get_for_update ", "get_for_share ", "scan ", "count ", "sum ", "exists "};
  return std::any_of(kReading.begin(), kReading.end(), [&row](std::string_view word) {
    const std::size_t at = row.step.find(word);
    return at == 0 || (at != std::string::npos && row.step[at - 1] == ' ');
  });
}

struct Score {
  std::size_t right = 0;
  std::size_t asked = 0;
};

// False: no more answers will come.
bool ask(Output& output, const Walk& walk, const TimelineRow& row, std::istream& input, Score& score) {
  output.write(question(row, may_read(row)));
  output.flush();
  for (std::string line; std::getline(input, line);) {
    const Answer answer = judge_answer(line, row.outcome);
    if (answer.kind == Answer::Kind::quit) return false;
    if (answer.kind == Answer::Kind::not_understood) {
      output.write(
          fmt::format("  not understood: {}; write g, w, f, 'reads VALUE', or q to end: ", quote(line)));
      output.flush();
      continue;
    }
    const bool is_right = answer.kind == Answer::Kind::right;
    ++score.asked;
    score.right += is_right ? 1 : 0;
    const std::string told = (is_right ? "right: " : "no: ") + describe_outcome(row.outcome);
    output.write("  " + dress(walk.look.palette, is_right ? Tone::good : Tone::bad, told) + "\n\n");
    return true;
  }
  output.write("\n  (no more answers come: the rest is shown without questions)\n\n");
  return false;
}

}  // namespace

Answer judge_answer(std::string_view text, const Outcome& outcome) {
  std::string answer(trimmed(text));
  std::string lower = answer;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto judged = [](bool is_right) {
    return Answer{is_right ? Answer::Kind::right : Answer::Kind::wrong};
  };
  if (is_one_of(lower, {"q", "quit"})) return {Answer::Kind::quit};
  if (is_one_of(lower, {"g", "goes", "go", "goes on", "go on"})) {
    return judged(outcome.kind == Kind::goes_on || outcome.kind == Kind::reads);
  }
  if (is_one_of(lower, {"w", "wait", "waits"}) || lower.starts_with("waits for ")) {
    return judged(outcome.kind == Kind::waits);
  }
  if (is_one_of(lower, {"f", "fail", "fails", "aborts"}) || lower.starts_with("fails with ")) {
    return judged(outcome.kind == Kind::fails);
  }
  for (const std::string_view word : {"reads ", "read ", "r "}) {
    if (lower.starts_with(word)) {
      return judged(outcome.kind == Kind::reads && bare(answer.substr(word.size())) == bare(outcome.value));
    }
  }
  if (answer.empty()) return {};
  if (outcome.kind == Kind::reads) {
    const bool is_none = outcome.value.empty() && lower == "no rows";
    return judged(is_none || bare(answer) == bare(outcome.value));
  }
  const bool is_value = std::isdigit(static_cast<unsigned char>(lower.front())) != 0 ||
                        lower.front() == '"' || is_one_of(lower, {"absent", "true", "false"});
  return is_value ? judged(false) : Answer{};
}

ExitCode ask_through(const Walk& walk, std::istream& input) {
  Output output(STDOUT_FILENO);
  const Lanes lanes(walk.timeline, walk.look);
  output.write(walk.start + lanes.head());
  output.write(
      "\n  Answer g (it goes on), w (it waits), f (it fails), what it reads, or q for the rest at once.\n");
  Score score;
  bool asks = true;
  for (std::size_t i = 0; i < walk.timeline.rows.size() && output.ok(); ++i) {
    const TimelineRow& row = walk.timeline.rows[i];
    if (asks && row.outcome.kind != Kind::none) asks = ask(output, walk, row, input, score);
    output.write(lanes.row(i));
  }
  output.write(lanes.foot() + walk.end);
  if (score.asked > 0) {
    output.write(fmt::format("\n  You were right {} of {} times.\n", score.right, score.asked));
  } else {
    output.write("\n  No prediction was made.\n");
  }
  return finish(output);
}

}  // namespace isolith::tools
