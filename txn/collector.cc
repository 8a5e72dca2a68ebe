// The collector: drops versions that nobody may ask for any more, in commit order; removes tombstones and
// dropped tables; raises the horizon. Whoever ends a transaction does it for all, when enough has come
// together.
//
// `collect_mutex_` is one turn of it. A checkpoint takes the same mutex around its instant, so that no
// half-done collecting, and no large value between its last reference and its pages' return, is ever in a
// checkpoint.
#include <algorithm>

#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {

using btree::ExclusiveGuard;
using btree::Node;
using btree::RowFlags;

// Announces a snapshot in `word`. The time is read again after the announcement: either the collector's look
// at the words sees it, or it came before the second reading, and then the collector's idea of the time is
// not newer than the snapshot.
Timestamp Core::register_snapshot(std::atomic<std::uint64_t>& word) noexcept {
  std::uint64_t ts = published_ts_.load(std::memory_order_acquire);
  for (;;) {
    word.store(ts + 1, std::memory_order_seq_cst);
    const std::uint64_t again = published_ts_.load(std::memory_order_seq_cst);
    if (again == ts) return Timestamp{ts};
    ts = again;
  }
}

// No snapshot is, or will be, older than this. The words hold the timestamp plus one, so that 0 is none.
Timestamp Core::oldest_snapshot() const noexcept {
  std::uint64_t oldest = published_ts_.load(std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const std::uint64_t word = slots_.at(i).snapshot_ts.load(std::memory_order_seq_cst);
    if (word != 0) oldest = std::min(oldest, word - 1);
  }
  return Timestamp{oldest};
}

Timestamp Core::oldest_start() const noexcept {
  std::uint64_t oldest = published_ts_.load(std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const std::uint64_t word = slots_.at(i).start_ts.load(std::memory_order_seq_cst);
    if (word != 0) oldest = std::min(oldest, word - 1);
  }
  return Timestamp{oldest};
}

void Core::collect(TransactionState& gate_holder, bool wait_for_turn) {
  std::unique_lock turn(collect_mutex_, std::defer_lock);
  if (wait_for_turn) {
    turn.lock();
  } else if (!turn.try_lock()) {
    return;
  }
  const Timestamp visible_to_all = oldest_snapshot();
  mvcc::UndoLog* first = nullptr;
  {
    const std::lock_guard lock(commit_mutex_);
    mvcc::UndoLog* last = nullptr;
    std::uint32_t taken = 0;
    for (mvcc::UndoLog* log = committed_first_; log != nullptr && log->commit_ts <= visible_to_all;
         log = log->next_committed) {
      last = log;
      ++taken;
    }
    if (last != nullptr) {
      first = std::exchange(committed_first_, last->next_committed);
      last->next_committed = nullptr;
      if (committed_first_ == nullptr) committed_last_ = nullptr;
      uncollected_.fetch_sub(taken, std::memory_order_relaxed);
    }
  }
  while (first != nullptr) {
    mvcc::UndoLog* const log = std::exchange(first, first->next_committed);
    // Before any leaf is looked at: who puts a tombstone back afterwards sees it, and one that came back
    // before is removed here.
    collected_ts_.store(raw(log->commit_ts), std::memory_order_relaxed);
    if (const Status status = collect_log(gate_holder, *log); !status.ok()) fail_writing(status);
    undo_pool_.give_back(log);
  }
  collect_dropped_tables(gate_holder, visible_to_all);
  statuses_->advance(log_ == nullptr ? visible_to_all : std::min(visible_to_all, log_->durable_timestamp()));
}

// Before what it tells of is gone from the pages: who reads them afterwards sees it.
void Core::raise_traceless(Timestamp ts) noexcept {
  std::uint64_t old = traceless_ts_.load(std::memory_order_relaxed);
  while (old < raw(ts) && !traceless_ts_.compare_exchange_weak(old, raw(ts), std::memory_order_release)) {
  }
}

Status Core::collect_log(TransactionState& gate_holder, mvcc::UndoLog& log) {
  Status status;
  for (mvcc::Version* v = log.newest; v != nullptr; v = v->older_in_log) {
    if (v->kind == mvcc::VersionKind::drop_table)
      dropped_tables_.push_back({v->root, log.commit_ts, std::nullopt});
    if (v->kind != mvcc::VersionKind::row && v->kind != mvcc::VersionKind::absent) continue;
    versions_.remove(v);
    // After a failure the rest is only forgotten: the pages stay as they are until the database is opened
    // again.
    if (v->erases) raise_traceless(log.commit_ts);
    if (status.ok() && v->erases) status = purge_tombstone(gate_holder, *v);
    if (status.ok() && v->kind == mvcc::VersionKind::row && has(v->flags, RowFlags::large) &&
        !v->shares_value) {
      const GateHold inside(gate_, gate_holder);
      status = free_chain_pages(btree::load_reference(v->value()).first);
    }
  }
  return status;
}

// A leaf's latch orders this load behind the collector's store if the collector held that leaf before.
bool Core::is_collected(TransactionId writer) const noexcept {
  const mvcc::TransactionStatus status = statuses_->find(writer);
  return status.state == mvcc::TransactionState::committed &&
         raw(status.commit_ts) <= collected_ts_.load(std::memory_order_relaxed);
}

// The row that a transaction erased, or locked where there was none, leaves the leaf, unless somebody wrote
// it since.
Status Core::purge_tombstone(TransactionState& gate_holder, const mvcc::Version& version) {
  if (tables_.find(version.table)->dropped.load(std::memory_order_acquire)) return {};
  const GateHold inside(gate_, gate_holder);
  return remove_tombstone(version.root, version.key(), version.superseder);
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
  {
    const std::lock_guard lock(background_mutex_);
    background_collect_ = true;
  }
  background_wake_.notify_one();
}

}  // namespace isolith::txn
