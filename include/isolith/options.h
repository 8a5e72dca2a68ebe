// What a program may choose when it opens a database or begins a transaction. Every default is meant to be
// right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "isolith/isolation.h"

namespace isolith {

class Snapshot;
class WaitHook;

namespace base {
class FileSystem;
}

// When `commit` may return.
enum class Durability : std::uint8_t {
  sync,   // after the transaction is on stable storage; also a read-only transaction waits for what it has
          // read
  async,  // at once; on stable storage within `Options::async_interval_ms`
  none,   // at once; on stable storage at the latest with the next checkpoint or a clean close
};

// What happens when old versions need more memory than they may, or a snapshot gets older than it may.
enum class SnapshotOverflow : std::uint8_t {
  spill,        // its old versions move to the data file; nobody fails
  fail_oldest,  // the transaction that reads from the oldest snapshot fails with `snapshot_too_old`
};

// How far a reader may hold old versions back. Writers never wait for one.
struct SnapshotOptions {
  // Memory for old versions that snapshots need, in bytes.
  std::uint64_t version_bytes = std::uint64_t{256} << 20;

  // The oldest that a snapshot may get while it holds old versions back, in milliseconds; 0: no limit.
  // Checked when transactions end.
  std::uint64_t age_max_ms = 0;

  SnapshotOverflow overflow = SnapshotOverflow::spill;
};

// Who gives way in a deadlock.
enum class DeadlockVictim : std::uint8_t {
  youngest,       // the transaction that began last
  least_written,  // the one that changed the fewest rows; of several the youngest
  last_to_wait,   // the one whose wait closed the circle: it depends on the order of waits alone
};

// When a transaction of the level serializable_ssi fails.
enum class ConflictTest : std::uint8_t {
  circle,               // where it and others that committed are as in no serial order
  dangerous_structure,  // where one that overlaps comes before it, it before a third, and the third committed
                        // first: as in PostgreSQL. It looks at less and fails more often without need
};

struct LockOptions {
  // The longest wait for another transaction, in milliseconds; 0: no limit. Past it the call fails with
  // conflict/lock_timeout, and its transaction is over. Deadlocks are found at once whatever this says.
  std::uint64_t timeout_ms = 0;

  DeadlockVictim victim = DeadlockVictim::youngest;

  // Memory for the read locks of all transactions, in bytes, about: a key takes some 80 and its own size, a
  // range as much for any number of rows. Past it what the transaction that asks for more has read of each
  // table becomes one range, from the first key to the last: others may then wait, or meet in a deadlock, for
  // what it did not read, but no lock is lost and no call fails for want of memory.
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;

  ConflictTest conflict_test = ConflictTest::circle;

  // Memory for what transactions of the level serializable_ssi have read, until nobody is active who overlaps
  // them, in bytes, about: a key takes some 20 to 30, whatever its size. Past it those that committed count
  // as having read everything, and what an active one has read becomes the tables that it read: others may
  // then fail without need, but no conflict is missed and no call fails for want of memory. Up to a quarter
  // of it is for what the last large ones have read and written. Besides, there are some 10 KiB for each that
  // runs at the same time as others, and up to 270 KiB where those before it read and wrote hundreds of keys.
  std::uint64_t tracking_bytes = std::uint64_t{64} << 20;
};

struct Options {
  // Pages in memory, in bytes: at least 1 MiB, rounded down to whole pages. The budget is kept.
  std::size_t cache_bytes = std::size_t{256} << 20;

  // Make the directory and the database if there is none. Otherwise a missing database is `not_found`.
  bool create_if_missing = true;

  // Nothing is written, not even by recovery: a database that was not closed cleanly is `read_only`.
  // `busy` while another process has it open. Where the lock file can not be made (a read-only medium) no
  // lock is taken: then nobody may write to the database meanwhile.
  bool read_only = false;

  Isolation default_isolation = Isolation::serializable;
  Durability default_durability = Durability::sync;

  // The longest that an `async` commit stays off stable storage, in milliseconds: 1 to 60,000.
  std::uint32_t async_interval_ms = 50;

  // A checkpoint begins when the log has grown by this much since the last one, in bytes: at least 1 MiB.
  std::uint64_t checkpoint_log_bytes = std::uint64_t{256} << 20;

  // Size of one log segment, in bytes: 256 KiB to 1 GiB.
  std::uint64_t log_segment_bytes = std::uint64_t{16} << 20;

  // How transactions wait for each other.
  LockOptions locks;

  // What a long reader may cost.
  SnapshotOptions snapshots;

  // How to wait; null: a futex. Must outlive the database.
  WaitHook* wait_hook = nullptr;

  // Where the files are; null: the operating system's. Must outlive the database.
  base::FileSystem* file_system = nullptr;
};

struct TransactionOptions {
  TransactionOptions() = default;
  TransactionOptions(Isolation level) : isolation(level) {}  // NOLINT(google-explicit-constructor)

  // Unset members take the database's default.
  std::optional<Isolation> isolation;
  std::optional<Durability> durability;
  bool read_only = false;  // no writes and no locks to write: `read_only`; reading with locks is allowed

  // With `read_only` at the level serializable_ssi: `begin` waits until there is a snapshot that is safe
  // whatever others do. Such a transaction never fails with a conflict, and what it reads is not remembered.
  bool deferrable = false;

  // The longest wait for another transaction, in milliseconds, instead of `LockOptions::timeout_ms`; 0: no
  // limit.
  std::optional<std::uint64_t> lock_timeout_ms;

  // Reads from this snapshot, at the level `snapshot`; such a transaction is read-only. Need not outlive the
  // call of `begin`.
  const Snapshot* snapshot = nullptr;

  // Shown in reports (`Database::active_transactions`, `ConflictReport`). Copied by `begin`; none costs
  // nothing.
  std::string_view label = {};

  // A level of the program's own; wins over `isolation`. Must outlive the transaction.
  const IsolationPolicy* policy = nullptr;
};

}  // namespace isolith
