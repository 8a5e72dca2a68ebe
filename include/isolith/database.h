// Database: one directory of files, or memory, open in one process.
//
// Example:
//   isolith::Database database = *isolith::Database::open("accounts.isolith");
//   isolith::Status status = isolith::run_transaction(database, [](isolith::Transaction& transaction) {
//     isolith::Table table = *transaction.ensure_table("accounts");
//     return transaction.put(table, "alice", "100");
//   });
//
// Threads: every member but `close` and the destructor may be called from any thread at any time. Those two
// need that no other call is under way; transactions and cursors may outlive them and then answer `aborted`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolith/observer.h"
#include "isolith/options.h"
#include "isolith/status.h"
#include "isolith/transaction.h"

namespace isolith {

// What opening found and did.
struct RecoveryReport {
  bool created = false;                 // a new database was made
  bool clean = false;                   // the last close was clean: nothing to replay
  std::uint64_t checkpoint_number = 0;  // the checkpoint that it started from
  std::uint64_t undone_operations = 0;  // of transactions that were in progress at the checkpoint
  std::uint64_t replayed_transactions = 0;
  std::uint64_t replayed_operations = 0;
  std::uint64_t replayed_log_bytes = 0;
  std::uint64_t torn_tail_bytes = 0;  // of the log, written but never acknowledged
  double seconds = 0;
};

// Figures of the moment; counters count since opening.
struct DatabaseStats {
  std::uint64_t data_file_bytes = 0;
  std::uint64_t free_data_bytes = 0;  // of them, free for new pages
  std::uint64_t log_bytes = 0;        // log segments on disk
  std::uint64_t page_size_bytes = 0;
  std::uint64_t pages = 0;  // in use
  std::uint64_t cache_bytes = 0;
  std::uint64_t cached_pages = 0;
  std::uint64_t dirty_pages = 0;
  std::uint64_t page_reads = 0;
  std::uint64_t page_writes = 0;
  std::uint64_t checkpoints = 0;
  Status last_checkpoint;  // why the last one, asked for or not, failed; it is tried again
  std::uint64_t log_syncs = 0;
  std::uint64_t commits = 0;  // of transactions that wrote
  std::uint64_t aborts = 0;
  std::uint64_t lock_waits = 0;            // waits for locks of others, of reads as well as of writes
  std::uint64_t deadlocks = 0;             // found; each has failed one transaction
  std::uint64_t lock_bytes = 0;            // memory for read locks, about
  std::uint64_t lock_escalations = 0;      // times that locks of one became a range, to save memory
  std::uint64_t tracked_transactions = 0;  // active ones whose conflicts are tracked (serializable_ssi)
  std::uint64_t tracking_bytes = 0;    // memory for what they have read, and the last committed ones, about
  std::uint64_t tracking_folded = 0;   // reads of committed ones, given up to save memory
  std::uint64_t tracking_widened = 0;  // times that what one has read became tables
  std::uint64_t active_transactions = 0;
  std::uint64_t newest_commit = 0;    // its number; commits are numbered in their order
  std::uint64_t oldest_snapshot = 0;  // the horizon: nobody reads from an older commit
  std::uint64_t snapshots = 0;        // different ones that are read from
  std::uint64_t versions = 0;         // old versions in memory
  std::uint64_t version_bytes = 0;
  std::uint64_t spilled_versions = 0;  // old versions that moved to the data file
  std::uint64_t snapshots_failed = 0;  // with `snapshot_too_old`
};

// A transaction that is active, or a snapshot that is held.
struct TransactionInfo {
  std::uint64_t id = 0;  // as reports show it; 0: it has not written
  std::string level;     // "snapshot"; of a held snapshot: "(held snapshot)"; of one more
                         // cursor with a snapshot of its own: "(cursor)"
  std::string label;     // as the program gave it; of a held snapshot: its name
  std::uint64_t age_ms = 0;
  std::uint64_t snapshot = 0;  // the oldest commit that it reads from; 0: none
  std::uint64_t snapshot_age_ms = 0;
  std::uint64_t snapshot_age_commits = 0;  // commits since
  std::uint64_t held_versions = 0;         // kept for its snapshot, and for no newer one
  std::uint64_t held_bytes = 0;            // of them, in memory and spilled
  bool too_old = false;                    // failed; its program does not know yet
};

// A lock that a transaction has or waits for. Write locks of keys are in the rows, and not listed; who waits
// for one is.
struct LockInfo {
  std::uint64_t transaction = 0;  // its number, as `Transaction::id`
  std::string mode;               // "read", "write"; of tables also "intend_write" and so on
  std::string table;              // empty: the database
  bool is_whole = false;          // the table as a whole
  std::string key;                // or where the range begins
  bool is_range = false;
  std::optional<std::string> hi;  // of a range; none: the table's end
  bool is_waiting = false;
  std::vector<std::uint64_t> waits_for;  // transactions
};

// What a process that has a database open last wrote of it, for others to see.
struct Observation {
  std::uint64_t process_id = 0;
  std::uint64_t age_ms = 0;  // since it was written; again a second after a figure has changed
  DatabaseStats stats;
  std::vector<TransactionInfo> transactions;  // longest first, 1,000 at most; their ages are those of now
  std::vector<LockInfo> locks;                // 1,000 at most
};

struct TableStats {
  std::string name;
  std::uint64_t rows = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t inner_pages = 0;
  std::uint64_t large_value_pages = 0;
  std::uint32_t height = 0;  // 1: the root is a leaf
  double leaf_fill = 0;      // used bytes of the leaves, 0 to 1
};

struct VerifyReport {
  std::uint64_t tables = 0;
  std::uint64_t rows = 0;
  std::uint64_t pages = 0;
  std::vector<std::string> problems;  // empty: all is well
};

class Database {
 public:
  // Opens the directory `path`, recovering what a crash left. `busy` names the process that has it open.
  static Result<Database> open(const std::string& path, const Options& options = {});

