// The collector: drops versions that nobody may ask for any more, keeps the others for the snapshots that
// need them, removes tombstones and dropped tables, raises the horizon. Whoever ends a transaction does it
// for all, when enough has come together.
//
// Each version of a committed transaction is looked at once, soon after the commit, whatever snapshots live:
// it is dropped unless one of them falls between the commit that made it and the one that replaced it
// (`mvcc/live_snapshots.h`). What is needed moves to `held_`, and the undo log is used again.
//
// `collect_mutex_` is one turn of it. A checkpoint takes the same mutex around its instant, so that no
// half-done collecting, and no large value between its last reference and its pages' return, is ever in a
// checkpoint.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {

using btree::ExclusiveGuard;
using btree::Node;
using btree::RowFlags;

namespace {

// The versions that one turn looks at: of a thread that has ended a transaction; of the background thread,
// which goes on in its next turn; and of who closes the database.
constexpr std::uint64_t kVersionsBrief = 2048;
constexpr std::uint64_t kVersionsLong = 65536;
constexpr std::uint64_t kVersionsAll = ~std::uint64_t{0};

}  // namespace

void Core::collect(TransactionState& gate_holder, Effort effort) {
  std::unique_lock turn(collect_mutex_, std::defer_lock);
  if (effort != Effort::brief) {
    turn.lock();
  } else if (!turn.try_lock()) {
    return;
  }
  // Without a background thread everything is done at once.
  const bool at_once = effort == Effort::whole || log_ == nullptr;
  const std::uint64_t count_max = at_once                        ? kVersionsAll
                                  : effort == Effort::background ? kVersionsLong
                                                                 : kVersionsBrief;
  look_at_snapshots();
  bool is_done = true;
  for (mvcc::UndoLog* first = take_committed(live_.now(), count_max, is_done); first != nullptr;) {
    mvcc::UndoLog* const log = std::exchange(first, first->next_committed);
    collect_log(gate_holder, *log);
    undo_pool_.give_back(log);
  }
  is_done = collect_held(gate_holder, count_max) && is_done;
  is_done = collect_spilled(gate_holder, at_once || effort == Effort::background) && is_done;
  is_done = keep_snapshots_in_bounds(gate_holder, count_max) && is_done;
  const auto& held = held_.by_snapshot();
  held_by_oldest_.store(held.empty() ? 0 : raw(held.begin()->first) + 1, std::memory_order_relaxed);
  collect_dropped_tables(gate_holder, committed_until_);
  const Timestamp visible_to_all = oldest_to_ask();
  statuses_->advance(log_ == nullptr ? visible_to_all : std::min(visible_to_all, log_->durable_timestamp()));
  statuses_->compact(live_);
  if (!is_done) ask_to_collect();
}

// Nobody asks for the status of a transaction as of a time before: no snapshot, and nothing that is still to
// be collected.
Timestamp Core::oldest_to_ask() const {
  Timestamp oldest = live_.oldest();
  if (!held_.by_snapshot().empty()) oldest = std::min(oldest, held_.by_snapshot().begin()->first);
  if (spilled_.count() != 0) oldest = std::min(oldest, spilled_.snapshots().front());
  return oldest;
}

// The undo logs of what was committed up to `until`, in commit order; not so many that they have `count_max`
// versions.
mvcc::UndoLog* Core::take_committed(Timestamp until, std::uint64_t count_max, bool& is_all) {
  const std::lock_guard lock(commit_mutex_);
  mvcc::UndoLog* last = nullptr;
  std::uint32_t taken = 0;
  std::uint64_t count = 0;
  for (mvcc::UndoLog* log = committed_first_; log != nullptr && log->commit_ts <= until;
       log = log->next_committed) {
    // One at least, if it is the background's turn: it may be larger than any turn.
    count += log->count;
    if (count > count_max && !(last == nullptr && count_max >= kVersionsLong)) break;
    last = log;
    ++taken;
  }
  mvcc::UndoLog* const left = last == nullptr ? committed_first_ : last->next_committed;
  is_all = left == nullptr || left->commit_ts > until;
  committed_until_ = is_all ? until : last != nullptr ? last->commit_ts : Timestamp{0};
  if (last == nullptr) return nullptr;
  mvcc::UndoLog* const first = std::exchange(committed_first_, left);
  last->next_committed = nullptr;
  if (committed_first_ == nullptr) committed_last_ = nullptr;
  uncollected_.fetch_sub(taken, std::memory_order_relaxed);
  return first;
}

// Before what it tells of is gone from the pages: who reads them afterwards sees it.
void Core::raise_traceless(Timestamp ts) noexcept {
  std::uint64_t old = traceless_ts_.load(std::memory_order_relaxed);
  while (old < raw(ts) && !traceless_ts_.compare_exchange_weak(old, raw(ts), std::memory_order_release)) {
  }
}

