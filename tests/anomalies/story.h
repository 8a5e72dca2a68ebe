// Story: a scenario and a run of it, told operation by operation, for tests of what is made of runs. Nothing
// is checked: it tells what no sound engine would do, too.
//
// Threads: from one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::anomalies {

class Story {
 public:
  // How many transactions each of the sessions A, B, ... has. The one table is "x".
  explicit Story(const std::vector<std::uint32_t>& transactions) {
    scenario.tables.push_back({"x", {}, {}});
    for (std::uint32_t i = 0; i < transactions.size(); ++i) {
      SessionScript& session = scenario.sessions.emplace_back();
      session.name = std::string(1, static_cast<char>('A' + i));
      next_.push_back(static_cast<std::uint32_t>(run.transactions.size()));
      for (std::uint32_t j = 0; j < transactions[i]; ++j) run.transactions.emplace_back().session = i;
    }
    run.variables.resize(transactions.size());
  }

  // Before everything else; by key.
  std::uint32_t row(std::string_view key, std::string_view value) {
    Write& write = run.writes.emplace_back();
    write.key = key;
    write.value = value;
    return number_of(write);
  }

  std::uint32_t put(std::uint32_t session, std::string_view key, std::optional<std::string> value) {
    const StepKind kind = value ? StepKind::put : StepKind::erase;
    return write(operation(session, kind, {0, false, std::string(key), {}}), key, std::move(value));
  }
  std::uint32_t erase(std::uint32_t session, std::string_view key) { return put(session, key, std::nullopt); }
  std::uint32_t insert(std::uint32_t session, std::string_view key, std::string_view value) {
    return write(operation(session, StepKind::insert, {0, false, std::string(key), {}}), key,
                 std::string(value));
  }
  // An `insert` or `erase` that failed with `code`.
  void fail(std::uint32_t session, StepKind kind, std::string_view key, StatusCode code) {
    Operation& failed = operation(session, kind, {0, false, std::string(key), {}});
    failed.end = OperationEnd::failed;
    failed.status = Status(code, "");
  }

  void get(std::uint32_t session, std::string_view key, std::uint32_t write) {
    Operation& reading = operation(session, StepKind::get, {0, false, std::string(key), {}});
    reading.reads.push_back({0, std::string(key), write, reading.ended_at, true});
  }

  // What it found: rows that are there, whether they fit or not; `where`: value = this text.
  void range(std::uint32_t session, StepKind kind, const std::vector<std::uint32_t>& found,
             std::optional<std::string> where = {}, Target target = {0, true, "", {}}) {
    Operation& reading = operation(session, kind, std::move(target));
    if (where) scenario.sessions[session].steps.back().where = value_is(*where);
    for (const std::uint32_t i : found) {
      const bool fits = !where || run.writes[i].value == where;
      reading.reads.push_back({0, run.writes[i].key, i, reading.ended_at, fits});
    }
  }

  void savepoint(std::uint32_t session, std::uint32_t savepoint = 0) {
    operation(session, StepKind::savepoint, {});
    scenario.sessions[session].steps.back().savepoint = savepoint;
  }
  // Undoes these writes.
  void roll_back(std::uint32_t session, const std::vector<std::uint32_t>& writes,
                 std::uint32_t savepoint = 0) {
    operation(session, StepKind::rollback_to, {});
    scenario.sessions[session].steps.back().savepoint = savepoint;
    for (const std::uint32_t i : writes) run.writes[i].state = WriteState::undone;
  }

  void begin(std::uint32_t session) { operation(session, StepKind::begin, {}); }
  void commit(std::uint32_t session) { end(session, StepKind::commit, TransactionEnd::committed); }
  void abort(std::uint32_t session) { end(session, StepKind::abort, TransactionEnd::aborted); }
  void lose(std::uint32_t session) { end(session, StepKind::commit, TransactionEnd::failed); }

  Scenario scenario;
  Run run;

 private:
  static Expression value_is(const std::string& text) {
    Expression equal;
    equal.op = Operator::equal;
    equal.operands.resize(2);
    equal.operands[0].op = Operator::row_value;
    equal.operands[1].literal = text;
    return equal;
  }

  [[nodiscard]] std::uint32_t number_of(const Write& write) const {
    return static_cast<std::uint32_t>(&write - run.writes.data());
  }

  Operation& operation(std::uint32_t session, StepKind kind, Target target) {
    std::vector<Step>& steps = scenario.sessions[session].steps;
    Step& step = steps.emplace_back();
    step.kind = kind;
    step.target = std::move(target);
    Operation& made = run.operations.emplace_back();
    made.session = session;
    made.step = static_cast<std::uint32_t>(steps.size());
    made.transaction = next_[session];
    made.began_at = made.ended_at = now_++;
    TransactionRecord& record = run.transactions[made.transaction];
    if (record.first_step == 0) {
      record.first_step = made.step;
      record.began_at = made.began_at;
    }
    record.last_step = made.step;
    return made;
  }

  std::uint32_t write(Operation& writing, std::string_view key, std::optional<std::string> value) {
    Write& write = run.writes.emplace_back();
    write.key = key;
    write.value = std::move(value);
    write.transaction = writing.transaction;
    write.session = writing.session;
    write.step = writing.step;
    write.at = writing.ended_at;
    writing.writes.push_back(number_of(write));
    return number_of(write);
  }

  void end(std::uint32_t session, StepKind kind, TransactionEnd how) {
    TransactionRecord& record = run.transactions[next_[session]];
    record.ended_at = operation(session, kind, {}).ended_at;
    record.end = how;
    ++next_[session];
  }

  std::uint32_t now_ = 0;
  std::vector<std::uint32_t> next_;  // of each session: its transaction
};

}  // namespace isolith::anomalies
