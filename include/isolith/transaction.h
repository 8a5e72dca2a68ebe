// Transaction, Table, Cursor: reading and writing.
//
// Example:
//   isolith::Transaction transaction = *database.begin();
//   isolith::Table accounts = *transaction.open_table("accounts");
//   if (auto status = transaction.put(accounts, "alice", "100"); !status.ok()) return status;
//   return transaction.commit();
//
// Keys: 0 to kMaxKeyBytes bytes, compared bytewise. Values: 0 to kMaxValueBytes bytes.
//
// Threads: a transaction and its cursors belong to one thread at a time and may move between threads.
// Different transactions may be used at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "isolith/options.h"
#include "isolith/status.h"

namespace isolith {

namespace txn {
class Core;
class CursorState;
struct TransactionState;

// The rows that a cursor has copied; here so that a step from one to the next is no call. Not for programs.
struct CursorBatch {
  struct Row {
    std::uint32_t key_at;
    std::uint32_t key_size;
    std::uint32_t value_at;
    std::uint32_t value_size;
    bool large;  // what is there only refers to the value
  };
  const Row* row = nullptr;  // where the cursor stands; `end`: nowhere
  const Row* end = nullptr;
  const char* bytes = nullptr;
  const std::uint64_t* writes = nullptr;  // of the transaction, so far
  std::uint64_t writes_seen = 0;          // when the rows were copied
  bool forward = true;
};
}  // namespace txn

inline constexpr std::size_t kMaxKeyBytes = 2048;
inline constexpr std::uint64_t kMaxValueBytes = std::uint64_t{4} << 30;
inline constexpr std::size_t kMaxTableNameBytes = 255;

// Names a table of one open database; a small value, valid in any transaction of that database until the
// table is dropped (then calls answer `not_found`) or the database is closed.
class Table {
 public:
  Table() = default;  // names nothing: every call answers `invalid_argument`
  friend bool operator==(const Table&, const Table&) = default;

 private:
  friend class txn::Core;
  std::uint64_t database_ = 0;
  std::uint32_t id_ = 0;
  std::uint32_t root_ = 0;
};

// `[lo, hi)`; an absent `hi` is the end of the table.
struct KeyRange {
  std::string_view lo;
  std::optional<std::string_view> hi;

  static KeyRange all() { return {}; }
};

// What to do where another transaction holds a lock that is in the way.
enum class IfLocked : std::uint8_t {
  wait,
  fail,  // `busy`, which names who; nothing more is locked and the transaction goes on
  skip,  // of cursors: the row is left out, and not read; of single keys as `fail`
};

// A lock on a table as a whole, to the end of the transaction. Reads that lock nothing go on in any case. It
// is waited for until those who have written to the table (for `exclusive` also those who have read it with
// locks) have ended; a transaction that has used more than six tables so may count as one of them.
enum class TableLock : std::uint8_t {
  share,      // nobody else writes to it
  exclusive,  // nor reads it with a lock
};

// How a cursor reads. At levels with a snapshot rows cannot be locked by a cursor (`invalid_argument`): lock
// them one by one. `update` needs a transaction that may write (`read_only`). Where `if_locked` is `fail` the
// cursor ends at such a row, and `status()` is `busy`.
//
// The next job of a queue, past those that others work on:
//   auto jobs = transaction.cursor(queue, KeyRange::all(), {CursorOptions::Lock::update, IfLocked::skip});
struct CursorOptions {
  enum class Lock : std::uint8_t {
    by_level,  // as the transaction's level says
    share,     // each row as by get_for_share, when the cursor comes to it
    update,    // each row as by get_for_update
  };
  Lock lock = Lock::by_level;
  IfLocked if_locked = IfLocked::wait;  // where `lock` says share or update
};

// A point in a transaction to roll back to.
class Savepoint {
 private:
  friend class txn::Core;
  std::uint64_t transaction_ = 0;
  std::uint32_t index_ = 0;
};

// What was committed at one moment, kept for as long as a copy of this lives: several transactions can read
// from it (`TransactionOptions::snapshot`), at the same time and later. Take one with `Database::snapshot`,
// or share a transaction's own with `Transaction::snapshot`.
//
// Threads: as a shared_ptr; one copy belongs to one thread at a time.
class Snapshot {
 public:
  Snapshot(const Snapshot& other) noexcept;
  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot other) noexcept;
  ~Snapshot();

