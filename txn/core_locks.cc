// Read locks, intentions, and waiting for the locks of others. The rules are those of locking/README.md.
#include <utility>

#include "base/mutant.h"
#include "txn/change.h"
#include "txn/core.h"

namespace isolith::txn {

using base::is_mutant;
using base::Mutant;
using locking::Blocker;
using locking::Hold;
using locking::Mode;
using locking::Request;

Request Core::request_of(const TransactionState& state, const TableInfo* table, std::string_view key,
                         Mode mode) {
  Request request;
  request.owner = const_cast<locking::Owner*>(&state.owner);
  request.mode = mode;
  request.table_locks = table == nullptr ? nullptr : &table->locks;
  request.table = table == nullptr ? std::string_view() : std::string_view(table->name);
  request.key = key;
  // Commits are counted: who began after more of them began later. Of those the greater number is later.
  const std::uint64_t began = state.start_ts.load(std::memory_order_relaxed);
  request.started = began != 0 ? began : raw(state.as_of) + 1;
  request.writes = state.writes - state.first_writes;
  return request;
}

// Whoever wrote a row that is met: nobody, if he has ended meanwhile; then the row is to be looked at again.
std::optional<Blocker> Core::writer_of_row(TransactionId writer, Status& status) {
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    TransactionState& state = slots_.at(i);
    const std::uint64_t epoch = state.owner.epoch.load(std::memory_order_seq_cst);
    if (state.id.load(std::memory_order_acquire) != raw(writer)) continue;
    if (state.broken.load(std::memory_order_acquire)) {
      status = Status(StatusCode::read_only,
                      locking::name_of(raw(writer)) + " could not be rolled back; reopen the database");
      return std::nullopt;
    }
    // In progress after the epoch was read: it had not ended then.
    if (statuses_->find(writer).state != mvcc::TransactionState::in_progress) return std::nullopt;
    return Blocker{&state.owner, epoch, Hold::wrote_key};
  }
  return std::nullopt;
}

Status Core::after_wait(TransactionState& state, Status status) {
  end_after(state, status);
  return status;
}

// ---- intentions ----

Status Core::intend_write(TransactionState& state, const TableInfo& table, IfLocked if_locked) {
  if (!locks_->try_intend(state.owner, table.locks, Mode::intend_write)) {
    TRY(intend_slowly(state, &table, Mode::intend_write, if_locked));
  }
  // Looked at after that: from here on nobody drops it.
  if (table.dropped.load(std::memory_order_seq_cst)) [[unlikely]]
    return dropped_since(state, table);
  state.written_table = &table;
  return {};
}

Status Core::intend_read(TransactionState& state, const TableInfo& table, IfLocked if_locked) {
  if (!locks_->try_intend(state.owner, table.locks, Mode::intend_read)) {
    TRY(intend_slowly(state, &table, Mode::intend_read, if_locked));
  }
  if (table.dropped.load(std::memory_order_seq_cst)) [[unlikely]]
    return dropped_since(state, table);
  return {};
}

Status Core::intend_slowly(TransactionState& state, const TableInfo* table, Mode mode, IfLocked if_locked) {
  Request request = request_of(state, table, {}, mode);
  request.never_waits = if_locked != IfLocked::wait;
  request.kind = WaitKind::table_lock;
  return after_wait(state, locks_->intend(request, table == nullptr ? locks_->database() : table->locks,
                                          state.lock_timeout_ms));
}

// A transaction of the level `serial` begins when nobody else writes.
Status Core::begin_alone(TransactionState& state) {
  if (is_mutant(Mutant::serial_not_alone)) return {};
  Request request = request_of(state, nullptr, {}, Mode::read_intend_write);
  request.kind = WaitKind::table_lock;
  return after_wait(state, locks_->lock_whole(request, locks_->database(), state.lock_timeout_ms));
}

// ---- reading with locks ----

Status Core::lock_key(TransactionState& state, const TableInfo& table, std::string_view key,
                      IfLocked if_locked) {
  TRY(intend_read(state, table, if_locked));
  if (is_mutant(Mutant::read_lock_dropped_early)) locks_->give_up_reads(state.owner);
  const locking::KeyPlace place = place_of(table, key);
  if (locks_->try_read_key(state.owner, place)) [[likely]]
    return {};
  Request request = request_of(state, &table, key, Mode::read);
  request.hash = place.hash;
  request.never_waits = if_locked != IfLocked::wait;
  return after_wait(state, locks_->read_key(request, place, state.lock_timeout_ms));
}

Status Core::lock_range(TransactionState& state, const TableInfo& table, std::string_view lo,
                        const std::optional<std::string>& hi, IfLocked if_locked) {
  if (hi && *hi <= lo) return {};
  if (is_mutant(Mutant::range_lock_missing)) return {};
  if (is_mutant(Mutant::read_lock_dropped_early)) locks_->give_up_reads(state.owner);
  std::string late;
  if (is_mutant(Mutant::range_short_at_low_end)) lo = late.append(lo).append(1, '\0');
  TRY(intend_read(state, table, if_locked));
  if (locks_->try_read_range(state.owner, table.locks, lo, hi)) [[likely]]
    return {};
  Request request = request_of(state, &table, lo, Mode::read);
  request.kind = WaitKind::range_lock;
  request.is_range = true;
  // Who does not wait for rows does not wait for a place in line either.
  request.may_pass = if_locked != IfLocked::wait;
  if (hi) request.hi = *hi;
  return after_wait(state, locks_->read_range(request, table.locks, hi, state.lock_timeout_ms));
}

