// Reading scenario files, line by line.
#include "anomalies/scenario_parser.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "anomalies/expectation_parser.h"
#include "anomalies/expression_parser.h"
#include "anomalies/scenario_lexer.h"
#include "anomalies/session_parser.h"

namespace isolith::anomalies {
namespace {

// Words of other languages, and what they are here.
struct Synonym {
  std::string_view word;
  std::string_view section;
};
constexpr std::array<Synonym, 12> kSynonyms = {{{"title", "scenario"},
                                                {"name", "scenario"},
                                                {"about", "shows"},
                                                {"description", "story"},
                                                {"given", "table"},
                                                {"transaction", "session"},
                                                {"schedule", "order"},
                                                {"interleaving", "order"},
                                                {"assert", "invariant"},
                                                {"check", "invariant"},
                                                {"always", "invariant"},
                                                {"never", "anomaly"}}};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// Reads a file once, from the first line to the last, and stops at the first problem.
class ScenarioParser {
 public:
  explicit ScenarioParser(Problem& problem) : problem_(problem) {}

  bool read(std::string_view text);
  Scenario take() { return std::move(scenario_); }

 private:
  enum class Body : std::uint8_t { none, story, table, session, expect };

  struct Section {
    std::string_view word;
    bool (ScenarioParser::*open)(LineReader& line);
  };
  static constexpr std::size_t kSections = 9;
  static const std::array<Section, kSections> kSectionWords;

  static bool is_section(std::string_view word);
  bool read_line(std::string_view text, std::uint32_t number);
  bool read_section(LineReader& line);
  bool read_body(LineReader& line, std::string_view text);
  bool unknown_section(LineReader& line);
  bool close_section();
  bool finish(std::uint32_t lines);

  bool open_title(LineReader& line);
  bool open_shows(LineReader& line);
  bool open_story(LineReader& line);
  bool open_table(LineReader& line);
  bool open_session(LineReader& line);
  bool open_order(LineReader& line);
  bool open_invariant(LineReader& line) { return read_condition(line, scenario_.invariants); }
  bool open_anomaly(LineReader& line) { return read_condition(line, scenario_.anomalies); }
  bool open_expect(LineReader& line);

  bool read_row(LineReader& line);
  bool read_row_value(LineReader& line, std::string& value);
  void read_story(std::string_view text);
  bool read_condition(LineReader& line, std::vector<Condition>& conditions);

  Problem& problem_;
  Scenario scenario_;
  Body body_ = Body::none;
  Place section_;  // the one that is open
  std::string_view section_word_;
  std::optional<Place> story_;
  bool paragraph_ended_ = false;
  std::map<std::string, std::uint32_t, std::less<>> row_lines_;  // of the open table
  std::optional<SessionParser> session_;
  std::optional<Place> first_order_;
  std::optional<Program> outline_;
};

const std::array<ScenarioParser::Section, ScenarioParser::kSections> ScenarioParser::kSectionWords = {{
    {"scenario", &ScenarioParser::open_title},
    {"shows", &ScenarioParser::open_shows},
    {"story", &ScenarioParser::open_story},
    {"table", &ScenarioParser::open_table},
    {"session", &ScenarioParser::open_session},
    {"order", &ScenarioParser::open_order},
    {"invariant", &ScenarioParser::open_invariant},
    {"anomaly", &ScenarioParser::open_anomaly},
    {"expect", &ScenarioParser::open_expect},
}};

bool ScenarioParser::read(std::string_view text) {
  std::uint32_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!read_line(line, ++number)) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return finish(number);
}

bool ScenarioParser::read_line(std::string_view text, std::uint32_t number) {
  LineReader line(text, number, problem_);
  const bool indented = text.starts_with(' ') || text.starts_with('\t');
  if (trimmed(text).empty()) {
    paragraph_ended_ = true;
    return true;
  }
  if (line.sees("//") && !(indented && body_ == Body::story)) {
    return line.wrong("a comment begins with `#`, not with `//`");
  }
  if (indented) return read_body(line, text);
  return line.at_end() || read_section(line);
}

bool ScenarioParser::read_section(LineReader& line) {
  if (!close_section()) return false;
  section_ = line.place();
  const std::string_view word = line.peek_name();
  const auto section = std::find_if(kSectionWords.begin(), kSectionWords.end(),
                                    [word](const Section& known) { return known.word == word; });
  if (section == kSectionWords.end()) return unknown_section(line);
  if (scenario_.title.empty() && word != "scenario") {
    return line.wrong("a scenario begins with its title; write `scenario TITLE` above this line");
  }
  section_word_ = line.take_name();
  if (line.sees(":")) return line.wrong("a colon stands behind " + quoted(section_word_) + "; leave it out");
  return (this->*section->open)(line);
}

bool ScenarioParser::is_section(std::string_view word) {
  return std::any_of(kSectionWords.begin(), kSectionWords.end(),
                     [word](const Section& known) { return known.word == word; });
}

bool ScenarioParser::unknown_section(LineReader& line) {
  std::vector<std::string_view> words;
  for (const Section& section : kSectionWords) words.push_back(section.word);
  const std::string_view word = line.peek_name();
  const std::string sections = "the sections are " + listed(words, "none");
  if (word.empty()) return line.wrong("a section was expected, not " + line.excerpt() + "; " + sections);
  const std::string text = "there is no section " + quoted(word);
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.word == word) return line.wrong(text + "; write " + quoted(synonym.section));
  }
  if (is_step_word(word)) return line.wrong(quoted(word) + " is a step; indent it");
  if (is_word_of_the_language(word) || line.sees_assignment()) {
    return line.wrong(text + "; rows, steps and expectations are indented: write blanks in front of them");
  }
  return line.wrong(text + did_you_mean(word, words, sections));
}

