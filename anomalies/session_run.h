// SessionRun: takes the steps of one session on an engine and writes down what came of them. Part of
// execution.cc.
//
// A stored value is the scenario's text, the byte 1, and the number of the write that made it in digits.
//
// Threads: with the runner's baton.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"

namespace isolith::anomalies {

// "100" and 7 -> "100\x01" "7".
std::string mark_value(std::string_view text, std::uint32_t write);

// What the sessions of a run share (run_state.cc).
struct RunState {
  const Scenario* scenario = nullptr;
  Run* run = nullptr;
  std::vector<bool> is_excluded;  // transactions whose steps are passed over; empty: none is
  Status error;                   // the first that is no outcome: from then on all steps are passed over

  void begin(Run& the_run, const std::vector<TransactionRecord>& transactions,
             const std::vector<Write>& writes);
  void note_waits();
  Status take_final_rows(const std::vector<Row>& stored);  // of the next table

  // A failure as a reader of the scenario knows the transactions: by their names, not by the engine's
  // numbers, which differ from run to run. `transaction` has failed.
  Status in_names(const Status& failure, std::uint32_t transaction) const;

  // The engine's number of a transaction, once it has one.
  void note_number(std::uint64_t number, std::uint32_t transaction);

  [[nodiscard]] std::uint32_t now() const { return static_cast<std::uint32_t>(run->trace.events.size()); }
  // Takes the mark off: the text stays in `value`. `internal`: it has none.
  Status unmark(std::string& value, std::uint32_t& write) const;

 private:
  [[nodiscard]] std::string name_of(std::uint64_t number, std::uint32_t transaction) const;

  std::vector<std::uint64_t> numbers_;  // of each transaction; 0: not known
};

class SessionRun {
 public:
  SessionRun(RunState& state, std::uint32_t session, std::unique_ptr<EngineSession> engine);

  void begin_run();
  void take(std::uint32_t step);  // from 0
  void end_run();                 // aborts what is still in progress

  [[nodiscard]] std::uint64_t transaction_id() const { return engine_->transaction_id(); }

 private:
  class Variables;

  // Each returns what the engine or an evaluation said.
  Status perform(const Step& step, Operation& operation);
  Status begin(const Step& step);
  Status get(const Step& step, Operation& operation);
  Status write(const Step& step, Operation& operation);
  Status read_range(const Step& step, Operation& operation);
  Status write_rows(const Step& step, Operation& operation);
  Status write_locked_row(const Step& step, std::string_view key, Operation& operation, bool& written);
  Status roll_back(const Step& step);
  Status end(const Step& step);

  Status read_key(std::uint32_t table, std::string_view key, ReadLock lock, Operation& operation, Row& row,
                  bool& found);
  Status read_rows(const Step& step, Operation& operation);
  Status put_version(const Step& step, std::string_view key, const Value& value, Operation& operation);
  Status erase_version(const Step& step, std::string_view key, Operation& operation);
  std::uint32_t begin_write(const Step& step, std::string_view key, Operation& operation);
  Status end_write(std::uint32_t write, Status status);

  void conclude(const Step& step, const Status& status, Operation& operation);
  void fail_run(const Step& step, const Status& status);
  void end_transaction(TransactionEnd how);
  [[nodiscard]] TransactionRecord& record() { return state_.run->transactions[transaction_]; }

  RunState& state_;
  const SessionScript& script_;
  const std::uint32_t session_;
  std::unique_ptr<EngineSession> engine_;

  std::vector<Value> variables_;
  std::vector<bool> was_read_;                   // variables, in the transaction
  std::vector<std::uint32_t> savepoint_writes_;  // how many writes there were then
  std::uint32_t first_transaction_ = 0;
  std::uint32_t transaction_ = 0;
  bool active_ = false;
  std::string stored_;  // scratch
  std::vector<Row> rows_;
};

}  // namespace isolith::anomalies
