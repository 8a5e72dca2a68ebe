// A transaction's beginning and its end. Commit: log, publish with one store, release, tell.
#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fence.h"
#include "base/mutant.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

// Committed transactions whose old versions wait before somebody collects them: enough to share the look at
// the snapshots.
constexpr std::uint32_t kCollectEvery = 32;
constexpr std::uint32_t kSlotsEachCollect = 8;  // or more, where there are many slots to look at

}  // namespace

Result<Transaction> Core::begin(const TransactionOptions& options) {
  if (closed_.load(std::memory_order_acquire)) return Status(StatusCode::aborted, "the database is closed");
  const Isolation level = options.snapshot != nullptr
                              ? Isolation::snapshot
                              : options.isolation.value_or(options_.default_isolation);
  if (level > Isolation::serial) [[unlikely]]
    return Status(StatusCode::invalid_argument, "there is no such isolation level");
  TransactionState* state = slots_.acquire();
  if (state == nullptr) {
    return Status(StatusCode::busy,
                  "more than " + std::to_string(Slots::kSlotsMax) + " transactions are open");
  }
  state->read_only = options.read_only;
  state->durability = options.durability.value_or(options_.default_durability);
  const IsolationPolicy& built_in = policy_of(level);
  const bool is_custom = options.policy != nullptr && options.snapshot == nullptr;
  state->owner.policy = is_custom ? options.policy : &built_in;
  state->owner.label = options.label;  // until it is described: for what waiting for its snapshot tells
  state->tag = is_custom ? std::uint8_t{0} : tag_of(level);
  state->read_locks = state->owner.policy->read_locks();
  state->lock_timeout_ms = options.lock_timeout_ms.value_or(options_.locks.timeout_ms);
  state->view = state->owner.policy->read_view();
  if (base::is_mutant(base::Mutant::statement_snapshot_kept) && state->view == ReadView::newest_committed) {
    state->view = ReadView::snapshot;
  }
  state->as_of = Timestamp{0};
  state->seen_ts = Timestamp{0};
  state->first_writes = state->writes;
  ++state->serial;
  state->start_ms.store(base::coarse_clock_ms(), std::memory_order_relaxed);
  state->built_in.store(is_custom ? nullptr : &built_in, std::memory_order_relaxed);
  // Announced before any table is looked at (txn/table_directory.h).
  if (options.snapshot != nullptr) {
    if (Status status = begin_on_snapshot(*state, *options.snapshot); !status.ok()) {
      state->owner.label = {};
      Slots::release(*state);
      return status;
    }
  } else if (state->view == ReadView::snapshot) {
    if (!state->owner.policy->tracks_conflicts()) {
      state->as_of = register_snapshot(*state, !options.read_only);
    } else if (!options.deferrable || !options.read_only) {
      begin_tracked(*state);
    } else if (Status status = begin_safe(*state); !status.ok()) {
      state->owner.label = {};
      Slots::release(*state);
      return status;
    }
  } else {
    state->start_ts.exchange(published_ts_.load(std::memory_order_acquire) + 1, std::memory_order_seq_cst);
  }
  if (is_custom || !options.label.empty()) [[unlikely]]
    describe(*state, options.label);
  state->handles.store(1, std::memory_order_relaxed);
  state->phase = Phase::active;
  Transaction transaction(this, state);
  if (observer_ != nullptr) [[unlikely]]
    tell_begin(*state, options.label);
  if (state->owner.policy->runs_alone()) TRY(begin_alone(*state));
  return transaction;
}

Status Core::check_active(const TransactionState& state) const {
  if (state.phase == Phase::active) [[likely]]
    return {};
  if (closed_.load(std::memory_order_acquire)) return {StatusCode::aborted, "the database is closed"};
  return {StatusCode::aborted, state.phase == Phase::committed ? "the transaction is committed already"
                                                               : "the transaction was aborted"};
}

