// Core: an open database. It owns the parts and carries what a transaction does through them; one source file
// a stage of life:
//   core_open.cc      opening, closing               recovery.cc       what a crash left
//   core_read.cc      get                            cursor.cc         scans
//   core_write.cc     put, insert, erase, locks      large_value.cc    values in page chains
//   core_end.cc       commit, abort                  rollback.cc       undo, savepoints
//   core_locks.cc     read locks, waiting for locks
//   catalog.cc        tables                         collector.cc      old versions, tombstones, the horizon
//   snapshots.cc      who reads from what        core_serializable.cc  conflicts of serializable_ssi
//   observe.cc        what an observer is told
//   checkpoint.cc     checkpoints                    verify.cc         checks and figures
//   api.cc            the public classes
//
// Lock order: gate > leaf latches > version shards; leaf latches, collector's mutex > share mutex; commit
// mutex > log; nothing of these is held while waiting for a transaction.
//
// Threads: any, but one at a time for one TransactionState.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/live_file.h"
#include "base/simulated_disk.h"
#include "btree/btree.h"
#include "btree/page_chain.h"
#include "isolith/database.h"
#include "locking/conflict_tracker.h"
#include "locking/lock_manager.h"
#include "mvcc/held_versions.h"
#include "mvcc/live_snapshots.h"
#include "mvcc/spilled_versions.h"
#include "mvcc/status_table.h"
#include "mvcc/version_store.h"
#include "pages/page_cache.h"
#include "txn/gate.h"
#include "txn/saved_undo.h"
#include "txn/table_directory.h"
#include "txn/transaction_state.h"
#include "txn/undo_pool.h"
#include "wal/log_writer.h"
#include "wal/operation.h"

namespace isolith::txn {

inline constexpr std::chrono::milliseconds kLiveReportPeriod{1000};

enum class WriteKind : std::uint8_t { put, insert, erase, lock, grow };

// A row as a cursor holds it.
struct RowCopy;

class Core {
 public:
  // ---- core_open.cc ----
  static Result<Core*> open(const std::string& path, const Options& options);
  static Result<Core*> open_in_memory(const Options& options);
  Status close();
  ~Core();

  // ---- core_end.cc: a transaction's beginning and end ----
  Result<Transaction> begin(const TransactionOptions& options);
  Status commit(TransactionState& state);
  // `reason`: why, where the program did not want it.
  Status abort(TransactionState& state, const Status& reason = {});
  // The handle is gone: aborts what is active.
  void release_transaction(TransactionState& state);
  void release_handle(TransactionState& state);

  // ---- snapshots.cc ----
  // `shared` absent: what is committed now.
  Result<Snapshot> hold_snapshot(std::optional<Timestamp> shared, std::string_view name);
  Result<Snapshot> snapshot_of(TransactionState& state);
  Result<Snapshot> find_snapshot(std::string_view name);
  void copy_snapshot(TransactionState& state) noexcept;
  void release_snapshot(TransactionState& state);
  std::vector<TransactionInfo> active_transactions();
  void set_observer(Observer* observer) noexcept { observer_ = observer; }

  // ---- core_read.cc ----
  Status get(TransactionState& state, const Table& table, std::string_view key, std::string& value);
  Result<std::size_t> get_part(TransactionState& state, const Table& table, std::string_view key,
                               std::uint64_t offset, char* buffer, std::size_t length);
  Result<Cursor> cursor(TransactionState& state, const Table& table, const KeyRange& range,
                        const CursorOptions& options);

  // ---- core_write.cc ----
  Status write(TransactionState& state, const Table& table, std::string_view key, WriteKind kind,
               std::string_view value);
  Status get_for_update(TransactionState& state, const Table& table, std::string_view key, std::string& value,
                        IfLocked if_locked);

