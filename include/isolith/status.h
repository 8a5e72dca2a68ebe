// Status and Result<T>: how every fallible call of isolith reports what happened. No exception crosses the
// API.
//
// After any error the database is as if the operation had not begun, or the transaction is over
// (`Status::ends_transaction()`); never in between.
//
// Example:
//   isolith::Result<std::string> value = transaction.get(table, "key");
//   if (!value.ok()) std::cerr << value.status().to_string() << '\n';
//
// Threads: values, as safe as an `int`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace isolith {

// What a program can act on. The numbers are stable across versions.
enum class StatusCode : std::uint8_t {
  ok = 0,
  not_found = 1,         // the key or the table is not there
  already_exists = 2,    // `insert` met the key, `create_table` met the table
  conflict = 3,          // retry the transaction; `reason()` says which kind
  snapshot_too_old = 4,  // the versions that the snapshot needs were given up (`SnapshotOptions`); it is over
  invalid_argument = 5,  // the call itself is wrong; nothing was done
  too_large = 6,         // a key or value over its limit
  busy = 7,              // another process has the directory open, no transaction slot is free, or a lock is
                         // held by another transaction and was not to be waited for (`IfLocked`)
  corruption =
      8,         // stored bytes are not what was written: file, offset, expected and found are in the message
  io_error = 9,  // the operating system failed a call; `system_error()` is its errno
  no_space = 10,   // the disk is full
  read_only = 11,  // a write in a read-only database or transaction, or after a failed sync
  aborted = 12,    // the transaction or the database is already over
  internal = 13,   // a bug in isolith
};

// Why a `conflict` happened. Each of them may succeed when the transaction is run again.
enum class ConflictReason : std::uint8_t {
  none = 0,
  write_conflict = 1,  // a newer committed version of the key
  serialization = 2,   // it and others that committed are as in no serial order
  deadlock = 3,        // this transaction was the victim of a cycle of waits
  lock_timeout = 4,    // waited longer than `LockOptions::timeout_ms` or the transaction's own limit
};

// The stable lower-case names, e.g. "not_found", "write_conflict".
std::string_view to_string(StatusCode code) noexcept;
std::string_view to_string(ConflictReason reason) noexcept;

// What a `conflict` is about: who met whom, where, and by which rule one had to fail.
struct ConflictReport {
  struct Party {
    std::uint64_t transaction = 0;  // its number; 0: it is not known
    // Of one that committed long ago these may be empty: labels of the last 1,024 that wrote are remembered;
    // and of one that is waited for by `deferrable` and has not written.
    std::string label;
    std::string level;
    std::string state;         // "failed", "active", "waiting", "committed"
    std::uint64_t commit = 0;  // of a committed one: the number of its commit, or a later one
  };
  // `from` comes before `to` in every serial order, since `to` read what `from` wrote ("wr"), wrote over it
  // ("ww") or wrote over what `from` read ("rw"). Or `from` waited for `to` ("waits").
  struct Edge {
    std::size_t from = 0;  // places among the parties
    std::size_t to = 0;
    std::string kind;
    std::string table;      // empty: the database, or it is not known
    bool is_whole = false;  // the table or the database as a whole, and no key of it
    std::string key;        // or where the range begins
    bool is_range = false;
    std::optional<std::string> hi;  // of a range; none: the table's end
  };
  std::vector<Party> parties;  // the one that failed first
  std::vector<Edge> edges;     // in order; where they are a circle the last one leads back
  std::string rule;            // "first updater wins", "no circle of committed transactions",
                               // "no dangerous structure", "no deadlock", "lock timeout"
  std::uint64_t snapshot = 0;  // the newest commit that the failed one saw; 0: it had no snapshot
  bool can_retry_now = false;  // nothing that it met is in the way of a retry at once
};

// A deadlock as it was found: each member waits for the next one, the last one for the first.
struct DeadlockReport {
  struct Member {
    std::uint64_t transaction = 0;
    std::string label;
    std::string level;
    std::string wants;      // the mode: "write", "read"; of tables also "intend_write" and so on
    std::string table;      // empty: the database
    bool is_whole = false;  // the table or the database as a whole, and no key of it
    std::string key;        // or where the range begins
    bool is_range = false;
    std::optional<std::string> hi;  // of a range; none: the table's end
    std::string blocker_holds;      // how the next one is in the way: "wrote it"
  };
  std::vector<Member> circle;
  std::uint64_t victim = 0;          // the transaction that failed
  std::uint64_t found_after_ns = 0;  // since the wait that closed the circle, in nanoseconds
};

// The outcome of a call. `ok` and `not_found` carry no text and allocate nothing.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;  // ok
  explicit Status(StatusCode code) noexcept : code_(code) {}
  Status(StatusCode code, std::string message, int system_error = 0);

  static Status conflict(ConflictReason reason, std::string message);
  static Status conflict(ConflictReason reason, std::string message, ConflictReport report);
  static Status conflict(ConflictReason reason, std::string message, ConflictReport report,
                         DeadlockReport deadlock);

  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&& other) noexcept = default;
  Status& operator=(Status&& other) noexcept = default;
  ~Status() = default;

  [[nodiscard]] bool ok() const noexcept { return code_ == StatusCode::ok; }
  [[nodiscard]] bool is(StatusCode code) const noexcept { return code_ == code; }
  [[nodiscard]] StatusCode code() const noexcept { return code_; }
  [[nodiscard]] ConflictReason reason() const noexcept { return reason_; }

  // True when running the whole transaction again may succeed without any other change.
  [[nodiscard]] bool is_retryable() const noexcept { return code_ == StatusCode::conflict; }

  // The errno behind `io_error` and `no_space`; 0 where there is none.
  [[nodiscard]] int system_error() const noexcept { return detail_ ? detail_->system_error : 0; }

  // A sentence for a person, of a conflict a paragraph with all that its report has; empty where the code
  // says it all.
  [[nodiscard]] std::string_view message() const noexcept {
    return detail_ ? std::string_view(detail_->message) : std::string_view();
  }

  // Of every `conflict` of the database; null for others.
  [[nodiscard]] const ConflictReport* conflict_report() const noexcept {
    return detail_ && detail_->conflict ? &*detail_->conflict : nullptr;
  }

  // Of a `deadlock`; null for others.
  [[nodiscard]] const DeadlockReport* deadlock_report() const noexcept {
    return detail_ && detail_->deadlock ? &*detail_->deadlock : nullptr;
  }

  // "conflict/deadlock: T7 waits for T9 ..." or "ok".
  [[nodiscard]] std::string to_string() const;

 private:
  struct Detail {
    std::string message;
    int system_error = 0;
    std::optional<ConflictReport> conflict;
    std::optional<DeadlockReport> deadlock;
  };

  StatusCode code_ = StatusCode::ok;
  ConflictReason reason_ = ConflictReason::none;
  std::unique_ptr<Detail> detail_;
};

// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                   // NOLINT(google-explicit-constructor)
  Result(Status status) noexcept : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Status& status() const& noexcept { return status_; }
  [[nodiscard]] Status&& status() && noexcept { return std::move(status_); }

  // Only when ok().
  [[nodiscard]] T& value() & { return *value_; }
  [[nodiscard]] const T& value() const& { return *value_; }
  [[nodiscard]] T value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T operator*() && { return *std::move(value_); }  // by value: `for (x : *f())` holds it
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  [[nodiscard]] T value_or(T other) const& { return ok() ? *value_ : std::move(other); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace isolith
