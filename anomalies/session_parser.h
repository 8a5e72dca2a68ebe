// Reading a session of a scenario: its first line, its steps, and whether they are transactions that end.
//
// Threads: from one thread at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "anomalies/scenario.h"
#include "anomalies/scenario_lexer.h"

namespace isolith::anomalies {

// Of one session, which is the last of the scenario's.
// "commit", "get".
bool is_step_word(std::string_view word);

class SessionParser {
 public:
  SessionParser(Scenario& scenario, Problem& problem) : scenario_(scenario), problem_(problem) {}

  bool open(LineReader& line);  // what stands behind `session`
  bool read_step(LineReader& line);
  bool close();

 private:
  enum class Phase : std::uint8_t { not_begun, in_progress, ended };

  bool read_options(LineReader& line, SessionScript& session);
  bool read_level(LineReader& line, SessionScript& session);
  bool read_action(LineReader& line, Step& step);
  bool read_reading(LineReader& line, Step& step);
  bool read_operands(LineReader& line, std::string_view word, Step& step);
  bool read_where(LineReader& line, Step& step);
  bool read_value(LineReader& line, std::string_view word, Step& step);
  bool read_condition(LineReader& line, Step& step);
  bool read_savepoint(LineReader& line, Step& step);
  bool check_phase(LineReader& line, std::string_view word);
  bool check_conditional(LineReader& line, std::string_view word);
  [[nodiscard]] std::uint32_t number() const {
    return static_cast<std::uint32_t>(scenario_.sessions.size()) - 1;
  }

  Scenario& scenario_;
  Problem& problem_;
  Phase phase_ = Phase::not_begun;
  std::vector<std::uint32_t> savepoints_;  // that the transaction can roll back to, in their order
};

// The name of a level: lower case.
bool read_level_name(LineReader& line, std::string_view& name);

// A name that follows `what`: "table". Words of the language are none.
bool read_new_name(LineReader& line, std::string_view what, std::string_view& name);

}  // namespace isolith::anomalies