  // ---- core_locks.cc ----
  Status get_for_share(TransactionState& state, const Table& table, std::string_view key, std::string& value,
                       IfLocked if_locked);
  Status lock_table(TransactionState& state, const Table& table, TableLock lock, IfLocked if_locked);
  std::vector<LockInfo> locks();
  Status append(TransactionState& state, const Table& table, std::string_view key, std::string_view piece);
  Result<std::uint64_t> erase_range(TransactionState& state, const Table& table, const KeyRange& range);

  // ---- catalog.cc ----
  Result<Table> open_table(TransactionState& state, std::string_view name);
  Result<Table> create_table(TransactionState& state, std::string_view name);
  Status drop_table(TransactionState& state, const Table& table);
  Result<std::vector<std::string>> tables();

  // ---- rollback.cc ----
  Result<Savepoint> savepoint(TransactionState& state);
  Status rollback_to(TransactionState& state, const Savepoint& savepoint);

  // ---- checkpoint.cc, verify.cc ----
  Status checkpoint();
  Status sync();
  Result<VerifyReport> verify();
  [[nodiscard]] DatabaseStats stats();
  Result<TableStats> table_stats(const Table& table);
  [[nodiscard]] const RecoveryReport& recovery() const noexcept { return recovery_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

  // ---- live_report.cc ----
  static Result<Observation> observe(const std::string& path);

  // The Database object is gone: the last handle deletes the core.
  void release_database();

  static TransactionState* state_of(const Transaction& transaction) noexcept { return transaction.state_; }

 private:
  friend class CursorState;
  friend class Replayer;

  // A row, found and judged.
  struct Found {
    bool exists = false;
    bool large = false;
    bool locked = false;
    TransactionId writer{};      // of the version, if there is one
    TransactionId superseder{};  // who replaced it, or what is not there, after the snapshot
    btree::ChainReference chain;
  };

  Core(const Options& options, base::FileSystem& files, std::string path);

  // core_open.cc
  Status open_files();
  Status lock_directory();
  Status create_if_needed();
  void stop_threads();
  [[nodiscard]] std::string data_path() const { return path_ + "/data"; }
  [[nodiscard]] std::string log_path() const { return path_ + "/log"; }

  // Why nothing can be done: the transaction is over, the database closed.
  Status check_active(const TransactionState& state) const;
  Status check_key(std::string_view key) const;
  Status check_writable(TransactionState& state);
  // Null and `status` set when the handle is not of a table that this transaction can use.
  TableInfo* find_table(TransactionState& state, const Table& table, Status& status) const;
  // Whether the transaction can read the table: it is there for what it reads from.
  [[nodiscard]] static bool is_there(const TransactionState& state, const TableInfo& table) noexcept;
  [[nodiscard]] Status writing_health() const;
  void fail_writing(const Status& reason);

  struct Change;

  // core_read.cc
  mvcc::ReadRule read_rule(const TransactionState& state) const noexcept;
  Status read_value(TransactionState& state, const TableInfo& table, std::string_view key,
                    std::string& value);
  Status get_value(TransactionState& state, const TableInfo& table, std::string_view key, std::string& value);
  void begin_tracked_read(TransactionState& state, const TableInfo& table, std::string_view key);
  Status find_row(TransactionState& state, const TableInfo& table, std::string_view key, std::string& value,
                  Found& found);
  Status find_row_shared(TransactionState& state, const TableInfo& table, std::string_view key,
                         const mvcc::ReadRule& rule, std::string& value, Found& found);
  // To a snapshot a row that its own transaction has locked and not written is what it was before.
  static bool is_only_locked(const mvcc::ReadRule& rule, TransactionId writer,
                             btree::RowFlags flags) noexcept {
    return rule.bounded && writer == rule.own && has(flags, btree::RowFlags::locked);
  }
  bool judge_version(TransactionState& state, const mvcc::ReadRule& rule, TransactionId writer);
  Status find_locked_row(TransactionState& state, const TableInfo& table, std::string_view key,
                         std::string& value, Found& found, IfLocked if_locked);
  bool find_older(TransactionState& state, const TableInfo& table, std::string_view key,
                  const mvcc::ReadRule& rule, TransactionId row_writer, std::string& value, Found& found);
  bool is_over(TransactionState& state, const mvcc::ReadRule& rule, TransactionId superseder);
  Status find_spilled(TransactionState& state, const TableInfo& table, std::string_view key,
                      const mvcc::ReadRule& rule, std::string& value, Found& found);
  // The transaction found nothing at a place: perhaps for an erasing that is not durable yet and whose
  // tombstone is collected. Loaded after the place was read, so it counts what emptied it.
  void note_absence(TransactionState& state) const noexcept {
    state.seen_ts = std::max(state.seen_ts, Timestamp{traceless_ts_.load(std::memory_order_acquire)});
  }
  pages::Step read_large(const Found& found, std::uint64_t offset, char* to, std::size_t size,
                         Status& failure);
  static void copy_row(const btree::RowView& row, std::string& value, Found& found);
  static void copy_row(const mvcc::Version& version, std::string& value, Found& found);

  // core_locks.cc
  [[nodiscard]] locking::Request request_of(const TransactionState& state, const TableInfo* table,
                                            std::string_view key, locking::Mode mode);
  [[nodiscard]] std::optional<locking::Blocker> writer_of_row(TransactionId writer, Status& status);
  // A conflict has ended the transaction.
  Status after_wait(TransactionState& state, Status status);
  Status intend_write(TransactionState& state, const TableInfo& table, IfLocked if_locked);
  Status intend_read(TransactionState& state, const TableInfo& table, IfLocked if_locked);
  Status intend_slowly(TransactionState& state, const TableInfo* table, locking::Mode mode,
                       IfLocked if_locked);
  Status begin_alone(TransactionState& state);
  Status lock_key(TransactionState& state, const TableInfo& table, std::string_view key,
                  IfLocked if_locked = IfLocked::wait);
  Status lock_range(TransactionState& state, const TableInfo& table, std::string_view lo,
                    const std::optional<std::string>& hi, IfLocked if_locked);
  Status wait_for_writer(TransactionState& state, const TableInfo& table, std::string_view key,
                         TransactionId writer, IfLocked if_locked);
  Status share_row(TransactionState& state, const TableInfo& table, std::string_view key, std::string& value,
                   IfLocked if_locked);
  Status update_row(TransactionState& state, const TableInfo& table, std::string_view key, std::string& value,
                    IfLocked if_locked);
  static bool fails_for(const TransactionState& state, Timestamp commit_ts) noexcept;
  Status wait_to_write(TransactionState& state, Change& change);
  void leave_line(Change& change, bool is_written);
  static locking::KeyPlace place_of(const TableInfo& table, std::string_view key) noexcept {
    return {table.locks, table.id, key, locking::hash_of(table.id, key)};
  }

  // core_serializable.cc
  void begin_tracked(TransactionState& state) {
    if (state.place == nullptr) [[unlikely]]
      state.place = &tracker_.make_place();
    start_tracking(state);
    if (state.read_only && tracker_.is_only_place()) look_if_safe(state);
  }
  // Where what it reads has marks its snapshot counts as that of one that may write: what was erased since
  // leaves its trace until it ends.
  void start_tracking(TransactionState& state) {
    tracker_.begin(*state.place, state.read_only);
    state.tracked = state.place;
    state.as_of = register_snapshot(state, !state.place->sets->is_unmarked);
    state.place->sets->snapshot = raw(state.as_of);
  }
  Status begin_safe(TransactionState& state);
  enum class Safety : std::uint8_t { open, safe, unsafe };
  Safety safety_of(const TransactionState& state, std::vector<std::uint64_t>* pending);
  void look_if_safe(TransactionState& state);
  // One that only reads may have become safe: it looks once it has read as much again as when it looked
  // before.
  void count_reads(TransactionState& state, std::size_t count) {
    if ((state.tracked->reads += count) >= state.tracked->look_at) look_if_safe(state);
  }
  Status wait_until_safe(TransactionState& state, bool& is_safe);
  Status unsafe_for_long(const TransactionState& state, const std::vector<std::uint64_t>& pending);
  void stop_tracking(TransactionState& state, bool is_committed = false) {
    state.last_read.table = nullptr;
    state.last_read.is_expected = false;
    tracker_.end(*std::exchange(state.tracked, nullptr), is_committed);
  }
  locking::AccessSets& access_of(TransactionState& state);
  void track_key(TransactionState& state, const TableInfo& table, std::string_view key);
  void enter_key(TransactionState& state, const TableInfo& table, std::string_view key);
  void mark_last_read(TransactionState& state);
  [[nodiscard]] bool is_time_known(TransactionId id, const mvcc::TransactionStatus& status) const noexcept;
  void note_read(TransactionState& state, const Found& found);
  static bool is_changed_since(const TransactionState& state, const TableInfo& table) noexcept {
    return table.created_ts.load(std::memory_order_relaxed) > raw(state.as_of) ||
           table.dropped_ts.load(std::memory_order_relaxed) > raw(state.as_of);
  }
  static void note_table(const TransactionState& state, const TableInfo& table);
  void describe_access(const TransactionState& state, locking::AccessSets& sets);
  void name_access(const TransactionState& state, locking::AccessSets& sets);
  void collect_access(const TransactionState& state, locking::AccessSets& sets);
  void find_readers(TransactionState& state, locking::MetReaders& readers);
  Status test_serializable(TransactionState& state, Timestamp ts);
  Status commit_tracked_reader(TransactionState& state);
  void commit_access(TransactionState& state, Timestamp ts);
  Status serialization_conflict(const TransactionState& state, const locking::Circle& circle) const;

  // observe.cc: an observer is set
  void tell_begin(const TransactionState& state, std::string_view label) const;
  void tell_read(const TransactionState& state, const TableInfo& table, std::string_view key,
                 TransactionId writer, bool exists) const;
  void tell_write(const TransactionState& state, const Change& change) const;
  void tell_wait(const TransactionState& state, const WaitInfo& info) const;
  void tell_wake(const TransactionState& state, const WaitInfo& info) const;
  void tell_commit(const TransactionState& state, Timestamp ts) const;
  void tell_abort(const TransactionState& state, const Status& reason) const;
  // The way of locks to the hook.
  class WaitTeller final : public WaitHook {
   public:
    WaitTeller(const Core& core, WaitHook& hook) : core_(core), hook_(hook) {}
    bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
              std::uint64_t timeout_ms) override;
    void wake_all(const std::atomic<std::uint32_t>& word) override { hook_.wake_all(word); }

   private:
    const Core& core_;
    WaitHook& hook_;
  };

