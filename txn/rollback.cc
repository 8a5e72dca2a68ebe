// Taking changes back: a whole transaction, or what it did since a savepoint.
#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/mutant.h"
#include "txn/core.h"

namespace isolith::txn {

using btree::ExclusiveGuard;
using btree::Node;
using btree::RowFlags;
using btree::RowView;

// The large value that goes when `old` takes the place of `row`.
PageId Core::chain_that_goes(const RowView& row, const mvcc::Version& old) noexcept {
  if (!has(row.flags, RowFlags::large)) return kNoPage;
  const PageId first = btree::load_reference(row.value).first;
  const bool stays = old.kind == mvcc::VersionKind::row && has(old.flags, RowFlags::large) &&
                     btree::load_reference(old.value()).first == first;
  return stays ? kNoPage : first;
}

// Puts `version` back into its leaf and takes it out of the store in the same latch hold. With `keep_lock`
// the transaction goes on: the key stays locked by it, and the version of the transaction before stays in the
// store for readers.
Status Core::undo_row(TransactionState& state, mvcc::Version& version, bool keep_lock, bool has_turn) {
  btree::BTree tree(*cache_, version.root);
  const bool locks = keep_lock && !version.is_own_older();
  const bool erased = version.kind == mvcc::VersionKind::absent || has(version.flags, RowFlags::erased);
  const RowFlags flags =
      locks ? (erased ? RowFlags::erased : version.flags) | RowFlags::locked : version.flags;
  const TransactionId writer = locks ? version.superseder : version.writer;
  for (bool frees_chain = false;;) {
    // No checkpoint falls between a large value's last reference and its pages' return: the collector's mutex
    // excludes it.
    std::unique_lock turn(collect_mutex_, std::defer_lock);
    if (frees_chain && !has_turn) turn.lock();
    const GateHold inside(gate_, state);
    ExclusiveGuard leaf;
    TRY(tree.lock_leaf(version.key(), leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(version.key());
    CHECK(at.found && node.row(at.slot).writer == version.superseder, "a row is rolled back by who wrote it");
    const PageId goes = chain_that_goes(node.row(at.slot), version);
    if (goes != kNoPage && !frees_chain) {
      frees_chain = true;
      continue;
    }
    // A tombstone that the collector has given up does not come back: nobody would come for it again.
    const bool removes =
        !locks && (version.kind == mvcc::VersionKind::absent || (erased && version.is_purged));
    bool underfull = false;
    if (removes) {
      Node::at(leaf.edit())->remove_row(at.slot);
      underfull = btree::BTree::is_underfull(node);
    } else if (!Node::at(leaf.edit())->update_row(at.slot, writer, flags, version.value())) {
      leaf.release();
      TRY(tree.split_for(version.key(), version.key_size + std::size_t{version.value_size}));
      continue;
    }
    if (locks) {
      version.erases = erased;
      version.shares_value = has(flags, RowFlags::large);
    } else {
      versions_.remove(&version);
    }
    state.undo->newest = version.older_in_log;
    leaf.release();
    Status status = underfull ? tree.merge_around(version.key()) : Status();
    if (status.ok() && goes != kNoPage) status = free_chain_pages(goes);
    if (!status.ok()) fail_writing(status);  // within the gate: no checkpoint takes what is half done
    return status;
  }
}

// Takes the newest change of the transaction back; it leaves the undo log in the gate hold that takes it
// back, so that no checkpoint saves it as still to be undone.
Status Core::undo_version(TransactionState& state, mvcc::Version& version, bool keep_lock, bool has_turn) {
  if (version.kind == mvcc::VersionKind::row || version.kind == mvcc::VersionKind::absent) {
    return undo_row(state, version, keep_lock, has_turn);
  }
  std::unique_lock turn(collect_mutex_, std::defer_lock);
  if (!has_turn) turn.lock();
  const GateHold inside(gate_, state);
  state.undo->newest = version.older_in_log;
  TableInfo& table = *tables_.find(version.table);
  if (version.kind == mvcc::VersionKind::drop_table) {
    table.dropper.store(0, std::memory_order_release);
    return {};
  }
  table.dropped.store(true, std::memory_order_seq_cst);
  Status status = free_tree(version.root);
  if (!status.ok()) fail_writing(status);
  return status;
}

Status Core::roll_back(TransactionState& state) {
  if (state.pending_chain != kNoPage) drop_pending_chain(state, state.pending_chain);
  while (state.undo->newest != nullptr) TRY(undo_version(state, *state.undo->newest, false, false));
  return {};
}

Result<Savepoint> Core::savepoint(TransactionState& state) {
  TRY(check_active(state));
  TRY(check_writable(state));
  TRY(begin_writing(state));
  // What is redone so far is beyond taking back: it may go to the log now, and what follows is kept here.
  state.savepoints.push_back({++state.savepoints_made, state.undo->newest, state.redo.size()});
  state.tail.reset();
  Savepoint savepoint;
  savepoint.transaction_ = (state.serial << 16 | state.index) ^ instance_;
  savepoint.index_ = state.savepoints_made;
  return savepoint;
}

Status Core::rollback_to(TransactionState& state, const Savepoint& savepoint) {
  TRY(check_active(state));
  const auto found = std::find_if(state.savepoints.begin(), state.savepoints.end(),
                                  [&](const SavepointMark& mark) { return mark.number == savepoint.index_; });
  if (savepoint.transaction_ != ((state.serial << 16 | state.index) ^ instance_) ||
      found == state.savepoints.end()) {
    return {StatusCode::invalid_argument,
            "the savepoint is not of this transaction, or was rolled back over"};
  }
  const SavepointMark mark = *found;
  if (base::is_mutant(base::Mutant::savepoint_keeps_writes)) return {};
  if (base::is_mutant(base::Mutant::savepoint_drops_reads)) locks_->give_up_reads(state.owner);
  std::vector<mvcc::Version*> kept;  // the base versions: with them the locks stay
  // The rows of a table that was made since go with its tree: no lock on them is kept.
  std::unordered_set<TableId> made;
  for (const mvcc::Version* v = state.undo->newest; v != mark.newest; v = v->older_in_log) {
    if (v->kind == mvcc::VersionKind::create_table) made.insert(v->table);
  }
  Status status;
  {
    // One turn for all of it: a checkpoint sees the transaction before or after.
    const std::lock_guard turn(collect_mutex_);
    for (mvcc::Version* v = state.undo->newest; v != mark.newest && status.ok();) {
      mvcc::Version* const older = v->older_in_log;
      const bool is_row = v->kind == mvcc::VersionKind::row || v->kind == mvcc::VersionKind::absent;
      const bool keeps_lock =
          is_row && !made.contains(v->table) && !base::is_mutant(base::Mutant::savepoint_drops_locks);
      status = undo_version(state, *v, keeps_lock, true);
      // One that could not be taken back is where it was.
      if (keeps_lock && !v->is_own_older() && state.undo->newest != v) kept.push_back(v);
      v = older;
    }
    for (; !kept.empty(); kept.pop_back()) state.undo->link(kept.back());
  }
  if (!status.ok()) {
    fail_writing(status);
    (void)abort(state).ok();
    return status;
  }
  ++state.writes;  // what cursors have copied may be gone
  state.redo.resize(mark.redo_bytes);
  state.savepoints.erase(found + 1, state.savepoints.end());
  state.tail.reset();
  return {};
}

}  // namespace isolith::txn