// The row is not committed, and the lock on its key is entered: it is next.
Status Core::wait_for_writer(TransactionState& state, const TableInfo& table, std::string_view key,
                             TransactionId writer, IfLocked if_locked) {
  Status status;
  const std::optional<Blocker> blocker = writer_of_row(writer, status);
  if (!blocker) return status;
  Request request = request_of(state, &table, key, Mode::read);
  request.never_waits = if_locked != IfLocked::wait;
  status = locks_->wait_for(request, *blocker, state.lock_timeout_ms);
  if (status.is(StatusCode::busy)) locks_->take_back_key(state.owner, place_of(table, key));
  return after_wait(state, std::move(status));
}

Status Core::get_for_share(TransactionState& state, const Table& handle, std::string_view key,
                           std::string& value, IfLocked if_locked) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_key(key));
  return share_row(state, *table, key, value, if_locked);
}

Status Core::share_row(TransactionState& state, const TableInfo& table, std::string_view key,
                       std::string& value, IfLocked if_locked) {
  TRY(lock_key(state, table, key, if_locked));
  if (state.is_tracking()) track_key(state, table, key);
  Found found;
  TRY(find_locked_row(state, table, key, value, found, if_locked));
  // A tombstone stays for those alone that may write; who reads only does not meet it, there or not, but what
  // its snapshot has of the key.
  const bool is_met =
      found.writer != kNoTransaction && found.writer != state.own_id() && (found.exists || !state.read_only);
  if (is_met) {
    const mvcc::TransactionStatus met = statuses_->find(found.writer);
    if (state.owner.policy->on_committed_version({raw(met.commit_ts), raw(state.as_of)}) ==
        WriteRule::conflict) {
      Change change(table, key, WriteKind::lock, {});
      change.met = found.writer;
      const Status status = write_conflict(state, change, met.commit_ts);
      end_after(state, status);
      return status;
    }
  }
  // What is newest is what the level sees; or the row was erased since the snapshot, and nothing is left of
  // it.
  Status status = get_value(state, table, key, value);
  if (status.ok() && !found.exists && state.view == ReadView::snapshot) {
    status = write_conflict(state, Change(table, key, WriteKind::lock, {}), {});
    end_after(state, status);
  }
  return status;
}

Status Core::lock_table(TransactionState& state, const Table& handle, TableLock lock, IfLocked if_locked) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  if (if_locked == IfLocked::skip) return {StatusCode::invalid_argument, "skip is for the rows of cursors"};
  if (lock == TableLock::exclusive) TRY(check_writable(state));
  Request request = request_of(state, table, {}, lock == TableLock::share ? Mode::read : Mode::write);
  request.kind = WaitKind::table_lock;
  request.never_waits = if_locked == IfLocked::fail;
  TRY(after_wait(state, locks_->lock_whole(request, table->locks, state.lock_timeout_ms)));
  return table->dropped.load(std::memory_order_seq_cst) ? dropped_since(state, *table) : Status();
}

std::vector<LockInfo> Core::locks() {
  std::vector<LockInfo> locks;
  if (closed_.load(std::memory_order_acquire) || !locks_->is_in_use()) return locks;
  std::vector<locking::TableLocks*> tables{&locks_->database()};
  std::unordered_map<const locking::TableLocks*, const std::string*> names;
  for (std::uint32_t i = 0; i < next_table_.load(std::memory_order_relaxed); ++i) {
    const TableInfo* const table = tables_.find(TableId{i});
    if (table == nullptr || table->dropped.load(std::memory_order_relaxed)) continue;
    tables.push_back(&table->locks);
    names.emplace(&table->locks, &table->name);
  }
  for (locking::LockManager::Listed& listed : locks_->list(tables)) {
    LockInfo& info = locks.emplace_back();
    info.transaction = listed.transaction;
    info.mode = locking::to_string(listed.mode);
    if (const auto name = names.find(listed.table); name != names.end()) info.table = *name->second;
    info.is_whole = listed.is_whole;
    info.key = std::move(listed.key);
    info.is_range = listed.is_range;
    info.hi = std::move(listed.hi);
    info.is_waiting = listed.is_waiting;
    info.waits_for = std::move(listed.waits_for);
  }
  return locks;
}

// ---- writing ----

// Whether what it writes over may not have been committed then.
bool Core::fails_for(const TransactionState& state, Timestamp commit_ts) noexcept {
  return state.view == ReadView::snapshot &&
         state.owner.policy->on_committed_version({raw(commit_ts), raw(state.as_of)}) == WriteRule::conflict;
}

Status Core::wait_to_write(TransactionState& state, Change& change) {
  if (!change.request) {
    change.request.emplace(request_of(state, &change.table, change.key, Mode::write));
    if (fails_for(state, Timestamp{raw(state.as_of) + 1})) change.request->fails_above = raw(state.as_of);
  }
  change.request->never_waits = change.if_locked != IfLocked::wait;
  std::optional<Blocker> writer;
  if (change.met != kNoTransaction && change.met != state.own_id() &&
      statuses_->find(change.met).state == mvcc::TransactionState::in_progress) {
    Status status;
    writer = writer_of_row(change.met, status);
    if (!status.ok()) return status;
  }
  return locks_->wait_to_write(*change.request, place_of(change.table, change.key), writer,
                               state.lock_timeout_ms);
}

void Core::leave_line(Change& change, bool is_written) {
  locks_->leave_line(*change.request, place_of(change.table, change.key), is_written);
}

}  // namespace isolith::txn