  // core_write.cc
  enum class Outcome : std::uint8_t { done, wait, no_room, refused };
  Status begin_writing(TransactionState& state, IfLocked if_locked = IfLocked::wait);
  Status dropped_since(TransactionState& state, const TableInfo& table);
  Status write_conflict(const TransactionState& state, const Change& change, Timestamp other_commit);
  // `key` of no data: the table as a whole.
  ConflictReport conflict_report(const TransactionState& state, std::string_view rule, TransactionId other,
                                 Timestamp other_commit, const TableInfo& table, std::string_view key);
  Outcome try_change(TransactionState& state, Change& change, Status& status);
  Outcome change_leaf(TransactionState& state, Change& change, btree::ExclusiveGuard& leaf, Status& status);
  Outcome judge_change(TransactionState& state, Change& change, Status& status);
  bool fails_anyway(TransactionState& state, const Change& change, Status& status);
  Status write_row(TransactionState& state, const TableInfo& table, std::string_view key, WriteKind kind,
                   std::string_view value, IfLocked if_locked = IfLocked::wait);
  Status apply(TransactionState& state, Change& change);
  Status log_operation(TransactionState& state, const wal::Operation& operation);
  Status log_put(TransactionState& state, TableId table, std::string_view key, std::string_view value);
  Status spill(TransactionState& state);