Status Core::commit(TransactionState& state) {
  TRY(check_active(state));
  if (state.undo != nullptr) {
    // What it should have met may have been given up with its snapshot.
    if (state.view == ReadView::snapshot && !is_snapshot_intact(state)) return snapshot_failure(state);
    return commit_writes(state);
  }
  if (state.is_tracking()) {
    TRY(commit_tracked_reader(state));
  } else if (state.read_locks != ReadLocks::none || state.owner.policy->runs_alone()) {
    base::full_fence();
    const Timestamp now{published_ts_.load(std::memory_order_seq_cst)};
    if (tracker_.is_in_use()) commit_access(state, now);
  }
  const Timestamp seen = state.seen_ts;
  const bool waits = state.durability == Durability::sync && log_ != nullptr && raw(seen) != 0 &&
                     seen > log_->durable_timestamp();
  if (observer_ != nullptr) [[unlikely]]
    tell_commit(state, {});
  finish(state, Phase::committed);
  // What it has read must not be lost by a crash once its caller has acted on it.
  return waits ? log_->make_durable(log_->appended_lsn(), kNoTransaction) : Status();
}

// Made and dropped tables are so for everybody.
void Core::publish_tables(const TransactionState& state, Timestamp ts) {
  for (const mvcc::Version* v = state.undo->newest; v != nullptr; v = v->older_in_log) {
    if (v->kind == mvcc::VersionKind::drop_table) {
      raise_traceless(ts);
      tables_.find(v->table)->dropped_ts.store(raw(ts), std::memory_order_relaxed);
      tables_.find(v->table)->dropped.store(true, std::memory_order_seq_cst);
    }
    if (v->kind == mvcc::VersionKind::create_table) {
      tables_.find(v->table)->created_ts.store(raw(ts), std::memory_order_relaxed);
      tables_.find(v->table)->creator.store(0, std::memory_order_release);
    }
  }
}

// What is in the order of commits: the test, the log, and the one store that makes all of it visible.
Status Core::commit_in_order(TransactionState& state, const locking::MetReaders& readers, bool is_seen,
                             std::uint32_t crc, Lsn& end, Timestamp& ts) {
  const TransactionId id = state.own_id();
  const GateHold inside(gate_, state);
  const std::lock_guard lock(commit_mutex_);
  ts = Timestamp{newest_ts_ + 1};
  if (!readers.empty()) locking::ConflictTracker::inform(readers, raw(ts));
  if (state.is_tracking() && locking::ConflictTracker::has_out(*state.tracked) &&
      !base::is_mutant(base::Mutant::test_before_commit)) {
    TRY(test_serializable(state, ts));
  }
  if (log_ != nullptr) {
    const Result<Lsn> appended = log_->append(
        state.spilled ? wal::UnitKind::part_commit : wal::UnitKind::commit, ts, id, state.redo, crc);
    TRY(appended);
    end = *appended;
  }
  newest_ts_ = raw(ts);
  if (state.is_tracking()) {
    tracker_.commit(*state.tracked, id, raw(ts));
  } else if (is_seen) {
    commit_access(state, ts);
  } else {
    tracker_.commit_unseen(raw(ts));
  }
  if (state.changes_tables) publish_tables(state, ts);
  // Then the time moves on, so that a snapshot taken now contains it.
  statuses_->set_committed(id, ts, state.tag);
  state.undo->commit_ts = ts;
  (committed_last_ == nullptr ? committed_first_ : committed_last_->next_committed) = state.undo;
  committed_last_ = state.undo;
  published_ts_.store(raw(ts), std::memory_order_release);
  // Still inside the gate: to a checkpoint it is either in progress or committed, never both.
  state.undo = nullptr;
  return {};
}

Status Core::commit_writes(TransactionState& state) {
  const TransactionId id = state.own_id();
  Status status = writing_health();
  if (status.ok() && state.redo.size() > wal::kUnitPayloadBytesMax) status = spill(state);
  if (!status.ok()) {
    TRY(abort(state, status));
    return status;
  }
  const std::uint32_t crc = log_ == nullptr ? 0 : base::crc32c(state.redo.data(), state.redo.size());
  Lsn end{};
  // Its rows are written: who reads there from now on meets them.
  base::full_fence();
  const bool is_seen = state.is_tracking() || tracker_.is_in_use();
  locking::MetReaders readers;
  if (is_seen) find_readers(state, readers);
  Timestamp ts{};
  status = commit_in_order(state, readers, is_seen, crc, end, ts);
  if (!status.ok()) {
    // A full disk may pass; a log that can not be trusted any more does not.
    if (status.is(StatusCode::conflict)) {
      TRY(abort(state, status));
      return status;
    }
    if (const Status health = log_->health(); !health.ok()) fail_writing(health);
    TRY(abort(state, status));
    return status;
  }
  const Durability durability = state.durability;
  commits_.fetch_add(1, std::memory_order_relaxed);
  if (uncollected_.fetch_add(1, std::memory_order_relaxed) + 1 >=
      std::max(kCollectEvery, slots_.count() / kSlotsEachCollect)) {
    collect(state, Effort::brief);
  }
  if (observer_ != nullptr) [[unlikely]]
    tell_commit(state, ts);
  finish(state, Phase::committed);
  if (log_ == nullptr) return {};
  if (raw(end) > checkpoint_lsn_.load(std::memory_order_relaxed) + options_.checkpoint_log_bytes)
    wake_background();
  if (durability != Durability::sync) {
    log_->request_async();
    return {};
  }
  status = log_->make_durable(end, id);
  if (!status.ok()) fail_writing(status);
  // `no_space` says that nothing happened; this commit is in doubt.
  if (status.is(StatusCode::no_space)) {
    return {StatusCode::io_error, std::string(status.message()), status.system_error()};
  }
  return status;
}

