// What the sessions of a run share: the marks of versions, the names of transactions, the final state.
#include <algorithm>
#include <charconv>
#include <utility>

#include "anomalies/session_run.h"

namespace isolith::anomalies {
namespace {

constexpr char kMark = '\x01';

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

std::string mark_value(std::string_view text, std::uint32_t write) {
  std::string value(text);
  value += kMark;
  value += std::to_string(write);
  return value;
}

void RunState::begin(Run& the_run, const std::vector<TransactionRecord>& transactions,
                     const std::vector<Write>& writes) {
  run = &the_run;
  error = Status();
  numbers_.assign(transactions.size(), 0);
  run->writes = writes;
  run->operations.clear();
  run->transactions = transactions;
  run->variables.resize(scenario->sessions.size());
  for (std::size_t i = 0; i < scenario->sessions.size(); ++i) {
    run->variables[i].assign(scenario->sessions[i].variables.size(), Unread());
  }
  run->tables.clear();
  run->versions.clear();
}

void RunState::note_waits() {
  for (const Event& event : run->trace.events) {
    if (event.kind != EventKind::blocked) continue;
    for (Operation& operation : run->operations) {
      if (operation.session == event.session && operation.step == event.step) operation.waited = true;
    }
  }
}

Status RunState::unmark(std::string& value, std::uint32_t& write) const {
  const std::size_t mark = value.rfind(kMark);
  if (mark != std::string::npos) {
    const char* end = value.data() + value.size();
    const auto [stop, error_code] = std::from_chars(value.data() + mark + 1, end, write);
    if (error_code == std::errc() && stop == end && write < run->writes.size()) {
      value.resize(mark);
      return {};
    }
  }
  return {StatusCode::internal, "the engine returned a value that nobody stored"};
}

Status RunState::take_final_rows(const std::vector<Row>& stored) {
  std::vector<Row>& rows = run->tables.emplace_back(stored);
  std::vector<FinalRow>& versions = run->versions.emplace_back();
  for (Row& row : rows) {
    FinalRow& version = versions.emplace_back();
    version.key = row.key;
    if (Status status = unmark(row.value, version.write); !status.ok()) return status;
  }
  return {};
}

// ---- names ----

void RunState::note_number(std::uint64_t number, std::uint32_t transaction) {
  if (number != 0) numbers_[transaction] = number;
}

// A call may be the one in which the engine gives the transaction its number. So who waits is known by the
// trace, and a number that nobody is known by is that of the transaction itself.
std::string RunState::name_of(std::uint64_t number, std::uint32_t transaction) const {
  for (std::uint32_t i = 0; i < numbers_.size(); ++i) {
    if (numbers_[i] == number) return transaction_name(*scenario, *run, i);
  }
  for (const Event& event : run->trace.events) {
    if (event.waiter != number) continue;
    for (std::uint32_t i = 0; i < run->transactions.size(); ++i) {
      const TransactionRecord& record = run->transactions[i];
      if (record.session == event.session && record.first_step <= event.step &&
          event.step <= record.last_step) {
        return transaction_name(*scenario, *run, i);
      }
    }
  }
  return transaction_name(*scenario, *run, transaction);
}

Status RunState::in_names(const Status& failure, std::uint32_t transaction) const {
  const ConflictReport* report = failure.conflict_report();
  const bool has_met = report != nullptr && failure.reason() == ConflictReason::write_conflict &&
                       report->parties[1].transaction != 0;
  if (has_met) {
    const ConflictReport::Edge& edge = report->edges.front();
    std::string text = edge.table + "/" + edge.key + " was changed by " +
                       name_of(report->parties[1].transaction, transaction);
    text += ", which committed after the snapshot of " + transaction_name(*scenario, *run, transaction);
    return Status::conflict(failure.reason(), std::move(text), *report);
  }
  if (!failure.is(StatusCode::conflict)) return failure;
  const std::string_view message = failure.message();
  std::string text;
  for (std::size_t i = 0; i < message.size();) {
    std::size_t end = i + 1;
    while (end < message.size() && is_digit(message[end])) ++end;
    const bool begins = i == 0 || !is_word(message[i - 1]);
    std::uint64_t number = 0;
    const bool is_number = message[i] == 'T' && begins && end > i + 1 &&
                           std::from_chars(&message[i] + 1, message.data() + end, number).ec == std::errc();
    if (is_number) {
      text += name_of(number, transaction);
      i = end;
    } else {
      text += message[i++];
    }
  }
  if (report == nullptr) return Status::conflict(failure.reason(), std::move(text));
  return Status::conflict(failure.reason(), std::move(text), *report);
}

}  // namespace isolith::anomalies