  // Of the newest commit in it; commits are numbered in their order. 0 after it was moved from.
  [[nodiscard]] std::uint64_t timestamp() const noexcept;

 private:
  friend class txn::Core;
  Snapshot(txn::Core* core, txn::TransactionState* state) noexcept : core_(core), state_(state) {}
  txn::Core* core_ = nullptr;
  txn::TransactionState* state_ = nullptr;
};

// Walks the rows of a range in key order, either way. It holds no latch between calls: the transaction may
// write to the table while it is open, and sees its own writes. What it locks, at levels that lock what they
// read or with `CursorOptions::lock`, stays locked when it is closed: rows on which it stood; at
// `serializable_2pl` also the range, from where it was sought to where it stands, or, once it found no more,
// to its end.
//
//   for (cursor.seek_first(); cursor.valid(); cursor.next()) use(cursor.key(), cursor.value());
//   if (!cursor.status().ok()) ...
class Cursor {
 public:
  Cursor(Cursor&& other) noexcept;
  Cursor& operator=(Cursor&& other) noexcept;
  ~Cursor();

  // Go to the first or last row of the range, to the first row at or after `key`, or to the last one at or
  // before it. Afterwards valid() says whether there is one.
  void seek_first();
  void seek_last();
  void seek(std::string_view key);
  void seek_before(std::string_view key);

  // One row on or back. Only when valid().
  void next() {
    if (batch_->forward && *batch_->writes == batch_->writes_seen && batch_->end - batch_->row > 1) {
      ++batch_->row;
    } else {
      next_batch();
    }
  }
  void prev();

  // True when the cursor stands on a row. False at the end of the range and after an error.
  [[nodiscard]] bool valid() const noexcept { return batch_->row != batch_->end; }

  // Views of a copy of the row, until the next call on this cursor. Only when valid(). For a value over 3 KiB
  // the first call of value() reads it; a failure gives an empty view, valid() becomes false and status()
  // says why (`not_found`: the row that a dirty read showed is gone).
  [[nodiscard]] std::string_view key() const noexcept {
    return {batch_->bytes + batch_->row->key_at, batch_->row->key_size};
  }
  [[nodiscard]] std::string_view value() {
    if (batch_->row->large) return large_value();
    return {batch_->bytes + batch_->row->value_at, batch_->row->value_size};
  }

  // Why valid() is false: ok at the end of the range. `aborted` once the transaction is over.
  [[nodiscard]] const Status& status() const noexcept;

 private:
  friend class txn::Core;
  explicit Cursor(std::unique_ptr<txn::CursorState> state) noexcept;
  void next_batch();
  std::string_view large_value();

  std::unique_ptr<txn::CursorState> state_;
  txn::CursorBatch* batch_;  // of the state
};

class Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;  // aborts what it held
  ~Transaction();                                        // aborts unless it is over

  // ---- reading: at levels that lock what they read each waits for a transaction in progress that wrote the
  // key, and fails like a write then ----

  // The value of `key`, or `not_found`. The first form writes into a string whose memory is used again.
  Status get(const Table& table, std::string_view key, std::string& value);
  Result<std::string> get(const Table& table, std::string_view key);

  // Up to `length` bytes of the value from `offset` on into `buffer`; returns how many. Reads only the pages
  // concerned.
  Result<std::size_t> get_part(const Table& table, std::string_view key, std::uint64_t offset, char* buffer,
                               std::size_t length);

  // As `get`, and takes the key's write lock, also when the key is not there. To other transactions it is a
  // write: at `snapshot` it meets their changes, and once it is committed they meet it, with
  // conflict/write_conflict.
  Status get_for_update(const Table& table, std::string_view key, std::string& value);
  Result<std::string> get_for_update(const Table& table, std::string_view key);

  // As above and below, without waiting where `if_locked` is `fail`.
  Status get_for_update(const Table& table, std::string_view key, std::string& value, IfLocked if_locked);
  Status get_for_share(const Table& table, std::string_view key, std::string& value, IfLocked if_locked);

  // As `get`, and locks the key against writers to the end of the transaction, also when it is not there;
  // others may read it so, too. A `read_only` transaction may. At `snapshot` `conflict/write_conflict` where
  // another transaction changed the key and committed since the snapshot; for a `read_only` one not where the
  // key was not there then and is not there now.
  Status get_for_share(const Table& table, std::string_view key, std::string& value);
  Result<std::string> get_for_share(const Table& table, std::string_view key);

  // A cursor over `range`; it stands nowhere until it is sought. Close it before the transaction ends.
  Result<Cursor> cursor(const Table& table, const KeyRange& range = KeyRange::all(),
                        const CursorOptions& options = {});

  // Waits until the table can be locked so; more than what is held already is added to it. `read_only` for
  // `exclusive` in a transaction that may not write; `invalid_argument` for `skip`.
  Status lock_table(const Table& table, TableLock lock, IfLocked if_locked = IfLocked::wait);

  // What this transaction reads from, to be shared. `invalid_argument` where its level has no snapshot.
  Result<Snapshot> snapshot();

  // ---- writing: each waits for a transaction in progress that wrote the key, or has read it with a lock;
  // `conflict/deadlock` at once where that would never end, for one of those who wait, and
  // `conflict/lock_timeout` after `LockOptions::timeout_ms` or `TransactionOptions::lock_timeout_ms`. At
  // `snapshot`,
  // `conflict/write_conflict` where another transaction changed the key and committed since the snapshot.
  // A conflict ends the transaction. A call that waited goes by what is there then, also what it answers
  // (`get_for_update`); one that fails with `already_exists` or `not_found` keeps no lock, or, at levels that
  // lock what they read, that of a read. ----

  Status put(const Table& table, std::string_view key, std::string_view value);
  Status insert(const Table& table, std::string_view key,
                std::string_view value);                   // `already_exists` if it is there
  Status erase(const Table& table, std::string_view key);  // `not_found` if it is not
  Result<std::uint64_t> erase_range(const Table& table, const KeyRange& range);  // how many it erased

  // A value written in pieces: `append` adds to the end of the value that this transaction last put at `key`.
  Status append(const Table& table, std::string_view key, std::string_view piece);

  // ---- tables: names of 1 to kMaxTableNameBytes bytes; part of the transaction like any write ----

  Result<Table> open_table(std::string_view name);    // `not_found`
  Result<Table> create_table(std::string_view name);  // `already_exists`
  Result<Table> ensure_table(std::string_view name);  // opens it, or makes it
  Status drop_table(const Table& table);              // waits as `lock_table` with `exclusive` does

  // ---- savepoints: rolling back keeps all locks that were taken since, of reads as well as of writes ----

  Result<Savepoint> savepoint();
  Status rollback_to(const Savepoint& savepoint);  // the savepoint stays; later ones are gone

  // ---- ending ----

  // All of it, or nothing: an error means that nothing is visible, unless it is `read_only` or `io_error`
  // after a failed sync, where only reopening tells.
  Status commit();
  Status abort();

  // False once it is over: committed, aborted, or ended by a conflict or by `snapshot_too_old`. Then every
  // call answers `aborted`.
  [[nodiscard]] bool active() const noexcept;

  // Its number; 0 until its first write or lock. One that only reads, with locks, has a number from 2^62 on,
  // which reports show as R1, R2 ...; others are shown as T1, T2 ...
  [[nodiscard]] std::uint64_t id() const noexcept;

 private:
  friend class txn::Core;
  Transaction(txn::Core* core, txn::TransactionState* state) noexcept : core_(core), state_(state) {}
  txn::Core* core_ = nullptr;
  txn::TransactionState* state_ = nullptr;
};

}  // namespace isolith
