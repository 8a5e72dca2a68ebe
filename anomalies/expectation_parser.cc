// Reading expectations.
#include "anomalies/expectation_parser.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "anomalies/expression_parser.h"
#include "anomalies/session_parser.h"
#include "isolith/status.h"

namespace isolith::anomalies {
namespace {

// What a step can fail with. Others are errors of the run: of the engine, or of the machine.
std::vector<std::string> statuses() {
  std::vector<std::string> names;
  for (const StatusCode code :
       {StatusCode::not_found, StatusCode::already_exists, StatusCode::conflict, StatusCode::snapshot_too_old,
        StatusCode::too_large, StatusCode::read_only, StatusCode::aborted}) {
    names.emplace_back(to_string(code));
  }
  for (const ConflictReason reason : {ConflictReason::write_conflict, ConflictReason::serialization,
                                      ConflictReason::deadlock, ConflictReason::lock_timeout}) {
    names.push_back("conflict/" + std::string(to_string(reason)));
  }
  return names;
}

std::vector<std::string_view> session_names(const Scenario& scenario) {
  std::vector<std::string_view> names;
  for (const SessionScript& session : scenario.sessions) names.push_back(session.name);
  return names;
}

bool read_session(LineReader& line, const Scenario& scenario, std::uint32_t& session) {
  const std::vector<std::string_view> names = session_names(scenario);
  const std::string_view name = line.peek_name();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return line.wrong("there is no session " + line.excerpt() + " above this line" +
                      did_you_mean(name, names, "the sessions are " + listed(names, "none so far")));
  }
  line.take_name();
  session = static_cast<std::uint32_t>(found - names.begin());
  return true;
}

bool read_prevented(LineReader& line, Expected& expected) {
  if (!line.take_word("by")) {
    expected.kind = Expected::Kind::prevented;
    return true;
  }
  constexpr std::array<std::pair<std::string_view, Verdict>, 3> kWays = {
      {{"waiting", Verdict::waiting}, {"aborting", Verdict::aborting}, {"snapshot", Verdict::snapshot}}};
  for (const auto& [word, verdict] : kWays) {
    if (!line.take_word(word)) continue;
    expected.verdict = verdict;
    return true;
  }
  return line.wrong("`waiting`, `aborting` or `snapshot` was expected, not " + line.excerpt() +
                    "; write `prevented by waiting`, or `prevented` alone");
}

bool read_nobody(LineReader& line, Expected& expected) {
  if (line.take_word("waits")) {
    expected.kind = Expected::Kind::nobody_waits;
  } else if (line.take_word("fails")) {
    expected.kind = Expected::Kind::nobody_fails;
  } else {
    return line.wrong("`waits` or `fails` was expected, not " + line.excerpt() +
                      "; write `nobody waits` or `nobody fails`");
  }
  return true;
}

bool read_wait(LineReader& line, const Scenario& scenario, Expected& expected) {
  if (!line.take_word("for")) {
    return line.wrong("`for` was expected, not " + line.excerpt() + "; write `B waits for A`");
  }
  const Place place = line.place();
  if (!read_session(line, scenario, expected.other)) return false;
  expected.kind = Expected::Kind::waits;
  if (expected.other != expected.session) return true;
  return line.wrong_at(place, "no session waits for itself; write the session that it waits for");
}

bool unknown_status(LineReader& line, Place place, const std::string& status,
                    const std::vector<std::string>& known) {
  const std::vector<std::string_view> words(known.begin(), known.end());
  const std::string all = "write one of " + listed(words, "none");
  if (status.empty())
    return line.wrong_at(place, "a status was expected, not " + line.excerpt() + "; " + all);
  const std::string text = "no step fails with " + quoted(status);
  const std::string reason = "conflict/" + status;
  if (std::find(known.begin(), known.end(), reason) != known.end()) {
    return line.wrong_at(place, text + "; write " + quoted(reason));
  }
  return line.wrong_at(place, text + did_you_mean(status, words, all));
}

bool read_failure(LineReader& line, Expected& expected) {
  if (!line.take_word("with")) {
    return line.wrong("`with` was expected, not " + line.excerpt() +
                      "; write `B fails with conflict/write_conflict`");
  }
  const Place place = line.place();
  expected.status = line.take_name();
  if (line.take_following("/")) expected.status.append(1, '/').append(line.take_name());
  const std::vector<std::string> known = statuses();
  expected.kind = Expected::Kind::fails;
  if (std::find(known.begin(), known.end(), expected.status) != known.end()) return true;
  return unknown_status(line, place, expected.status, known);
}

bool read_of_session(LineReader& line, const Scenario& scenario, Expected& expected) {
  if (!read_session(line, scenario, expected.session)) return false;
  if (line.take_word("waits")) return read_wait(line, scenario, expected);
  if (line.take_word("fails")) return read_failure(line, expected);
  if (line.take_word("commits")) {
    expected.kind = Expected::Kind::commits;
    return true;
  }
  constexpr std::array<std::string_view, 3> kVerbs = {"waits", "fails", "commits"};
  return line.wrong(
      "`waits for`, `fails with` or `commits` was expected, not " + line.excerpt() +
      did_you_mean(line.peek_name(), kVerbs,
                   "write `A commits`, `A fails with conflict` or `A waits for B`; what A read is `A.x`"));
}

// "A", "nobody", then a word: no condition begins like this.
bool is_about_session(LineReader& line, const Scenario& scenario) {
  const std::vector<std::string_view> names = session_names(scenario);
  const std::string_view name = line.peek_name();
  const std::string_view verb = line.peek_second();
  if (verb == "waits" || verb == "fails" || verb == "commits") return true;
  return std::find(names.begin(), names.end(), name) != names.end() && !line.sees_pointed_name();
}

// A word that is nearly one that begins an expectation, and is nothing else.
bool check_first_word(LineReader& line, const Scenario& scenario) {
  constexpr std::array<std::string_view, 3> kWords = {"happens", "prevented", "nobody"};
  const std::string_view word = line.peek_name();
  const std::vector<std::string_view> sessions = session_names(scenario);
  const bool known =
      is_word_of_the_language(word) || std::find(sessions.begin(), sessions.end(), word) != sessions.end();
  if (known || line.sees_pointed_name() || closest(word, kWords).empty()) return true;
  return line.wrong("nothing is expected with " + quoted(word) + did_you_mean(word, kWords, {}));
}

bool read_item(LineReader& line, const Scenario& scenario, Expected& expected) {
  if (line.take_word("happens")) return true;
  if (line.take_word("prevented")) return read_prevented(line, expected);
  if (line.take_word("nobody")) return read_nobody(line, expected);
  if (!check_first_word(line, scenario)) return false;
  if (is_about_session(line, scenario)) return read_of_session(line, scenario, expected);
  expected.kind = Expected::Kind::holds;
  return ExpressionParser(line, {scenario}).read_condition(expected.condition.emplace());
}

}  // namespace

bool read_levels(LineReader& line, Expectation& expectation) {
  while (expectation.levels.empty() || !line.at_end()) {
    const Place place = line.place();
    std::string_view name;
    if (!read_level_name(line, name)) return false;
    if (name == "any")
      return line.wrong_at(place, "`any` is no level here; write the levels that this is about");
    if (std::find(expectation.levels.begin(), expectation.levels.end(), name) != expectation.levels.end()) {
      return line.wrong_at(place, quoted(name) + " stands here twice; write it once");
    }
    if (expectation.levels.size() == kMaxLevels) {
      return line.wrong_at(place, "this is one level too many; an `expect` may have " +
                                      std::to_string(kMaxLevels) + ": begin another one");
    }
    expectation.levels.emplace_back(name);
  }
  return true;
}

bool read_expected(LineReader& line, const Scenario& scenario, Expected& expected) {
  const std::size_t begin = line.offset();
  expected.place = line.place();
  if (!read_item(line, scenario, expected)) return false;
  if (!line.expect_end("one expectation stands in a line, and this one ends before it")) return false;
  expected.text = line.text_since(begin);
  return true;
}

}  // namespace isolith::anomalies
