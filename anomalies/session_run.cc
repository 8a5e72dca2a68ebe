// What each kind of step does on the engine, and what is written down of it.
#include "anomalies/session_run.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace isolith::anomalies {
namespace {

// Whether the engine gave the transaction up, or the step alone failed. Anything else is no outcome.
bool ends_transaction(const Status& status) {
  return status.is(StatusCode::conflict) || status.is(StatusCode::snapshot_too_old) ||
         status.is(StatusCode::aborted);
}
bool fails_step(const Status& status) {
  return status.is(StatusCode::not_found) || status.is(StatusCode::already_exists) ||
         status.is(StatusCode::read_only) || status.is(StatusCode::too_large);
}

Status at_place(Place place, std::string_view text) {
  return {StatusCode::invalid_argument, to_text(place).append(": ").append(text)};
}

}  // namespace

class SessionRun::Variables final : public Scope {
 public:
  explicit Variables(const SessionRun& session) : session_(session) {}
  [[nodiscard]] const Value& variable(std::uint32_t /*session*/, std::uint32_t variable) const override {
    return session_.variables_[variable];
  }
  [[nodiscard]] const std::vector<Row>* rows(std::uint32_t /*table*/) const override { return nullptr; }

 private:
  const SessionRun& session_;
};

SessionRun::SessionRun(RunState& state, std::uint32_t session, std::unique_ptr<EngineSession> engine)
    : state_(state),
      script_(state.scenario->sessions[session]),
      session_(session),
      engine_(std::move(engine)) {}

void SessionRun::begin_run() {
  variables_.assign(script_.variables.size(), Unread());
  was_read_.assign(script_.variables.size(), false);
  savepoint_writes_.assign(script_.savepoints.size(), 0);
  const std::vector<TransactionRecord>& transactions = state_.run->transactions;
  const auto first = std::find_if(transactions.begin(), transactions.end(),
                                  [this](const TransactionRecord& one) { return one.session == session_; });
  first_transaction_ = static_cast<std::uint32_t>(first - transactions.begin());
  transaction_ = first_transaction_;
  active_ = false;
}

void SessionRun::end_run() {
  if (!active_) return;
  // What the engine says of it changes nothing: the transaction is not looked at any more.
  (void)engine_->abort().ok();
  end_transaction(TransactionEnd::aborted);
}

void SessionRun::take(std::uint32_t step_index) {
  const Step& step = script_.steps[step_index];
  if (step_index > 0 && step.kind == StepKind::begin) ++transaction_;
  Operation operation;
  operation.session = session_;
  operation.step = step_index + 1;
  operation.transaction = transaction_;
  operation.began_at = state_.now();
  const bool is_first = record().first_step == operation.step;
  if (!state_.error.ok()) {
    end_run();
    operation.end = OperationEnd::passed_over;
  } else if (is_first && (state_.is_excluded.empty() || !state_.is_excluded[transaction_])) {
    Status status = begin(step);
    if (status.ok() && step.kind != StepKind::begin) status = perform(step, operation);
    conclude(step, status, operation);
  } else if (active_) {
    conclude(step, perform(step, operation), operation);
  } else {
    operation.end = OperationEnd::passed_over;
  }
  if (active_) state_.note_number(engine_->transaction_id(), transaction_);
  operation.ended_at = state_.now();
  state_.run->operations.push_back(std::move(operation));
}

Status SessionRun::begin(const Step& step) {
  BeginOptions options;
  options.level = record().level;
  options.read_only = script_.read_only;
  options.deferrable = script_.deferrable;
  if (Status status = engine_->begin(options); !status.ok()) {
    if (!ends_transaction(status)) fail_run(step, status);
    return status;
  }
  active_ = true;
  record().began_at = state_.now();
  was_read_.assign(was_read_.size(), false);
  return {};
}

Status SessionRun::perform(const Step& step, Operation& operation) {
  if (step.condition) {
    Result<bool> condition = is_true(*step.condition, Variables(*this));
    if (!condition.ok()) return state_.error = condition.status();
    if (!*condition) {
      operation.end = step.kind == StepKind::require ? OperationEnd::refused : OperationEnd::skipped;
      return step.kind == StepKind::require ? engine_->abort() : Status();
    }
  }
  switch (step.kind) {
    case StepKind::begin:
    case StepKind::require:
      return {};
    case StepKind::get:
    case StepKind::get_for_update:
    case StepKind::get_for_share:
      return get(step, operation);
    case StepKind::put:
    case StepKind::insert:
    case StepKind::erase:
      return write(step, operation);
    case StepKind::scan:
    case StepKind::count:
    case StepKind::sum:
    case StepKind::exists:
      return read_range(step, operation);
    case StepKind::update:
    case StepKind::erase_range:
      return write_rows(step, operation);
    case StepKind::savepoint:
      savepoint_writes_[step.savepoint] = static_cast<std::uint32_t>(state_.run->writes.size());
      return engine_->savepoint(step.savepoint);
    case StepKind::rollback_to:
      return roll_back(step);
    case StepKind::commit:
    case StepKind::abort:
      return end(step);
  }
  return {};
}