void Core::collect_log(TransactionState& gate_holder, mvcc::UndoLog& log) {
  for (mvcc::Version* v = log.newest; v != nullptr; v = v->older_in_log) {
    switch (v->kind) {
      case mvcc::VersionKind::row:
      case mvcc::VersionKind::absent:
        collect_version(gate_holder, *v, log.commit_ts);
        break;
      case mvcc::VersionKind::drop_table:
        dropped_tables_.push_back({v->root, log.commit_ts, std::nullopt});
        break;
      case mvcc::VersionKind::create_table:
        break;
    }
  }
}

// One version of a transaction that committed at `end_ts`, in its undo log. The newest snapshot before that
// decides: if it does not need the version, no older one of those that may need it is held back by it.
void Core::collect_version(TransactionState& gate_holder, mvcc::Version& version, Timestamp end_ts) {
  const Timestamp* const snapshot = live_.newest_before(end_ts);
  const bool needed = snapshot != nullptr && is_needed(version, *snapshot, end_ts);
  bool tombstone_stays = version.erases;
  if (version.erases && (snapshot == nullptr || (!needed && !live_.writing_before(end_ts)))) {
    const Purge condition = snapshot == nullptr ? Purge::whenever : Purge::unless_older_versions;
    if (!needed && version.is_in_store) versions_.remove(&version);
    raise_traceless(end_ts);
    if (const Status status = purge_tombstone(gate_holder, version, condition, tombstone_stays); !status.ok())
      fail_writing(status);
  }
  if (needed || tombstone_stays) {
    mvcc::Version* const held = mvcc::make_held(version, needed);
    if (needed) versions_.replace(&version, held);
    held_.hold(*snapshot, held);
  }
  if (needed) return;
  if (const Status status = drop_value(gate_holder, version); !status.ok()) fail_writing(status);
}

// Items whose snapshot has ended: to the next one that needs them, or away. False: there are more.
bool Core::collect_held(TransactionState& gate_holder, std::uint64_t count_max) {
  for (std::uint64_t n = 0; n < count_max; ++n) {
    mvcc::Version* const version = held_.take_ended(live_);
    if (version == nullptr) return true;
    collect_held(gate_holder, version);
  }
  return false;
}

void Core::collect_held(TransactionState& gate_holder, mvcc::Version* version) {
  const Timestamp end_ts = statuses_->find(version->superseder).commit_ts;
  DCHECK(raw(end_ts) != 0, "what is held keeps the horizon back");
  const Timestamp* const snapshot = live_.newest_before(end_ts);
  const bool was_needed = version->is_in_store;
  if (was_needed && snapshot != nullptr && is_needed(*version, *snapshot, end_ts))
    return held_.hold(*snapshot, version);
  Status status;
  if (was_needed) status = drop_value(gate_holder, *version);
  bool stays = version->erases;
  if (status.ok() && version->erases && (snapshot == nullptr || !live_.writing_before(end_ts))) {
    raise_traceless(end_ts);
    status = purge_tombstone(gate_holder, *version,
                             snapshot == nullptr ? Purge::whenever : Purge::unless_older_versions, stays);
  }
  if (!status.ok()) fail_writing(status);
  if (stays && snapshot != nullptr) {
    held_.hold(*snapshot, was_needed ? mvcc::make_held(*version, false) : version);
    if (!was_needed) return;
  }
  mvcc::free_held(version);
}

// The same for what moved to the data file. False: there is some, and no time for it.
bool Core::collect_spilled(TransactionState& gate_holder, bool has_time) {
  if (spilled_.count() == 0) return true;
  for (const Timestamp snapshot : spilled_.snapshots()) {
    if (live_.contains(snapshot) || !writing_health().ok()) continue;
    if (!has_time) return false;
    const Timestamp* const older = live_.newest_before(snapshot);
    const GateHold inside(gate_, gate_holder);
    const Status status = spilled_.end_snapshot(*cache_, snapshot, older, [&](const mvcc::SpilledRow& row) {
      return mvcc::is_needed(*older, statuses_->find(row.writer).commit_ts,
                             statuses_->find(row.superseder).commit_ts);
    });
    if (!status.ok()) fail_writing(status);
  }
  return true;
}

bool Core::is_needed(const mvcc::Version& version, Timestamp snapshot, Timestamp end_ts) const noexcept {
  if (!version.has_value() || version.is_own_older()) return false;
  return mvcc::is_needed(snapshot, statuses_->find(version.writer).commit_ts, end_ts);
}