  // large_value.cc
  Status store_large(TransactionState& state, std::string_view value, btree::ChainReference& reference);
  Status grow_large(TransactionState& state, const TableInfo& table, std::string_view key, const Found& found,
                    std::string_view piece);
  Status append_pieces(TransactionState& state, btree::ChainWriter& writer, std::string_view value);
  Status copy_chain(TransactionState& state, const btree::ChainReference& from, btree::ChainWriter& writer);
  void drop_pending_chain(TransactionState& state, PageId first);
  Status free_chain_pages(PageId first);
  std::uint64_t next_stamp() noexcept { return stamp_.fetch_add(1, std::memory_order_relaxed); }

  // rollback.cc
  Status undo_version(TransactionState& state, mvcc::Version& version, bool keep_lock, bool has_turn);
  Status undo_row(TransactionState& state, mvcc::Version& version, bool keep_lock, bool has_turn);
  static PageId chain_that_goes(const btree::RowView& row, const mvcc::Version& old) noexcept;
  Status roll_back(TransactionState& state);

  // core_end.cc
  Status commit_writes(TransactionState& state);
  Status commit_in_order(TransactionState& state, const locking::MetReaders& readers, bool is_seen,
                         std::uint32_t crc, Lsn& end, Timestamp& ts);
  void publish_tables(const TransactionState& state, Timestamp ts);
  void finish(TransactionState& state, Phase phase);
  void end_after(TransactionState& state, const Status& status);