void SessionRun::conclude(const Step& step, const Status& status, Operation& operation) {
  if (operation.end == OperationEnd::refused && status.ok()) {
    end_transaction(TransactionEnd::aborted);
    return;
  }
  if (status.ok()) {
    if (operation.end == OperationEnd::done && step.variable != kNoVariable) {
      variables_[step.variable] = operation.result;
      was_read_[step.variable] = true;
    }
    return;
  }
  operation.end = OperationEnd::failed;
  if (ends_transaction(status)) {
    end_transaction(TransactionEnd::failed);
  } else if (!fails_step(status)) {
    fail_run(step, status);
    end_run();
  }
  operation.status = state_.in_names(status, transaction_);
  if (!active_) record().status = operation.status;
}

void SessionRun::fail_run(const Step& step, const Status& status) {
  if (!state_.error.ok()) return;
  std::string text = to_text(step.place) + ": " + step.text + ": ";
  text += status.message().empty() ? to_string(status.code()) : status.message();
  state_.error = Status(status.code(), std::move(text), status.system_error());
}

void SessionRun::end_transaction(TransactionEnd how) {
  active_ = false;
  TransactionRecord& ended = record();
  ended.end = how;
  ended.ended_at = state_.now();
  if (how != TransactionEnd::committed) return;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (was_read_[i]) state_.run->variables[session_][i] = variables_[i];
  }
}

// ---- steps ----

Status SessionRun::get(const Step& step, Operation& operation) {
  ReadLock lock = ReadLock::none;
  if (step.kind == StepKind::get_for_update) lock = ReadLock::update;
  if (step.kind == StepKind::get_for_share) lock = ReadLock::share;
  Row row;
  bool found = false;
  Status status = read_key(step.target.table, step.target.lo, lock, operation, row, found);
  if (!status.ok()) return status;
  operation.result = found ? from_text(row.value) : Value(Absent());
  return {};
}

Status SessionRun::write(const Step& step, Operation& operation) {
  if (step.kind == StepKind::erase) return erase_version(step, step.target.lo, operation);
  Result<Value> value = evaluate(*step.value, Variables(*this));
  if (!value.ok()) return state_.error = value.status();
  return put_version(step, step.target.lo, *value, operation);
}

Status SessionRun::read_range(const Step& step, Operation& operation) {
  if (Status status = read_rows(step, operation); !status.ok()) return status;
  if (step.kind == StepKind::scan) operation.result = to_text(operation.rows);
  if (step.kind == StepKind::count) operation.result = static_cast<std::int64_t>(operation.rows.size());
  if (step.kind == StepKind::exists) operation.result = !operation.rows.empty();
  if (step.kind != StepKind::sum) return {};
  std::int64_t sum = 0;
  for (const Row& row : operation.rows) {
    const Value value = from_text(row.value);
    const std::int64_t* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr) {
      return state_.error =
                 at_place(step.place, "sum needs numbers, and '" + row.key + "' has the text '" + row.value +
                                          "'; use scan or count, or leave it out with where");
    }
    if (__builtin_add_overflow(sum, *number, &sum)) {
      return state_.error = at_place(step.place, "the sum is over 64 bits");
    }
  }
  operation.result = sum;
  return {};
}

// The rows of `update` and `erase_range`: looked at once, then one after the other locked and looked at
// again.
Status SessionRun::write_rows(const Step& step, Operation& operation) {
  std::int64_t written_rows = 0;
  bool written = false;
  if (!step.target.is_range) {
    Status status = write_locked_row(step, step.target.lo, operation, written);
    operation.result = static_cast<std::int64_t>(written ? 1 : 0);
    return status;
  }
  if (Status status = read_rows(step, operation); !status.ok()) return status;
  const std::vector<Row> rows = std::move(operation.rows);
  operation.rows.clear();
  for (const Row& row : rows) {
    if (Status status = write_locked_row(step, row.key, operation, written); !status.ok()) return status;
    if (written) ++written_rows;
  }
  operation.result = written_rows;
  return {};
}