// Nobody reads the version any more. A large value goes with it, unless a row or an older version refers to
// it, too: who only locked the key left it where it was.
Status Core::drop_value(TransactionState& gate_holder, mvcc::Version& version) {
  if (version.is_in_store) versions_.remove(&version);
  if (version.kind != mvcc::VersionKind::row || !has(version.flags, RowFlags::large) || version.shares_value)
    return {};
  const PageId first = btree::load_reference(version.value()).first;
  const bool inherited =
      versions_.find_to_change(version.table, version.key(), [first](mvcc::Version& older) {
        const bool same = older.kind == mvcc::VersionKind::row && has(older.flags, RowFlags::large) &&
                          older.shares_value && btree::load_reference(older.value()).first == first;
        if (same) older.shares_value = false;
        return same;
      });
  if (inherited) return {};
  // After a failure nothing is given back: the pages stay as they are until the database is opened again.
  TRY(writing_health());
  const GateHold inside(gate_, gate_holder);
  return free_chain_pages(first);
}

// The row that a transaction erased, or locked where there was none, leaves the leaf, unless somebody wrote
// it since. `stays`: not yet, for older versions of the key are needed, and only the tombstone leads to them.
// Where a transaction in progress stands on it, that one's rolling back must not bring it back.
Status Core::purge_tombstone(TransactionState& gate_holder, const mvcc::Version& version, Purge condition,
                             bool& stays) {
  stays = false;
  if (tables_.find(version.table)->dropped.load(std::memory_order_acquire)) return {};
  TRY(writing_health());
  const TransactionId writer = version.superseder;
  const GateHold inside(gate_, gate_holder);
  return remove_row_if(version.root, version.key(), [&](const btree::RowView& row) {
    const bool is_it = has(row.flags, RowFlags::erased) && row.writer == writer;
    bool covered = versions_.find_to_change(version.table, version.key(), [&](mvcc::Version& older) {
      if (older.writer == writer && !is_it) {
        older.is_purged = condition == Purge::whenever;
        stays = condition != Purge::whenever;
        return true;
      }
      return is_it && condition == Purge::unless_older_versions;
    });
    covered = covered || (is_it && condition == Purge::unless_older_versions && is_spilled(version));
    if (is_it && covered) stays = true;
    return is_it && !covered;
  });
}

// Whether older versions of the key are in the data file; also where that cannot be told.
bool Core::is_spilled(const mvcc::Version& version) {
  if (spilled_.count() == 0) return false;
  bool found = false;
  const auto any = [&](const mvcc::SpilledRow&) { return found = true; };
  return !spilled_.find(*cache_, version.table, version.key(), Timestamp{0}, any).ok() || found;
}

Status Core::remove_tombstone(PageId root, std::string_view key, TransactionId writer) {
  return remove_row_if(root, key, [writer](const btree::RowView& row) {
    return has(row.flags, RowFlags::erased) && row.writer == writer;
  });
}

Status Core::remove_row(PageId root, std::string_view key) {
  return remove_row_if(root, key, [](const btree::RowView&) { return true; });
}

Status Core::remove_row_if(PageId root, std::string_view key,
                           const std::function<bool(const btree::RowView&)>& condition) {
  btree::BTree tree(*cache_, root);
  bool underfull = false;
  {
    ExclusiveGuard leaf;
    TRY(tree.lock_leaf(key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(key);
    if (!at.found || !condition(node.row(at.slot))) return {};
    Node::at(leaf.edit())->remove_row(at.slot);
    underfull = btree::BTree::is_underfull(node);
  }
  return underfull ? tree.merge_around(key) : Status();
}

// Trees of dropped tables that no transaction can be using, and that no old version is collected from any
// more: first those who began before the drop end, then what they committed is collected.
void Core::collect_dropped_tables(TransactionState& gate_holder, Timestamp collected) {
  if (dropped_tables_.empty()) return;
  const Timestamp all_began_after = oldest_start();
  const Timestamp now{published_ts_.load(std::memory_order_acquire)};
  std::erase_if(dropped_tables_, [&](DroppedTable& table) {
    if (table.dropped_ts > all_began_after) return false;
    if (!table.unused_since) table.unused_since = now;
    if (*table.unused_since > collected) return false;
    const GateHold inside(gate_, gate_holder);
    if (const Status status = free_tree(table.root); !status.ok()) fail_writing(status);
    return true;
  });
}

// The log says that more is durable: old versions and ids may be settled by that.
void Core::note_durable() {
  if (uncollected_.load(std::memory_order_relaxed) == 0 && statuses_->horizon() == statuses_->next_id())
    return;
  ask_to_collect();
}

// The background thread goes on collecting.
void Core::ask_to_collect() {
  {
    const std::lock_guard lock(background_mutex_);
    background_collect_ = true;
  }
  background_wake_.notify_one();
}

}  // namespace isolith::txn
