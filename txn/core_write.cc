// The one write path of all levels: latch the leaf, judge the row that is there, put it aside, write in
// place.
#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/mutant.h"
#include "txn/change.h"
#include "txn/core.h"

namespace isolith::txn {

using base::is_mutant;
using base::Mutant;
using btree::ExclusiveGuard;
using btree::Node;
using btree::RowFlags;
using btree::RowView;

namespace {

// Redo that has grown to this is moved to the log. A unit holds it and one operation more.
constexpr std::size_t kSpillBytes = std::size_t{48} << 10;

}  // namespace

Status Core::begin_writing(TransactionState& state, IfLocked if_locked) {
  if (state.undo != nullptr) [[likely]]
    return {};
  if (!locks_->try_intend(state.owner, locks_->database(), locking::Mode::intend_write)) [[unlikely]] {
    TRY(intend_slowly(state, nullptr, locking::Mode::intend_write, if_locked));
  }
  // A checkpoint looks at `undo` with the gate closed.
  const GateHold inside(gate_, state);
  const TransactionId id = statuses_->begin();
  if (id == kNoTransaction)
    return {StatusCode::busy, "too many transaction ids in use: a transaction is open too long"};
  state.undo = undo_pool_.take();
  state.id.store(raw(id), std::memory_order_release);
  state.owner.number.store(raw(id), std::memory_order_release);
  if (state.is_tracking()) state.tracked->number.store(raw(id), std::memory_order_relaxed);
  return {};
}

Status Core::check_writable(TransactionState& state) {
  if (options_.read_only) return {StatusCode::read_only, "the database was opened read-only"};
  if (state.read_only) return {StatusCode::read_only, "the transaction was begun read-only"};
  return writing_health();
}

Status Core::write(TransactionState& state, const Table& handle, std::string_view key, WriteKind kind,
                   std::string_view value) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_writable(state));
  TRY(check_key(key));
  if (is_mutant(Mutant::erase_lost) && kind == WriteKind::erase && state.view == ReadView::snapshot) {
    kind = WriteKind::lock;
  }
  if (value.size() > kMaxValueBytes) {
    return {StatusCode::too_large,
            "a value of " + std::to_string(value.size()) + " bytes; the limit is 4 GiB"};
  }
  status = write_row(state, *table, key, kind, value);
  const bool is_refused = status.is(StatusCode::already_exists) || status.is(StatusCode::not_found);
  if (is_refused && state.read_locks != ReadLocks::none) {
    // Whether the key is there is learned though nothing is written: what counts is how it is once it is
    // locked. Not before the first try: two of them would wait for each other.
    TRY(lock_key(state, *table, key));
    status = write_row(state, *table, key, kind, value);
  }
  if (is_refused && state.is_tracking()) {
    track_key(state, *table, key);
    status = write_row(state, *table, key, kind, value);
  }
  TRY(status);
  switch (kind) {
    case WriteKind::put:
    case WriteKind::insert:
      return log_put(state, table->id, key, value);
    case WriteKind::erase:
      return log_operation(state, {wal::OperationKind::erase, table->id, key, {}});
    case WriteKind::lock:
    case WriteKind::grow:
      break;
  }
  return {};
}

// It was dropped before this transaction said that it uses it. A snapshot may have it still: the drop is a
// newer change of all of it.
Status Core::dropped_since(TransactionState& state, const TableInfo& table) {
  if (state.view != ReadView::snapshot) return {StatusCode::not_found, "the table was dropped"};
  Status status = Status::conflict(
      ConflictReason::write_conflict,
      "the table " + table.name + " was dropped after the snapshot was taken: run it again",
      conflict_report(state, "first updater wins", kNoTransaction,
                      Timestamp{table.dropped_ts.load(std::memory_order_relaxed)}, table, {}));
  end_after(state, status);
  return status;
}