  // catalog.cc
  [[nodiscard]] Table handle_of(const TableInfo& info) const noexcept;
  Status write_catalog(TransactionState& state, std::string_view name, WriteKind kind,
                       std::string_view entry);
  static void link_table_version(TransactionState& state, mvcc::VersionKind kind, TableId id, PageId root);
  Status take_back_table(TransactionState& state, TableId id, PageId root);
  Status load_catalog();
  Status free_tree(PageId root);

  // snapshots.cc
  Timestamp register_snapshot(TransactionState& state, bool may_write) noexcept;
  [[nodiscard]] bool is_read_from(Timestamp ts, const TransactionState* by_other_than,
                                  std::uint64_t& since_ms) const;
  Status share_snapshot(TransactionState& state, Timestamp ts);
  Status begin_on_snapshot(TransactionState& state, const Snapshot& snapshot);
  [[nodiscard]] bool is_name_taken(std::string_view name) const;
  void look_at_snapshots();
  [[nodiscard]] Timestamp oldest_start();
  bool keep_snapshots_in_bounds(TransactionState& gate_holder, std::uint64_t count_max);
  bool fail_oldest_snapshot(std::uint64_t older_than_ms);
  const Timestamp* snapshot_to_spill(Timestamp& place) const;
  Status spill_version(TransactionState& gate_holder, Timestamp snapshot, mvcc::Version* version);
  void fail_snapshots_out_of_bounds(TransactionState& gate_holder);
  // What the transaction read is what its snapshot holds: it was not failed. To be asked after reading.
  static bool is_snapshot_intact(const TransactionState& state) noexcept {
    const std::uint64_t expired = state.expired.load(std::memory_order_acquire);
    return expired == 0 || expired != state.snapshot.load(std::memory_order_relaxed);
  }
  Status snapshot_failure(TransactionState& state);
  static bool is_active(const TransactionState& state) noexcept {
    return state.handles.load(std::memory_order_relaxed) != 0 &&
           (state.start_ts.load(std::memory_order_relaxed) != 0 ||
            state.snapshot.load(std::memory_order_relaxed) != 0);
  }
  void describe(TransactionState& state, std::string_view label);
  void forget_description(TransactionState& state) noexcept;
  void remember_description(const TransactionState& state) noexcept;
  static std::uint8_t tag_of(Isolation level) noexcept;
  [[nodiscard]] ConflictReport::Party committed_party(TransactionId id, Timestamp commit);
  void describe_ended(TransactionId id, ConflictReport::Party& party);
  [[nodiscard]] ConflictReport::Party active_party(std::uint64_t number);
  void name_slot(const TransactionState& state, std::string& level, std::string& label) const;
  TransactionInfo info_of(const TransactionState& state);