bool ScenarioParser::read_body(LineReader& line, std::string_view text) {
  if (body_ == Body::story) {
    read_story(trimmed(text));
    return true;
  }
  if (line.at_end()) return true;
  switch (body_) {
    case Body::table:
      return read_row(line);
    case Body::session:
      return session_->read_step(line);
    case Body::expect:
      return read_expected(line, scenario_, scenario_.expectations.back().items.emplace_back());
    default:
      break;
  }
  if (is_section(line.peek_name())) {
    return line.wrong(quoted(line.peek_name()) + " begins in the first column; delete the blanks before it");
  }
  if (section_word_.empty())
    return line.wrong("a scenario begins with its title; write `scenario TITLE` above this line");
  return line.wrong("this line is indented, and " + quoted(section_word_) +
                    " has no lines of its own; begin a section in the first column");
}

bool ScenarioParser::close_section() {
  const Body body = std::exchange(body_, Body::none);
  switch (body) {
    case Body::story:
      if (!scenario_.story.empty()) return true;
      return problem_.found(section_, "this story has no text; write it in the lines below, indented");
    case Body::table: {
      std::vector<Row>& rows = scenario_.tables.back().rows;
      std::sort(rows.begin(), rows.end(),
                [](const Row& left, const Row& right) { return left.key < right.key; });
      return true;
    }
    case Body::session:
      return session_->close();
    case Body::expect:
      if (!scenario_.expectations.back().items.empty()) return true;
      return problem_.found(section_,
                            "nothing is expected here; write what is in the lines below, indented: "
                            "`happens`, `prevented` or a condition");
    default:
      return true;
  }
}

bool ScenarioParser::finish(std::uint32_t lines) {
  if (!close_section()) return false;
  const Place end{lines + 1, 1};
  if (scenario_.title.empty()) {
    return problem_.found(end, "there is nothing in this file; a scenario begins with `scenario TITLE`");
  }
  if (scenario_.sessions.empty()) {
    return problem_.found(end,
                          "there is no session in this file; write `session NAME`, and its steps below, "
                          "indented");
  }
  if (!first_order_) scenario_.all_orders = true;
  return true;
}

bool ScenarioParser::open_title(LineReader& line) {
  if (!scenario_.title.empty())
    return line.wrong_at(section_, "a file has one scenario; write the other in a file of its own");
  scenario_.title = line.take_raw_rest();
  return !scenario_.title.empty() ||
         line.wrong("the title was expected, not the end of the line; write `scenario TITLE`");
}

bool ScenarioParser::open_shows(LineReader& line) {
  if (!scenario_.shows.empty())
    return line.wrong_at(section_, "`shows` stands in this file twice; write it once");
  scenario_.shows = line.take_raw_rest();
  return !scenario_.shows.empty() ||
         line.wrong(
             "the phenomenon was expected, not the end of the line; write `shows write skew (G2-item)`");
}

bool ScenarioParser::open_story(LineReader& line) {
  if (story_) {
    return line.wrong_at(section_, "there is a story in line " + std::to_string(story_->line) +
                                       " already; write all paragraphs there");
  }
  story_ = section_;
  body_ = Body::story;
  if (line.take_raw_rest().empty()) return true;
  return line.wrong_at(section_, "a story begins in the line below `story`; write it there, indented");
}

void ScenarioParser::read_story(std::string_view text) {
  std::string& story = scenario_.story;
  if (!story.empty()) story += paragraph_ended_ ? "\n\n" : " ";
  story += text;
  paragraph_ended_ = false;
}