Status SessionRun::write_locked_row(const Step& step, std::string_view key, Operation& operation,
                                    bool& written) {
  written = false;
  Row row;
  bool found = false;
  Status status = read_key(step.target.table, key, ReadLock::update, operation, row, found);
  if (status.is(StatusCode::invalid_argument)) {  // an engine without such reads: its write takes the lock
    status = read_key(step.target.table, key, ReadLock::none, operation, row, found);
  }
  if (!status.ok() || !found) return status;
  const Variables variables(*this);
  if (step.where) {
    Result<bool> fits = is_true(*step.where, variables, &row);
    if (!fits.ok()) return state_.error = fits.status();
    operation.reads.back().fits = *fits;
    if (!*fits) return {};
  }
  written = true;
  if (step.kind == StepKind::erase_range) {
    status = erase_version(step, key, operation);
  } else {
    Result<Value> value = evaluate(*step.value, variables, &row);
    if (!value.ok()) return state_.error = value.status();
    status = put_version(step, key, *value, operation);
  }
  if (!status.is(StatusCode::not_found)) return status;
  written = false;
  return {};
}

Status SessionRun::roll_back(const Step& step) {
  Status status = engine_->rollback_to(step.savepoint);
  if (!status.ok()) return status;
  std::vector<Write>& writes = state_.run->writes;
  for (std::size_t i = savepoint_writes_[step.savepoint]; i < writes.size(); ++i) {
    if (writes[i].transaction == transaction_ && writes[i].state == WriteState::stored) {
      writes[i].state = WriteState::undone;
    }
  }
  return {};
}

Status SessionRun::end(const Step& step) {
  const bool commits = step.kind == StepKind::commit;
  Status status = commits ? engine_->commit() : engine_->abort();
  if (status.ok()) {
    end_transaction(commits ? TransactionEnd::committed : TransactionEnd::aborted);
  }
  return status;
}

// ---- versions ----

Status SessionRun::read_key(std::uint32_t table, std::string_view key, ReadLock lock, Operation& operation,
                            Row& row, bool& found) {
  stored_.clear();
  // By reference into the session: while the call waits no other step of it runs.
  Status status = engine_->get(table, key, lock, stored_);
  found = status.ok();
  if (!found && !status.is(StatusCode::not_found)) return status;
  Read& read = operation.reads.emplace_back();
  read.table = table;
  read.key = key;
  read.at = state_.now();
  if (!found) return {};
  row.key = key;
  row.value = stored_;
  return state_.unmark(row.value, read.write);
}

Status SessionRun::read_rows(const Step& step, Operation& operation) {
  rows_.clear();
  if (Status status = engine_->scan(step.target, rows_); !status.ok()) return status;
  const Variables variables(*this);
  for (Row& row : rows_) {
    Read& read = operation.reads.emplace_back();
    read.table = step.target.table;
    read.key = row.key;
    read.at = state_.now();
    if (Status status = state_.unmark(row.value, read.write); !status.ok()) return status;
    if (step.where) {
      Result<bool> fits = is_true(*step.where, variables, &row);
      if (!fits.ok()) return state_.error = fits.status();
      read.fits = *fits;
    }
    if (read.fits) operation.rows.push_back(std::move(row));
  }
  return {};
}

Status SessionRun::put_version(const Step& step, std::string_view key, const Value& value,
                               Operation& operation) {
  if (std::holds_alternative<Unread>(value) || std::holds_alternative<Absent>(value)) {
    return state_.error = at_place(step.place, "the value of '" + step.text + "' is " + to_text(value) +
                                                   ", which cannot be stored; guard it with if ... then");
  }
  const std::uint32_t write = begin_write(step, key, operation);
  std::string text = to_text(value);
  const std::string stored = mark_value(text, write);
  state_.run->writes[write].value = std::move(text);
  const std::uint32_t table = step.target.table;
  return end_write(write, step.kind == StepKind::insert ? engine_->insert(table, key, stored)
                                                        : engine_->put(table, key, stored));
}

Status SessionRun::erase_version(const Step& step, std::string_view key, Operation& operation) {
  const std::uint32_t write = begin_write(step, key, operation);
  return end_write(write, engine_->erase(step.target.table, key));
}

std::uint32_t SessionRun::begin_write(const Step& step, std::string_view key, Operation& operation) {
  const auto number = static_cast<std::uint32_t>(state_.run->writes.size());
  Write& write = state_.run->writes.emplace_back();
  write.state = WriteState::failed;  // until it is there
  write.table = step.target.table;
  write.key = key;
  write.transaction = transaction_;
  write.session = session_;
  write.step = operation.step;
  operation.writes.push_back(number);
  return number;
}

Status SessionRun::end_write(std::uint32_t write, Status status) {
  Write& ended = state_.run->writes[write];
  ended.at = state_.now();
  if (status.ok()) ended.state = WriteState::stored;
  return status;
}

}  // namespace isolith::anomalies
