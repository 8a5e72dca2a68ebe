// Scenario: what a scenario file says, as data: tables with their first values, sessions with their steps,
// the orders to take them in, what must hold, and what must be seen at each level.
//
// The language is described in docs/scenarios.md; `parse_scenario` (scenario_parser.h) makes one from text.
//
// Invariants of a parsed scenario:
//   1. Names are resolved: tables, sessions, variables and savepoints are indices that exist.
//   2. Each transaction of a session begins with its first step or with `begin`, and ends: the last step of a
//      session is `commit` or `abort`, and so is the one before each later `begin`.
//   3. A variable is assigned in an earlier step of the same session before a step uses it.
//   4. Every order in `orders` passes check_schedule for the sessions' step counts.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/expression.h"
#include "anomalies/schedule.h"

namespace isolith::anomalies {

inline constexpr std::size_t kMaxScenarioBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxTables = 64;
inline constexpr std::size_t kMaxSessions = 16;
inline constexpr std::size_t kMaxSteps = 64;   // of one session
inline constexpr std::size_t kMaxLevels = 32;  // of one `expect`

enum class StepKind : std::uint8_t {
  begin,
  get,
  get_for_update,
  get_for_share,
  put,     // `value` at the key `target`
  insert,  // fails with already_exists
  erase,   // fails with not_found
  update,  // each row of `target` that is `where`: locked, read again, put with `value` of its own
  scan,
  count,
  sum,
  exists,
  erase_range,  // each row of `target`; with `where`: locked and read again first
  require,      // aborts the transaction unless `condition`
  savepoint,
  rollback_to,
  commit,
  abort,
};

inline constexpr std::uint32_t kNoVariable = UINT32_MAX;

struct Step {
  StepKind kind = StepKind::begin;
  Place place;
  std::string text;                      // as it is written, without what surrounds it
  std::optional<Expression> condition;   // of `if` and `require`; with `if` a false one skips the step
  std::uint32_t variable = kNoVariable;  // what the step reads goes here
  Target target;
  std::optional<Expression> where;  // over `key` and `value` of each row, and variables
  std::optional<Expression> value;  // of `put`, `insert`, `update` (there also over `key` and `value`)
  std::uint32_t savepoint = 0;
};

struct SessionScript {
  std::string name;
  Place place;
  std::optional<std::string> level;  // none: the level of the run
  bool read_only = false;
  bool deferrable = false;
  std::vector<std::string> variables;
  std::vector<std::string> savepoints;
  std::vector<Step> steps;
};

struct TableScript {
  std::string name;
  Place place;
  std::vector<Row> rows;  // the first ones; by key, each once
};

// How a level keeps an anomaly away, or does not.
enum class Verdict : std::uint8_t {
  happens,
  waiting,   // nobody failed, and somebody waited
  aborting,  // somebody failed with a conflict
  snapshot,  // neither: everybody read what was committed
};

// One thing that must be seen at a level.
struct Expected {
  enum class Kind : std::uint8_t {
    verdict,
    prevented,  // any verdict but `happens`
    waits,      // `session` waits for `other`
    nobody_waits,
    fails,  // `session` fails with `status`, as in "conflict/deadlock"
    nobody_fails,
    commits,  // the last transaction of `session` commits
    holds,    // `condition`
  };
  Kind kind = Kind::verdict;
  Place place;
  std::string text;
  Verdict verdict = Verdict::happens;
  std::uint32_t session = 0;
  std::uint32_t other = 0;
  std::string status;
  std::optional<Expression> condition;
};

struct Expectation {
  std::vector<std::string> levels;  // one at least
  Place place;
  std::vector<Expected> items;  // one at least
};

// What must hold at the end (`invariant`), or must not be (`anomaly`).
struct Condition {
  Place place;
  std::string text;
  Expression expression;
};

struct Scenario {
  std::string title;
  std::string shows;  // the phenomenon, as in "write skew (G2-item)"
  std::string story;  // paragraphs between empty lines
  std::vector<TableScript> tables;
  std::vector<SessionScript> sessions;
  std::vector<Schedule> orders;  // empty only when `all_orders`
  bool all_orders = false;
  std::vector<Condition> invariants;  // over the final state
  std::vector<Condition> anomalies;   // over what committed transactions read, and the final state
  std::vector<Expectation> expectations;
};

// The sessions and how many steps each has, for texts of schedules; the steps do nothing.
Program outline(const Scenario& scenario);

}  // namespace isolith::anomalies