// The change without its redo.
Status Core::write_row(TransactionState& state, const TableInfo& table, std::string_view key, WriteKind kind,
                       std::string_view value, IfLocked if_locked) {
  TRY(begin_writing(state, if_locked));
  if (state.written_table != &table) [[unlikely]]
    TRY(intend_write(state, table, if_locked));
  Change change(table, key, kind, value);
  change.if_locked = if_locked;
  char reference_bytes[btree::kChainReferenceBytes];
  btree::ChainReference reference;
  if (key.size() + value.size() > btree::kInlineRowBytesMax) {
    TRY(store_large(state, value, reference));
    btree::store_reference(reference_bytes, reference);
    change.flags = RowFlags::large;
    change.value = std::string_view(reference_bytes, sizeof reference_bytes);
  }
  const Status status = apply(state, change);
  // Where a conflict ended the transaction, rolling it back has dropped it.
  if (!status.ok() && state.pending_chain != kNoPage) drop_pending_chain(state, state.pending_chain);
  if (observer_ != nullptr && status.ok()) [[unlikely]]
    tell_write(state, change);
  // What it has read last is what it has replaced: the first of two writers wins.
  LastRead& last = state.last_read;
  if (status.ok() && last.table == &table && last.key == key) last.table = nullptr;
  if (status.ok() && state.is_tracking() && is_mutant(Mutant::test_before_commit)) {
    std::unique_lock lock(commit_mutex_);
    Status tested = test_serializable(state, Timestamp{newest_ts_ + 1});
    lock.unlock();
    end_after(state, tested);
    return tested;
  }
  return status;
}

// Does the change, waiting for whoever is in the way. A conflict ends the transaction.
Status Core::apply(TransactionState& state, Change& change) {
  // Also where there is no memory: nobody is left in line.
  struct Leaves {
    Core& core;
    Change& change;
    ~Leaves() {
      if (change.request) [[unlikely]]
        core.leave_line(change, false);
    }
  } const leaves{*this, change};
  for (;;) {
    Status status;
    Outcome outcome;
    {
      const GateHold inside(gate_, state);
      outcome = try_change(state, change, status);
      // In the same hold: no checkpoint sees the value both referred to and pending.
      if (outcome == Outcome::done && has(change.flags, RowFlags::large)) state.pending_chain = kNoPage;
    }
    switch (outcome) {
      case Outcome::done:
        ++state.writes;
        if (change.request) [[unlikely]]
          leave_line(change, true);
        return {};
      case Outcome::refused:
        break;
      case Outcome::no_room: {
        const GateHold inside(gate_, state);
        status = btree::BTree(*cache_, change.table.root)
                     .split_for(change.key, change.key.size() + change.row_value_bytes);
        break;
      }
      case Outcome::wait:
        status = wait_to_write(state, change);
        break;
    }
    if (status.ok()) continue;
    if (change.request) leave_line(change, false);
    end_after(state, status);
    return status;
  }
}

Core::Outcome Core::try_change(TransactionState& state, Change& change, Status& status) {
  ExclusiveGuard leaf;
  status = btree::BTree(*cache_, change.table.root).lock_leaf(change.key, leaf);
  return status.ok() ? change_leaf(state, change, leaf, status) : Outcome::refused;
}

Status Core::write_conflict(const TransactionState& state, const Change& change, Timestamp other_commit) {
  ConflictReport report =
      conflict_report(state, "first updater wins", change.met, other_commit, change.table, change.key);
  std::string text = locking::describe_key(change.table.name, change.key);
  const std::string own = locking::name_of(report.parties[0].transaction, report.parties[0].label);
  if (change.met == kNoTransaction) {
    text += " was erased after the snapshot of " + own + " (" + std::to_string(report.snapshot) +
            "): run it again";
  } else {
    text += " was written by " + locking::name_of(raw(change.met), report.parties[1].label) +
            ", which committed after the snapshot of " + own + " (at " + std::to_string(raw(other_commit)) +
            "; the snapshot is " + std::to_string(report.snapshot) + "): run it again";
  }
  return Status::conflict(ConflictReason::write_conflict, std::move(text), std::move(report));
}

