// Engine: the small interface through which scenarios run on isolith and on other stores.
//
// Calls block as they would in a program. An engine that would wait for another session says so through the
// runner's hook (`Runner::wait` with its own word, `wake_all` whenever a session has released something), so
// that one deterministic runner serves them all; it looks again after each wake.
//
// Statuses mean the same everywhere: `conflict` with its reason where the engine gave the transaction up (it
// is over then), `not_found`, `already_exists`, `invalid_argument` for what the engine does not offer, and
// `io_error` when it can not be reached.
//
// Threads: one call at a time over all sessions of an engine, from any thread; a call that waits in the hook
// counts as no call meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/expression.h"
#include "isolith/status.h"

namespace isolith::anomalies {

// What a plain read sees of others.
enum class View : std::uint8_t {
  unknown,
  newest,     // what is newest, whether it is committed or not
  committed,  // what is committed when the step is taken; it waits for nobody
  snapshot,   // what was committed when the transaction began; it waits for nobody
  locked,     // what is committed, once nobody writes there; from then on whoever would write there waits
};

// How the steps of different sessions can affect each other. The explorer leaves orders out by it; what is
// not known costs orders, never results.
struct Reach {
  bool is_rows = false;              // only through rows and ranges that both touch
  bool reads_leave_nothing = false;  // a plain read takes no lock, and nobody looks later what it read
  View view = View::unknown;
};

struct EngineLevel {
  std::string name;   // lower case with '_'
  std::string claim;  // what its makers say of it, in a line

  // Whether an operation may fail for what other transactions did to other rows (serializable snapshot
  // isolation): then the explorer takes no two steps to commute.
  bool watches_conflicts = false;

  Reach reach = {};
};

struct BeginOptions {
  std::string_view level;  // one of `Engine::levels()`
  bool read_only = false;
  bool deferrable = false;
};

enum class ReadLock : std::uint8_t { none, share, update };

// A table's number is its place in what `reset` was given.
class EngineSession {
 public:
  virtual ~EngineSession() = default;  // aborts what is in progress

  virtual Status begin(const BeginOptions& options) = 0;
  virtual Status get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) = 0;
  virtual Status put(std::uint32_t table, std::string_view key, std::string_view value) = 0;
  virtual Status insert(std::uint32_t table, std::string_view key, std::string_view value) = 0;
  virtual Status erase(std::uint32_t table, std::string_view key) = 0;
  // The rows of the range, by key.
  virtual Status scan(const Target& target, std::vector<Row>& rows) = 0;
  virtual Status savepoint(std::uint32_t savepoint) = 0;
  virtual Status rollback_to(std::uint32_t savepoint) = 0;
  virtual Status commit() = 0;
  virtual Status abort() = 0;

  // The number by which WaitInfo names its transaction; 0: none.
  [[nodiscard]] virtual std::uint64_t transaction_id() const noexcept = 0;
};

struct TableContents {
  std::string name;
  std::vector<Row> rows;  // by key
};

class Engine {
 public:
  virtual ~Engine() = default;  // after its sessions

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;  // "isolith", "postgres"
  [[nodiscard]] virtual std::string_view version() const noexcept = 0;
  [[nodiscard]] virtual const std::vector<EngineLevel>& levels() const noexcept = 0;

  // One more; its sessions end before it does.
  [[nodiscard]] virtual Result<std::unique_ptr<EngineSession>> open_session() = 0;

  // Makes the tables be exactly these. No transaction is in progress. Called before each run, often with
  // the same tables: then it should be quick.
  virtual Status reset(const std::vector<TableContents>& tables) = 0;

  // What is committed in a table now. No transaction is in progress.
  virtual Status contents(std::uint32_t table, std::vector<Row>& rows) = 0;
};

}  // namespace isolith::anomalies
