// Observer: told by the database what each transaction does, with the versions concerned: enough to draw the
// graph of who comes before whom (`isolith check` reads such histories).
//
// Example:
//   class Counter : public isolith::Observer {
//     void on_commit(const isolith::CommitEvent&) noexcept override { ++commits; }
//     ...
//   };
//   database.set_observer(&counter);
//
// A version is named by the transaction that wrote it (`writer`). `over` of a write says which version it
// replaced, so the writes of a key have one order, whatever the order in which the calls come.
//
// Threads: called by the thread that does it, after it is done, with no latch held; from several at the same
// time. A call must not call into the database. Its views live as long as it. Unset it costs nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "isolith/status.h"
#include "isolith/wait_hook.h"

namespace isolith {

struct BeginEvent {
  std::uint64_t transaction = 0;  // names it in events: no other one has this since the database was opened
  std::string_view level;
  std::string_view label;
  std::uint64_t snapshot = 0;  // the newest commit that it sees; 0: its level has no snapshot
  bool read_only = false;
};

// A row that was read, or a key that was found absent. Rows of a cursor come when it leaves the batch in
// which it copied them, those alone that it stood on.
struct ReadEvent {
  std::uint64_t transaction = 0;
  std::string_view table;
  std::string_view key;
  std::uint64_t writer = 0;  // `Transaction::id` of whose version it was; 0: nobody has left a trace there
  bool exists = false;       // the version is a row, and no erasing
};

// What a cursor has read through, rows or none: `[lo, hi)`.
struct ScanEvent {
  std::uint64_t transaction = 0;
  std::string_view table;
  std::string_view lo;
  std::optional<std::string_view> hi;  // none: the table's end
};

struct WriteEvent {
  std::uint64_t transaction = 0;
  std::uint64_t id = 0;  // `Transaction::id`
  std::string_view table;
  std::string_view key;
  std::uint64_t over = 0;  // whose version it replaced; 0: nobody has left a trace there; `id`: its own
  enum class Kind : std::uint8_t { put, insert, erase, lock } kind = Kind::put;
};

struct WaitEvent {
  std::uint64_t transaction = 0;
  const WaitInfo& info;
};

struct CommitEvent {
  std::uint64_t transaction = 0;
  std::uint64_t id = 0;         // 0: it neither wrote nor locked
  std::uint64_t timestamp = 0;  // the number of its commit; of one that only read: 0
};

struct AbortEvent {
  std::uint64_t transaction = 0;
  std::uint64_t id = 0;
  const Status& reason;  // ok: the program wanted it
};

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void on_begin(const BeginEvent& /*event*/) noexcept {}
  virtual void on_read(const ReadEvent& /*event*/) noexcept {}
  virtual void on_scan(const ScanEvent& /*event*/) noexcept {}
  virtual void on_write(const WriteEvent& /*event*/) noexcept {}
  // It is about to wait for another transaction.
  virtual void on_wait(const WaitEvent& /*event*/) noexcept {}
  // It goes on, whatever came of it.
  virtual void on_wake(const WaitEvent& /*event*/) noexcept {}
  virtual void on_commit(const CommitEvent& /*event*/) noexcept {}
  virtual void on_abort(const AbortEvent& /*event*/) noexcept {}
};

}  // namespace isolith