// Of a transaction that met what `other` had committed.
ConflictReport Core::conflict_report(const TransactionState& state, std::string_view rule,
                                     TransactionId other, Timestamp other_commit, const TableInfo& table,
                                     std::string_view key) {
  ConflictReport report;
  report.rule = rule;
  report.snapshot = raw(state.as_of);
  report.can_retry_now = true;
  report.parties.push_back(locking::party_of(state.owner, "failed"));
  report.parties.push_back(committed_party(other, other_commit));
  ConflictReport::Edge& edge = report.edges.emplace_back();
  edge.from = 1;
  edge.kind = "ww";
  edge.table = table.name;
  edge.is_whole = key.data() == nullptr;
  edge.key = key;
  return report;
}

// Whether the row that the change met lets it go on, and the locks of others do. Its own row is its lock.
Core::Outcome Core::judge_change(TransactionState& state, Change& change, Status& status) {
  const bool is_own = change.found && change.met == state.own_id();
  Timestamp newest{0};
  if (change.found && !is_own) {
    const mvcc::TransactionStatus met = statuses_->find(change.met);
    if (met.state != mvcc::TransactionState::committed && !is_mutant(Mutant::dirty_write)) {
      if (!fails_anyway(state, change, status)) return Outcome::wait;
      return Outcome::refused;
    }
    newest = met.commit_ts;
    if (state.owner.policy->on_committed_version({raw(met.commit_ts), raw(state.as_of)}) ==
            WriteRule::conflict &&
        !is_mutant(Mutant::write_conflict_missed)) {
      status = write_conflict(state, change, met.commit_ts);
      return Outcome::refused;
    }
  }
  if (change.kind == WriteKind::insert && change.exists && !is_mutant(Mutant::insert_overwrites)) {
    status = Status(StatusCode::already_exists);
    return Outcome::refused;
  }
  if (change.kind == WriteKind::erase && !change.exists) {
    status = Status(StatusCode::not_found);
    return Outcome::refused;
  }
  if (!change.found) change.met = kNoTransaction;
  if (!is_own && locks_->is_in_use() &&
      !locks_->may_write(state.owner, place_of(change.table, change.key),
                         change.request ? &*change.request : nullptr, raw(newest))) {
    return Outcome::wait;
  }
  return Outcome::done;
}

// The row is of one that is in progress. Whichever way that ends, what lies below may have been committed
// after the snapshot: there is nothing to wait for. Who would not wait is told that the row is locked.
bool Core::fails_anyway(TransactionState& state, const Change& change, Status& status) {
  if (state.view != ReadView::snapshot || change.if_locked != IfLocked::wait) return false;
  if (is_mutant(Mutant::write_conflict_missed)) return false;
  TransactionId below = kNoTransaction;
  (void)versions_.find(change.table.id, change.key, [&](const mvcc::Version& version) {
    if (version.superseder != change.met) return true;
    below = version.writer;
    return below != change.met;  // it may have written more than once
  });
  if (below == kNoTransaction || below == change.met) return false;
  const mvcc::TransactionStatus met = statuses_->find(below);
  if (met.state != mvcc::TransactionState::committed || !fails_for(state, met.commit_ts)) return false;
  Change missed(change.table, change.key, change.kind, {});
  missed.met = below;
  status = write_conflict(state, missed, met.commit_ts);
  return true;
}