  // collector.cc
  void raise_traceless(Timestamp ts) noexcept;
  // How much one turn does, and whether it waits for its turn: not where it is `brief`.
  enum class Effort : std::uint8_t { brief, background, whole };
  void collect(TransactionState& gate_holder, Effort effort);
  mvcc::UndoLog* take_committed(Timestamp until, std::uint64_t count_max, bool& is_all);
  void collect_log(TransactionState& gate_holder, mvcc::UndoLog& log);
  void collect_version(TransactionState& gate_holder, mvcc::Version& version, Timestamp end_ts);
  bool collect_held(TransactionState& gate_holder, std::uint64_t count_max);
  void collect_held(TransactionState& gate_holder, mvcc::Version* version);
  bool collect_spilled(TransactionState& gate_holder, bool has_time);
  [[nodiscard]] Timestamp oldest_to_ask() const;
  void ask_to_collect();
  [[nodiscard]] bool is_needed(const mvcc::Version& version, Timestamp snapshot,
                               Timestamp end_ts) const noexcept;
  Status drop_value(TransactionState& gate_holder, mvcc::Version& version);
  bool is_spilled(const mvcc::Version& version);
  enum class Purge : std::uint8_t { whenever, unless_older_versions };
  Status purge_tombstone(TransactionState& gate_holder, const mvcc::Version& version, Purge condition,
                         bool& stays);
  Status remove_tombstone(PageId root, std::string_view key, TransactionId writer);
  Status remove_row(PageId root, std::string_view key);
  Status remove_row_if(PageId root, std::string_view key,
                       const std::function<bool(const btree::RowView&)>& condition);
  void collect_dropped_tables(TransactionState& gate_holder, Timestamp collected);
  void note_durable();

  // checkpoint.cc
  Status run_checkpoint(bool clean);
  Status make_checkpoint(bool clean);
  Status capture(pages::CheckpointHeader& header, SavedUndoSource& source);
  Status write_saved_undo(std::string_view bytes, pages::CheckpointHeader& header, std::vector<PageId>& ids);
  Status write_and_publish(pages::CheckpointHeader& header, std::string_view saved,
                           std::vector<PageId>& undo_pages);
  [[nodiscard]] bool is_space_due() const;
  void run_due_checkpoints(bool asked);
  void run_background();
  void wake_background();

  // live_report.cc
  void begin_live_report();
  void report_live();

  // recovery.cc
  Status recover();
  Status apply_saved_undo();
  Status replay(Lsn& end, Timestamp& newest, std::uint64_t& next_id);

  // verify.cc: the gate is closed
  Status verify_all(VerifyReport& report);
  Status verify_table(const TableInfo& table, VerifyReport& report,
                      const std::function<void(PageId)>& on_page);
  Status verify_chain(const btree::ChainReference& chain, const std::function<void(PageId)>& on_page,
                      std::vector<std::string>& problems);