bool ScenarioParser::open_table(LineReader& line) {
  const Place place = line.place();
  std::string_view name;
  if (!read_new_name(line, "table", name)) return false;
  for (const TableScript& table : scenario_.tables) {
    if (table.name != name) continue;
    return line.wrong_at(place, "there is a table " + quoted(name) + " in line " +
                                    std::to_string(table.place.line) + " already; write all rows there");
  }
  if (scenario_.tables.size() == kMaxTables) {
    return line.wrong_at(place,
                         "this is one table too many; a scenario may have " + std::to_string(kMaxTables));
  }
  scenario_.tables.push_back({std::string(name), place, {}});
  row_lines_.clear();
  body_ = Body::table;
  return line.expect_end("write the rows in the lines below, indented: KEY = VALUE");
}

bool ScenarioParser::read_row(LineReader& line) {
  const Place place = line.place();
  Row row;
  if (!line.read_key(row.key)) return false;
  if (line.sees("/")) return line.wrong("a row's key stands without its table here; write KEY = VALUE");
  if (!line.take("=")) return line.wrong("`=` was expected, not " + line.excerpt() + "; write KEY = VALUE");
  if (!read_row_value(line, row.value) ||
      !line.expect_end("a row is KEY = VALUE; write the next one in a line of its own")) {
    return false;
  }
  const auto [known, is_new] = row_lines_.try_emplace(row.key, place.line);
  if (!is_new) {
    return line.wrong_at(place, "there is a row " + quoted(row.key) + " in line " +
                                    std::to_string(known->second) +
                                    " already; each key stands in a table once");
  }
  scenario_.tables.back().rows.push_back(std::move(row));
  return true;
}

bool ScenarioParser::read_row_value(LineReader& line, std::string& value) {
  if (line.sees("\"")) return line.read_text(value);
  const Place place = line.place();
  const bool negative = line.take("-");
  if (line.digit_follows()) {
    std::int64_t number = 0;
    if (!line.read_number(negative, number)) return false;
    value = std::to_string(number);
    return true;
  }
  const std::string_view word = line.peek_word();
  if (word == "absent")
    return line.wrong_at(place, "a row that is absent is not written; leave this line out");
  std::string text = "a whole number or a text in quotes was expected, not " + line.excerpt();
  if (!word.empty()) text += "; write \"" + std::string(word) + "\" in quotes";
  if (word.empty()) text += "; write 100, or \"text\" in double quotes";
  return line.wrong_at(place, std::move(text));
}

bool ScenarioParser::open_session(LineReader& line) {
  if (first_order_) {
    return line.wrong_at(section_, "a session stands below an order, in line " +
                                       std::to_string(first_order_->line) +
                                       "; write all sessions above the orders");
  }
  body_ = Body::session;
  session_.emplace(scenario_, problem_);
  return session_->open(line);
}

bool ScenarioParser::open_order(LineReader& line) {
  if (scenario_.sessions.empty())
    return line.wrong_at(section_, "there is no session above this order; write it below the sessions");
  if (!first_order_) first_order_ = section_;
  const std::size_t begin = line.offset();
  if (line.take_word("all")) {
    scenario_.all_orders = true;
    return line.expect_end("write `order all` alone, or the steps, as in `order A1 B1 A2 B2`");
  }
  if (line.at_end())
    return line.wrong(
        "steps were expected, not the end of the line; write `order A1 B1 A2 B2` or `order all`");
  if (!outline_) outline_ = outline(scenario_);
  ScheduleProblem wrong;
  std::optional<Schedule> schedule = parse_schedule(line.take_rest(), *outline_, wrong);
  if (!schedule) return line.wrong_at(line.place_of(begin + wrong.at), std::move(wrong.what));
  scenario_.orders.push_back(*std::move(schedule));
  return true;
}

bool ScenarioParser::read_condition(LineReader& line, std::vector<Condition>& conditions) {
  Condition condition;
  const std::size_t begin = line.offset();
  condition.place = line.place();
  if (!ExpressionParser(line, {scenario_}).read_condition(condition.expression)) return false;
  if (!line.expect_end("a condition ends before it; join two with `and` or `or`")) return false;
  condition.text = line.text_since(begin);
  conditions.push_back(std::move(condition));
  return true;
}

bool ScenarioParser::open_expect(LineReader& line) {
  Expectation& expectation = scenario_.expectations.emplace_back();
  expectation.place = section_;
  body_ = Body::expect;
  return read_levels(line, expectation);
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  Problem problem;
  ScenarioParser parser(problem);
  if (text.size() > kMaxScenarioBytes) {
    problem.found({1, 1}, "this file has " + std::to_string(text.size()) + " bytes; a scenario may have " +
                              std::to_string(kMaxScenarioBytes) + " at most");
  } else {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (check_text(text, problem) && parser.read(text)) return parser.take();
  }
  std::string message(name);
  message += ":" + to_text(problem.place()) + ": ";
  return Status(StatusCode::invalid_argument, message + problem.text());
}

}  // namespace isolith::anomalies
