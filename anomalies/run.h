// Run: what happened when a scenario was run once: operations, the versions they read and wrote, how each
// transaction ended, and what was stored at the end.
//
// A *moment* is a place in `trace.events`: what happened at moment m happened before the event with that
// number was recorded, and after the one before it.
//
// Invariants:
//   1. `transactions` has each transaction of the scenario, also one that did not begin: the sessions in
//   their
//      order, and each session's in its order. So a transaction's place is the same in every run.
//   2. `operations` are in the order in which they ended: one for each `done` of the trace.
//   3. `writes` begin with the scenario's first rows, by table and key; then come those of the sessions, in
//      the order in which they were begun.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/expression.h"
#include "anomalies/scenario.h"
#include "anomalies/trace.h"
#include "isolith/status.h"

namespace isolith::anomalies {

inline constexpr std::uint32_t kNoWrite = UINT32_MAX;
inline constexpr std::uint32_t kNoTransaction = UINT32_MAX;
inline constexpr std::uint32_t kNever = UINT32_MAX;  // a moment that did not come

enum class WriteState : std::uint8_t {
  stored,  // it is the transaction's
  failed,  // the engine refused it
  undone,  // by a rollback to a savepoint
};

// A version of a row, whether its transaction committed or not.
struct Write {
  WriteState state = WriteState::stored;
  std::uint32_t table = 0;
  std::string key;
  std::optional<std::string> value;            // none: the row is erased
  std::uint32_t transaction = kNoTransaction;  // of a first row: none
  std::uint32_t session = 0;
  std::uint32_t step = 0;  // from 1; 0 of a first row
  std::uint32_t at = 0;    // the moment when it was there
};

// What a read of a key gave.
struct Read {
  std::uint32_t table = 0;
  std::string key;
  std::uint32_t write = kNoWrite;  // whose version; none: there was no row
  std::uint32_t at = 0;
  bool fits = true;  // of a range with `where`: whether it is true of the row
};

enum class OperationEnd : std::uint8_t {
  done,
  skipped,      // the condition of its `if` was not true
  passed_over,  // its transaction was over already
  failed,       // `status` says how; a conflict has ended the transaction
  refused,      // the condition of `require` was not true: the transaction is aborted
};

struct Operation {
  std::uint32_t session = 0;
  std::uint32_t step = 0;  // from 1
  std::uint32_t transaction = 0;
  OperationEnd end = OperationEnd::done;
  Status status;
  Value result;                       // of what reads
  std::vector<Row> rows;              // of a range: those that fit, by key
  std::vector<Read> reads;            // in their order; of a range: each row that is there, by key
  std::vector<std::uint32_t> writes;  // places in `Run::writes`
  std::uint32_t began_at = 0;
  std::uint32_t ended_at = 0;
  bool waited = false;
};

enum class TransactionEnd : std::uint8_t {
  not_begun,
  committed,
  aborted,  // by `abort` or `require`
  failed,   // the engine gave it up; or it failed to commit
};

struct TransactionRecord {
  std::uint32_t session = 0;
  std::uint32_t first_step = 0;  // from 1
  std::uint32_t last_step = 0;
  std::string level;
  TransactionEnd end = TransactionEnd::not_begun;
  Status status;                    // of one that failed
  std::uint32_t began_at = kNever;  // when `begin` was done: a snapshot was taken by then
  std::uint32_t ended_at = kNever;
};

// A row at the end, and whose version it is.
struct FinalRow {
  std::string key;
  std::uint32_t write = kNoWrite;
};

// Used again from run to run, it keeps its memory.
struct Run {
  Trace trace;
  std::vector<Write> writes;
  std::vector<Operation> operations;
  std::vector<TransactionRecord> transactions;
  std::vector<std::vector<Value>> variables;  // of each session; `Unread` unless the transaction committed
  std::vector<std::vector<Row>> tables;       // what is stored at the end, by key
  std::vector<std::vector<FinalRow>> versions;

  [[nodiscard]] bool committed(std::uint32_t transaction) const {
    return transactions[transaction].end == TransactionEnd::committed;
  }
};

// For conditions over what was read and what is stored at the end.
class RunScope final : public Scope {
 public:
  explicit RunScope(const Run& run) : run_(run) {}
  [[nodiscard]] const Value& variable(std::uint32_t session, std::uint32_t variable) const override {
    return run_.variables[session][variable];
  }
  [[nodiscard]] const std::vector<Row>* rows(std::uint32_t table) const override {
    return &run_.tables[table];
  }

 private:
  const Run& run_;
};

// "A", or "A's second" where the session has several.
std::string transaction_name(const Scenario& scenario, const Run& run, std::uint32_t transaction);

// Whether two runs cannot be told apart by what committed transactions read and what is stored at the end.
bool same_outcome(const Run& left, const Run& right);

}  // namespace isolith::anomalies