Core::Outcome Core::change_leaf(TransactionState& state, Change& change, ExclusiveGuard& leaf,
                                Status& status) {
  const TransactionId own = state.own_id();
  const Node& node = *Node::at(leaf.bytes());
  const btree::Position at = node.lower_bound(change.key);
  const RowView row = at.found ? node.row(at.slot) : RowView{};
  change.meet(at.found, row);
  if (const Outcome outcome = judge_change(state, change, status); outcome != Outcome::done) return outcome;
  const bool own_row = at.found && row.writer == own;
  if (change.kind == WriteKind::lock && own_row) return Outcome::done;

  // The old row is copied first: what is written may be a view of it.
  mvcc::Version* version = nullptr;
  const RowFlags flags = change.new_flags(row);
  const bool keeps_old =
      change.kind != WriteKind::grow && (!own_row || !state.savepoints.empty() ||
                                         has(flags, RowFlags::erased) || has(row.flags, RowFlags::large));
  std::string_view value = change.value;
  if (keeps_old) {
    version = state.undo->make(change.key, row.value);
    if (change.kind == WriteKind::lock && change.exists) value = version->value();
  }
  change.row_value_bytes = value.size();
  Node& page = *Node::at(leaf.edit());
  const bool fits = at.found ? page.update_row(at.slot, own, flags, value)
                             : page.insert_row(at.slot, change.key, own, flags, value);
  if (!fits) return Outcome::no_room;
  if (version == nullptr) return Outcome::done;
  version->superseder = own;
  version->writer = at.found ? change.met : kNoTransaction;
  version->table = change.table.id;
  version->root = change.table.root;
  version->hash = mvcc::VersionStore::hash_of(change.table.id, change.key);
  version->kind = at.found ? mvcc::VersionKind::row : mvcc::VersionKind::absent;
  version->flags = change.met_flags;
  version->erases = has(flags, RowFlags::erased);
  version->shares_value = change.kind == WriteKind::lock && has(flags, RowFlags::large);
  state.undo->link(version);
  versions_.insert(version);
  return Outcome::done;
}

Status Core::get_for_update(TransactionState& state, const Table& handle, std::string_view key,
                            std::string& value, IfLocked if_locked) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_writable(state));
  TRY(check_key(key));
  return update_row(state, *table, key, value, if_locked);
}

Status Core::update_row(TransactionState& state, const TableInfo& table, std::string_view key,
                        std::string& value, IfLocked if_locked) {
  if (!is_mutant(Mutant::locking_read_unlocked)) {
    TRY(write_row(state, table, key, WriteKind::lock, {}, if_locked));
  }
  return get_value(state, table, key, value);
}

// ---- redo ----

Status Core::log_put(TransactionState& state, TableId table, std::string_view key, std::string_view value) {
  const std::size_t first = std::min(value.size(), btree::kChainPieceBytes);
  TRY(log_operation(state, {wal::OperationKind::put, table, key, value.substr(0, first)}));
  for (value.remove_prefix(first); !value.empty();) {
    const std::string_view piece = value.substr(0, btree::kChainPieceBytes);
    TRY(log_operation(state, {wal::OperationKind::append, table, key, piece}));
    value.remove_prefix(piece.size());
  }
  return {};
}

Status Core::log_operation(TransactionState& state, const wal::Operation& operation) {
  if (log_ == nullptr) return {};
  wal::append_operation(state.redo, operation);
  if (state.redo.size() < kSpillBytes) return {};
  // While a savepoint stands, what it may take back stays here.
  if (!state.savepoints.empty()) return {};
  Status status = spill(state);
  if (!status.ok()) (void)abort(state).ok();  // its change is in the pages and nowhere else
  return status;
}

// Moves the redo to the log as parts of a transaction whose commit comes later, or never.
Status Core::spill(TransactionState& state) {
  const GateHold inside(gate_, state);
  std::string_view rest = state.redo;
  while (!rest.empty()) {
    const std::string_view part = wal::leading_operations(rest, wal::kUnitPayloadBytesMax);
    const std::uint32_t crc = base::crc32c(part.data(), part.size());
    const std::lock_guard lock(commit_mutex_);
    if (!state.spilled) state.first_part = log_->appended_lsn();
    state.spilled = true;
    if (const Result<Lsn> end = log_->append(wal::UnitKind::part, Timestamp{0}, state.own_id(), part, crc);
        !end.ok()) {
      if (const Status health = log_->health(); !health.ok()) fail_writing(health);
      return end.status();
    }
    rest.remove_prefix(part.size());
  }
  state.redo.clear();
  return {};
}

}  // namespace isolith::txn
