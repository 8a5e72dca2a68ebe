// Judging runs one by one, and saying what was expected and not seen.
#include "anomalies/judgement.h"

#include <algorithm>
#include <utility>

#include "anomalies/condition_text.h"

namespace isolith::anomalies {
namespace {

const Event* find_wait(const Run& run) {
  const auto found = std::find_if(run.trace.events.begin(), run.trace.events.end(),
                                  [](const Event& event) { return event.kind == EventKind::blocked; });
  return found == run.trace.events.end() ? nullptr : &*found;
}

bool fails_with_conflict(const Operation& operation) {
  return operation.end == OperationEnd::failed && operation.status.is(StatusCode::conflict);
}

// The first operation that `is_it`; null: none.
template <typename Predicate>
const Operation* find_operation(const Run& run, Predicate is_it) {
  const auto found = std::find_if(run.operations.begin(), run.operations.end(), is_it);
  return found == run.operations.end() ? nullptr : &*found;
}

bool is_named(const Status& status, const std::string& name) {
  return status_name(status) == name || to_string(status.code()) == name;
}

// What goes wrong in a run.
struct Wrong {
  bool anything = false;
  const Condition* invariant = nullptr;  // that does not hold
  const Condition* anomaly = nullptr;    // that does; neither: no serial order has the outcome
};

Result<Wrong> find_wrong(const Scenario& scenario, const Run& run, SerialOutcomes& serial) {
  const RunScope scope(run);
  for (const Condition& condition : scenario.invariants) {
    Result<bool> holds = is_true(condition.expression, scope);
    if (!holds.ok()) return std::move(holds).status();
    if (!*holds) return Wrong{true, &condition, nullptr};
  }
  for (const Condition& condition : scenario.anomalies) {
    Result<bool> holds = is_true(condition.expression, scope);
    if (!holds.ok()) return std::move(holds).status();
    if (*holds) return Wrong{true, nullptr, &condition};
  }
  if (!scenario.invariants.empty() || !scenario.anomalies.empty()) return Wrong();
  Result<bool> is_serial = serial.has(run);
  if (!is_serial.ok()) return std::move(is_serial).status();
  return Wrong{!*is_serial, nullptr, nullptr};
}

// "the invariant `...` does not hold (sum accounts is 90)".
std::string say(const Wrong& wrong, const Scenario& scenario, const Run& run) {
  const Condition* condition = wrong.invariant != nullptr ? wrong.invariant : wrong.anomaly;
  if (condition == nullptr) return "no serial order gives what was read and what is stored at the end";
  std::string text = wrong.invariant != nullptr ? "the invariant `" : "the anomaly `";
  text.append(condition->text).append(wrong.invariant != nullptr ? "` does not hold" : "` holds");
  const std::string values = describe_values(condition->expression, scenario, run);
  return values.empty() ? text : text.append(" (").append(values).append(")");
}

// "B2", the step of an operation.
std::string step_name(const Program& program, std::uint32_t session, std::uint32_t step) {
  std::string text;
  append_step(text, program.sessions[session], step);
  return text;
}

// "B2 waits for A".
std::string say_wait(const Program& program, const Event& wait) {
  std::string text = step_name(program, wait.session, wait.step).append(" waits for ");
  if (wait.holder_sessions.empty()) return text += "somebody who is no session";
  return text += holder_names(wait, program.sessions);
}

// "B2 fails with conflict/deadlock".
std::string say_failure(const Program& program, const Operation& operation) {
  std::string text = step_name(program, operation.session, operation.step).append(" fails with ");
  return text += status_name(operation.status);
}

const TransactionRecord* last_transaction(const Run& run, std::uint32_t session) {
  const TransactionRecord* last = nullptr;
  for (const TransactionRecord& record : run.transactions) {
    if (record.session == session) last = &record;
  }
  return last;
}

bool commits(const Run& run, std::uint32_t session) {
  const TransactionRecord* last = last_transaction(run, session);
  return last != nullptr && last->end == TransactionEnd::committed;
}

// What became of the session: "B2 fails with conflict/deadlock", "B commits".
std::string say_end(const Program& program, const Run& run, std::uint32_t session) {
  for (auto it = run.operations.rbegin(); it != run.operations.rend(); ++it) {
    if (it->session != session) continue;
    if (it->end == OperationEnd::failed) return say_failure(program, *it);
    if (it->end != OperationEnd::refused) continue;
    return step_name(program, session, it->step).append(" aborts, since what it requires is not true");
  }
  return program.sessions[session].name + (commits(run, session) ? " commits" : " aborts");
}

// What the session waited for instead: "B2 waits for C", "B waits for nobody: B commits".
std::string say_waits_of(const Program& program, const Run& run, std::uint32_t session) {
  const auto wait = std::find_if(
      run.trace.events.begin(), run.trace.events.end(),
      [session](const Event& event) { return event.kind == EventKind::blocked && event.session == session; });
  if (wait != run.trace.events.end()) return say_wait(program, *wait);
  return program.sessions[session].name + " waits for nobody: " + say_end(program, run, session);
}

// Whether one run is enough for it: the others must be so in every run, or are of all runs together.
bool is_of_one_run(Expected::Kind kind) {
  return kind == Expected::Kind::waits || kind == Expected::Kind::fails;
}

bool is_seen(const Expected& expected, const Run& run) {
  if (expected.kind == Expected::Kind::waits) {
    return std::any_of(run.trace.events.begin(), run.trace.events.end(), [&expected](const Event& event) {
      return event.kind == EventKind::blocked && event.session == expected.session &&
             waits_for(event, expected.other);
    });
  }
  return find_operation(run, [&expected](const Operation& operation) {
           return operation.session == expected.session && operation.end == OperationEnd::failed &&
                  is_named(operation.status, expected.status);
         }) != nullptr;
}

// How the run is not as every run must be; empty: it is.
Result<std::string> find_contrary(const Expected& expected, const Scenario& scenario, const Program& program,
                                  const Run& run) {
  if (expected.kind == Expected::Kind::nobody_waits) {
    const Event* wait = find_wait(run);
    return wait == nullptr ? std::string() : say_wait(program, *wait);
  }
  if (expected.kind == Expected::Kind::nobody_fails) {
    const Operation* failed =
        find_operation(run, [](const Operation& operation) { return operation.end == OperationEnd::failed; });
    return failed == nullptr ? std::string() : say_failure(program, *failed);
  }
  if (expected.kind == Expected::Kind::commits) {
    return commits(run, expected.session) ? std::string() : say_end(program, run, expected.session);
  }
  if (expected.kind != Expected::Kind::holds) return std::string();
  Result<bool> holds = is_true(*expected.condition, RunScope(run));
  if (!holds.ok()) return std::move(holds).status();
  if (*holds) return std::string();
  std::string values = describe_values(*expected.condition, scenario, run);
  return values.empty() ? "it is never true" : values;
}

}  // namespace

Result<bool> shows_anomaly(const Scenario& scenario, const Run& run, SerialOutcomes& serial) {
  const Result<Wrong> wrong = find_wrong(scenario, run, serial);
  if (!wrong.ok()) return wrong.status();
  return wrong->anything;
}

// ---- run by run ----

Judgement::Judgement(const Scenario& scenario, std::string_view level, SerialOutcomes& serial)
    : scenario_(scenario), serial_(serial), level_(level), program_(outline(scenario)) {
  for (const Expectation& expectation : scenario.expectations) {
    const std::vector<std::string>& levels = expectation.levels;
    if (std::find(levels.begin(), levels.end(), level) == levels.end()) continue;
    for (const Expected& expected : expectation.items) items_.push_back({&expected, false, std::nullopt});
  }
}

Status Judgement::add(const Run& run) {
  const Result<Wrong> wrong = find_wrong(scenario_, run, serial_);
  if (!wrong.ok()) return wrong.status();
  if (wrong->anything && !first_showing_) {
    first_showing_ = run.trace.schedule;
    first_anomaly_ = anomalies::say(*wrong, scenario_, run);
  }
  const Event* wait = find_wait(run);
  if (wait != nullptr && !first_waiting_) {
    first_waiting_ = Sighting{run.trace.schedule, say_wait(program_, *wait)};
  }
  const Operation* failed = find_operation(run, fails_with_conflict);
  if (failed != nullptr && !first_aborting_) {
    first_aborting_ = Sighting{run.trace.schedule, say_failure(program_, *failed)};
  }
  for (Item& item : items_) {
    if (Status status = look(item, run); !status.ok()) return status;
  }
  last_shows_ = wrong->anything;
  ++runs_;
  showing_ += wrong->anything ? 1 : 0;
  waiting_ += wait != nullptr ? 1 : 0;
  aborting_ += failed != nullptr ? 1 : 0;
  return {};
}

// Looks for what the item must have in one run, or for how it is not as it must be in each.
Status Judgement::look(Item& item, const Run& run) {
  const Expected& expected = *item.expected;
  if (!is_of_one_run(expected.kind)) {
    if (item.instead) return {};
    Result<std::string> contrary = find_contrary(expected, scenario_, program_, run);
    if (!contrary.ok()) return std::move(contrary).status();
    if (!contrary->empty()) item.instead = Sighting{run.trace.schedule, *std::move(contrary)};
    return {};
  }
  item.seen = item.seen || is_seen(expected, run);
  if (item.seen || item.instead) return {};
  item.instead = Sighting{run.trace.schedule, expected.kind == Expected::Kind::waits
                                                  ? say_waits_of(program_, run, expected.session)
                                                  : say_end(program_, run, expected.session)};
  return {};
}

// ---- of all runs ----

Verdict Judgement::verdict() const noexcept {
  if (showing_ > 0) return Verdict::happens;
  if (aborting_ > 0) return Verdict::aborting;
  return waiting_ > 0 ? Verdict::waiting : Verdict::snapshot;
}

// "in A1 B1 A2 B2: B2 waits for A".
std::string Judgement::say(const Sighting& sighting) const {
  return "in " + to_string(sighting.order, program_) + ": " + sighting.what;
}

// "it happens in 2 of 6 orders, as in A1 B1 A2 B2: the invariant ... does not hold".
std::string Judgement::say_verdict() const {
  const std::string count = std::to_string(runs_);
  switch (verdict()) {
    case Verdict::happens: {
      std::string text = "it happens ";
      if (runs_ > 1) text += "in " + std::to_string(showing_) + " of " + count + " orders, as ";
      return text + say({*first_showing_, first_anomaly_});
    }
    case Verdict::waiting:
      return "it is prevented by waiting, " + say(*first_waiting_);
    case Verdict::aborting:
      return "it is prevented by aborting, " + say(*first_aborting_);
    case Verdict::snapshot:
      break;
  }
  return runs_ == 1 ? "it does not happen, and nobody waits or fails with a conflict"
                    : "it happens in none of " + count + " orders, and nobody waits or fails with a conflict";
}

std::string Judgement::contradiction(const Item& item) const {
  if (runs_ == 0) return "no order was run";
  const Expected& expected = *item.expected;
  if (expected.kind == Expected::Kind::verdict) {
    return verdict() == expected.verdict ? "" : say_verdict();
  }
  if (expected.kind == Expected::Kind::prevented) {
    return verdict() != Verdict::happens ? "" : say_verdict();
  }
  if (!is_of_one_run(expected.kind)) return item.instead ? say(*item.instead) : "";
  if (item.seen) return "";
  if (runs_ == 1) return say(*item.instead);
  return "that is so in none of " + std::to_string(runs_) + " orders; " + say(*item.instead);
}

std::vector<Unmet> Judgement::unmet() const {
  std::vector<Unmet> unmet;
  for (const Item& item : items_) {
    const std::string contradiction = this->contradiction(item);
    if (contradiction.empty()) continue;
    unmet.push_back(
        {item.expected->place, "expected `" + item.expected->text + "` at " + level_ + "; " + contradiction});
  }
  return unmet;
}

bool Judgement::expects_anything() const noexcept { return !items_.empty(); }

// ---- names ----

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::happens:
      return "happens";
    case Verdict::waiting:
      return "waiting";
    case Verdict::aborting:
      return "aborting";
    case Verdict::snapshot:
      return "snapshot";
  }
  return "";
}

std::string status_name(const Status& status) {
  std::string name(isolith::to_string(status.code()));
  if (status.reason() != ConflictReason::none) name.append("/").append(isolith::to_string(status.reason()));
  return name;
}

}  // namespace isolith::anomalies