Status Core::abort(TransactionState& state, const Status& reason) {
  TRY(check_active(state));
  Status status;
  if (state.undo != nullptr) {
    if (base::is_mutant(base::Mutant::abort_keeps_writes)) return commit_writes(state);
    status = roll_back(state);
    if (!status.ok()) {
      // Its rows stay as they are, in progress for ever, invisible to all: only reopening can mend this.
      fail_writing(status);
      state.phase = Phase::aborted;
      state.broken.store(true, std::memory_order_release);
      if (state.is_tracking()) stop_tracking(state);
      locks_->end(state.owner);
      return status;
    }
    statuses_->set_aborted(state.own_id());
    {
      const GateHold inside(gate_, state);
      undo_pool_.give_back(std::exchange(state.undo, nullptr));
    }
    aborts_.fetch_add(1, std::memory_order_relaxed);
  }
  if (observer_ != nullptr) [[unlikely]]
    tell_abort(state, reason);
  finish(state, Phase::aborted);
  return status;
}

// A conflict ends the transaction; any other error leaves it as it was before the call.
void Core::end_after(TransactionState& state, const Status& status) {
  if (!status.is(StatusCode::conflict)) return;
  // Where rolling back fails the database says so at the next call.
  (void)abort(state, status).ok();
}

// The status is in the table: wake who waits for it, and let the slot go quiet.
void Core::finish(TransactionState& state, Phase phase) {
  state.phase = phase;
  if (state.is_tracking()) stop_tracking(state, phase == Phase::committed);
  if (state.id.load(std::memory_order_relaxed) != 0) {
    if (state.is_described && phase == Phase::committed) [[unlikely]]
      remember_description(state);
    state.id.store(0, std::memory_order_release);
    state.redo.clear();
    if (state.redo.capacity() > wal::kUnitPayloadBytesMax) state.redo.shrink_to_fit();
    state.spilled = false;
    state.changes_tables = false;
    state.savepoints.clear();
    state.tail.reset();
  }
  for (TransactionState* slot : state.cursor_slots) {
    slot->snapshot.store(0, std::memory_order_release);
    Slots::release(*slot);
  }
  state.cursor_slots.clear();
  state.written_table = nullptr;
  if (state.owner.number.load(std::memory_order_relaxed) != 0 || state.owner.intents != 0)
    locks_->end(state.owner);
  if (state.is_described) [[unlikely]]
    forget_description(state);
  if (const std::uint64_t word = state.snapshot.load(std::memory_order_relaxed); word != 0) {
    state.snapshot.store(0, std::memory_order_release);
    // What waits for the oldest snapshot goes with it, also when nobody writes any more.
    const std::uint64_t held_by = held_by_oldest_.load(std::memory_order_relaxed);
    if (held_by != 0 && raw(SnapshotWord::decode(word).ts) + 1 <= held_by) collect(state, Effort::brief);
  }
  if (state.start_ts.load(std::memory_order_relaxed) != 0) state.start_ts.store(0, std::memory_order_release);
}

void Core::release_transaction(TransactionState& state) {
  if (state.phase == Phase::active && !closed_.load(std::memory_order_acquire)) (void)abort(state).ok();
  release_handle(state);
}

void Core::release_database() {
  if (orphans_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Core::release_handle(TransactionState& state) {
  const bool last = state.handles.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (closed_.load(std::memory_order_acquire)) return release_database();
  // A slot whose rollback failed is never used again: its rows are still in progress.
  if (last && !state.broken.load(std::memory_order_relaxed)) Slots::release(state);
}

}  // namespace isolith::txn