  Options options_;
  base::FileSystem& files_;
  std::unique_ptr<base::SimulatedDisk> memory_;  // of a database in memory
  std::string path_;
  const std::uint64_t instance_;  // tells the handles of this opening from others
  WaitHook& hook_;
  WaitTeller wait_teller_;
  std::unique_ptr<base::File> directory_lock_;
  std::unique_ptr<pages::PageFile> file_;
  std::unique_ptr<pages::PageCache> cache_;
  std::unique_ptr<wal::LogWriter> log_;  // null: in memory, or read-only
  std::unique_ptr<mvcc::StatusTable> statuses_;
  mvcc::VersionStore versions_;
  UndoPool undo_pool_;
  TableDirectory tables_;
  Slots slots_;
  Gate gate_;
  std::unique_ptr<locking::LockManager> locks_;
  locking::ConflictTracker tracker_;
  RecoveryReport recovery_;
  PageId catalog_root_ = kNoPage;
  std::atomic<std::uint64_t> stamp_{0};
  std::atomic<std::uint32_t> next_table_{1};

  // Commit order.
  alignas(64) std::mutex commit_mutex_;
  std::uint64_t newest_ts_ = 0;               // given out
  mvcc::UndoLog* committed_first_ = nullptr;  // to be collected, in commit order
  mvcc::UndoLog* committed_last_ = nullptr;
  std::atomic<std::uint32_t> uncollected_{0};
  // The newest commit whose erased rows or dropped tables have left no trace (`note_absence`).
  std::atomic<std::uint64_t> traceless_ts_{0};
  alignas(64) std::atomic<std::uint64_t> published_ts_{0};  // everything up to it is visible

  // Collector.
  std::mutex collect_mutex_;
  struct DroppedTable {
    PageId root{};
    Timestamp dropped_ts{};
    std::optional<Timestamp> unused_since;  // everybody who began before the drop had ended by then
  };
  std::vector<DroppedTable> dropped_tables_;  // under collect_mutex_
  Timestamp committed_until_{};               // what was committed until then is collected
  mvcc::LiveSnapshots live_;       // of the turn; written under share_mutex_ too, read under either
  mvcc::HeldVersions held_;        // under collect_mutex_
  mvcc::SpilledVersions spilled_;  // changed under collect_mutex_
  std::atomic<std::uint64_t> snapshots_failed_{0};
  std::atomic<std::uint64_t> held_by_oldest_{0};  // the snapshot, as a time plus one; 0: nothing is

  // Snapshots that go from one slot to another, and what reports say of slots.
  std::mutex share_mutex_;
  struct Description {
    std::string level;
    std::string label;
    bool is_held = false;  // a held snapshot; `label` is its name
  };
  // Of slots whose transaction has a label, or a level of the program's own; under share_mutex_.
  std::unordered_map<std::uint32_t, Description> descriptions_;
  // Of such as wrote and committed, each until one comes whose number is the same by this; under it, too.
  static constexpr std::size_t kEndedMax = 1024;
  std::vector<std::pair<TransactionId, Description>> ended_;
  static constexpr std::uint8_t kIsDescribed = 8;

  // Checkpointer and background thread.
  std::mutex checkpoint_mutex_;
  std::vector<PageId> saved_undo_pages_;          // of the last checkpoint
  std::atomic<std::uint64_t> checkpoint_lsn_{0};  // of the last one, or of the last try
  std::atomic<std::uint64_t> checkpoints_{0};
  std::uint32_t settled_slot_end_ = 0;  // of the file, when its tail could not go
  std::mutex background_mutex_;
  std::condition_variable background_wake_;
  bool background_checkpoint_ = false;
  bool background_collect_ = false;
  bool background_stop_ = false;
  std::unique_ptr<base::LiveFile> live_file_;  // null: not reported
  std::uint64_t live_reported_ms_ = 0;
  std::string live_reported_;
  std::thread background_;

  Observer* observer_ = nullptr;

  // State of the whole.
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> orphans_{0};  // handles that outlive the database
  mutable std::mutex health_mutex_;
  Status writing_failure_;
  Status last_checkpoint_;
  std::atomic<bool> writing_failed_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> aborts_{0};
};

}  // namespace isolith::txn