  // Figures of a database that a process, this one or another, has open to write: of its last second, or of
  // before the checkpoint that it is busy with. Opens nothing and disturbs nobody. `not_found` where nobody
  // has it open; databases in memory, or in a file system of the program's own, cannot be observed.
  static Result<Observation> observe(const std::string& path);

  // A database that lives in memory and is gone when it is closed. `Durability` means nothing to it.
  static Result<Database> open_in_memory(const Options& options = {});

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();  // closes

  // Aborts what is in progress, writes a checkpoint, releases the directory. Later calls answer `aborted`.
  Status close();

  // At a level that runs alone (`serial`) it waits until nobody writes; `conflict/lock_timeout` where that
  // takes longer than locks may be waited for. `busy` where 65,536 transactions are open.
  Result<Transaction> begin(const TransactionOptions& options = {});

  // What is committed now, to be read from for as long as it is held. A name makes it findable;
  // `already_exists` while another one has it.
  Result<Snapshot> snapshot(std::string_view name = {});
  // The held snapshot with this name, or `not_found`.
  Result<Snapshot> find_snapshot(std::string_view name);
  // The snapshot that was taken when `timestamp` was the newest commit, if somebody still reads from it;
  // otherwise `snapshot_too_old`.
  Result<Snapshot> snapshot_at(std::uint64_t timestamp);

  // Who is active, longest first, with what they hold back.
  std::vector<TransactionInfo> active_transactions();

  // Who has locked what, and who waits for whom: of one moment for each part, not for all. Keys first, then
  // ranges and tables, then those who wait. A range that others share in part is listed in pieces.
  std::vector<LockInfo> locks();

  // The tables that are committed now, in order of their names.
  Result<std::vector<std::string>> tables();

  // Who is told from here on what transactions do; null: nobody. Only while no transaction is active. Must
  // outlive the database, or be taken back.
  void set_observer(Observer* observer);

  // As `Transaction::open_table` and `ensure_table`, in a transaction of their own.
  Result<Table> open_table(std::string_view name);
  Result<Table> ensure_table(std::string_view name);

  // Writes a checkpoint and waits for it. Writers go on meanwhile.
  Status checkpoint();

  // Everything committed so far reaches stable storage.
  Status sync();

  // Reads every page and checks every rule: checksums, order, fences, counts, reachability. Writers wait
  // meanwhile.
  Result<VerifyReport> verify();

  [[nodiscard]] DatabaseStats stats() const;
  Result<TableStats> table_stats(const Table& table);  // walks the table
  [[nodiscard]] const RecoveryReport& recovery() const noexcept;

 private:
  explicit Database(txn::Core* core) noexcept : core_(core) {}
  txn::Core* core_ = nullptr;
};

struct RetryOptions {
  int attempts_max = 100;
  std::chrono::microseconds first_pause{50};  // doubles up to `longest_pause`, with jitter
  std::chrono::microseconds longest_pause{20'000};
};

// Runs `body` in a transaction and commits it, again from the start after a conflict. `body` may run several
// times; it returns ok to commit, anything else to abort. Returns its status, or the last conflict when the
// attempts are used up.
Status run_transaction(Database& database, const std::function<Status(Transaction&)>& body,
                       const TransactionOptions& options = {}, const RetryOptions& retry = {});

}  // namespace isolith
