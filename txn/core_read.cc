// Reading one key. The main path: find the leaf optimistically, judge the row, copy it, validate. No latch,
// no lock, no shared line is written.
#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "txn/core.h"

namespace isolith::txn {

using base::is_mutant;
using base::Mutant;
using btree::Node;
using btree::RowFlags;
using btree::RowView;
using btree::Toward;
using pages::OptimisticGuard;
using pages::SharedGuard;
using pages::Step;

mvcc::ReadRule Core::read_rule(const TransactionState& state) const noexcept {
  Timestamp as_of = state.as_of;
  if (is_mutant(Mutant::snapshot_too_late)) as_of = Timestamp{published_ts_.load()};
  if (is_mutant(Mutant::snapshot_one_commit_on)) as_of = Timestamp{raw(as_of) + 1};
  return {state.view, state.own_id(), as_of, state.view == ReadView::snapshot};
}

// Whether a version that `writer` wrote is seen. A commit that may not be durable yet is noted: a read-only
// transaction must not be acknowledged before it.
bool Core::judge_version(TransactionState& state, const mvcc::ReadRule& rule, TransactionId writer) {
  if (writer == rule.own && !is_mutant(Mutant::own_write_unseen)) return true;
  const mvcc::TransactionStatus status = statuses_->find(writer);
  if (is_mutant(Mutant::dirty_read) && status.state != mvcc::TransactionState::committed) return true;
  if (is_mutant(Mutant::own_write_unseen) && writer == rule.own) return false;
  if (!mvcc::is_visible(rule, writer, status)) return false;
  state.seen_ts = std::max(state.seen_ts, status.commit_ts);
  return true;
}

[[gnu::always_inline]] inline void Core::copy_row(const RowView& row, std::string& value, Found& found) {
  found.exists = !has(row.flags, RowFlags::erased);
  found.large = has(row.flags, RowFlags::large);
  found.locked = has(row.flags, RowFlags::locked);
  found.writer = row.writer;
  if (found.large) {
    found.chain = btree::load_reference(row.value);
  } else {
    value.assign(row.value);
  }
}

void Core::copy_row(const mvcc::Version& version, std::string& value, Found& found) {
  found.exists = false;
  if (version.kind == mvcc::VersionKind::row)
    copy_row(RowView{version.writer, version.flags, version.value()}, value, found);
}

Status Core::find_row(TransactionState& state, const TableInfo& table, std::string_view key,
                      std::string& value, Found& found) {
  if (state.read_locks != ReadLocks::none) {
    return find_locked_row(state, table, key, value, found, IfLocked::wait);
  }
  const mvcc::ReadRule rule = read_rule(state);
  const btree::BTree tree(*cache_, table.root);
  const TransactionId horizon = statuses_->horizon();
  const bool is_expected = std::exchange(state.last_read.is_expected, false);
  bool invisible = false;
  TRY(btree::retry([&](Status& failure) {
    OptimisticGuard leaf;
    if (const Step step = tree.find_leaf(Toward::key, key, leaf, failure); step != Step::ok) return step;
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(key);
    invisible = false;
    found.exists = false;
    found.writer = kNoTransaction;
    if (at.found) {
      const RowView row = node.row(at.slot);
      if (row.writer < horizon || judge_version(state, rule, row.writer)) [[likely]] {
        copy_row(row, value, found);
      } else {
        invisible = true;
      }
    }
    if (is_expected) {
      state.last_read.table = invisible ? nullptr : &table;
      state.last_read.leaf = leaf.id();
      state.last_read.leaf_version = leaf.version();
    }
    return leaf.validate() ? Step::ok : Step::restart;
  }));
  if (invisible) {
    if (is_expected) enter_key(state, table, key);
    TRY(find_row_shared(state, table, key, rule, value, found));
    if (found.superseder != kNoTransaction && state.is_tracking()) note_read(state, found);
  }
  if (!found.exists) note_absence(state);
  if (observer_ != nullptr && !state.last_read.is_again) [[unlikely]]
    tell_read(state, table, key, found.writer, found.exists);
  if (!rule.bounded || is_snapshot_intact(state)) [[likely]]
    return {};
  // What is read again is not what was asked for now: the transaction goes on until it reads more.
  return state.last_read.is_again ? Status(StatusCode::snapshot_too_old) : snapshot_failure(state);
}

// At serializable_ssi: as if what was read last were read now, with its mark. From a leaf that has not
// changed the same would come.
void Core::mark_last_read(TransactionState& state) {
  LastRead& last = state.last_read;
  const TableInfo& table = *last.table;
  if (is_mutant(Mutant::last_read_unmarked)) return;
  enter_key(state, table, last.key);
  // A table that it made itself may be gone: it has rolled that back.
  if (!OptimisticGuard::is_unchanged(*cache_, last.leaf, last.leaf_version) && is_there(state, table)) {
    struct Again {
      explicit Again(bool& is) : is_again(is) { is_again = true; }
      ~Again() { is_again = false; }
      bool& is_again;
    } const again(last.is_again);
    Found found;
    if (!find_row(state, table, last.key, last.value, found).ok()) state.tracked->overwriters_lost = true;
  }
  last.table = nullptr;
}

// The key is locked: its newest row is what is read, once nobody is writing there.
Status Core::find_locked_row(TransactionState& state, const TableInfo& table, std::string_view key,
                             std::string& value, Found& found, IfLocked if_locked) {
  const mvcc::ReadRule rule = {ReadView::newest_committed, state.own_id(), {}, false};
  const btree::BTree tree(*cache_, table.root);
  for (;;) {
    TransactionId writer = kNoTransaction;
    TRY(btree::retry([&](Status& failure) {
      OptimisticGuard leaf;
      if (const Step step = tree.find_leaf(Toward::key, key, leaf, failure); step != Step::ok) return step;
      const Node& node = *Node::at(leaf.bytes());
      const btree::Position at = node.lower_bound(key);
      found.exists = false;
      found.writer = kNoTransaction;
      writer = kNoTransaction;
      if (at.found) {
        const RowView row = node.row(at.slot);
        if (judge_version(state, rule, row.writer)) {
          copy_row(row, value, found);
        } else {
          writer = row.writer;
        }
      }
      return leaf.validate() ? Step::ok : Step::restart;
    }));
    if (writer == kNoTransaction) break;
    TRY(wait_for_writer(state, table, key, writer, if_locked));
  }
  if (is_mutant(Mutant::absent_key_unlocked) && !found.exists) {
    locks_->take_back_key(state.owner, place_of(table, key));
  }
  if (!found.exists) note_absence(state);
  if (observer_ != nullptr) [[unlikely]]
    tell_read(state, table, key, found.writer, found.exists);
  return {};
}

// The newest version is not for this reader: look into the version store, with the leaf held so that row and
// store are of one moment. A reader without a snapshot that finds nothing looks again: the row's writer ended
// in between, and its old version was dropped.
Status Core::find_row_shared(TransactionState& state, const TableInfo& table, std::string_view key,
                             const mvcc::ReadRule& rule, std::string& value, Found& found) {
  const btree::BTree tree(*cache_, table.root);
  for (pages::Backoff backoff;; backoff.pause()) {
    SharedGuard leaf;
    TRY(tree.share_leaf(key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(key);
    found.exists = false;
    found.writer = found.superseder = kNoTransaction;
    if (!at.found) return {};
    const RowView row = node.row(at.slot);
    if (judge_version(state, rule, row.writer) && !is_only_locked(rule, row.writer, row.flags)) {
      copy_row(row, value, found);
      return {};
    }
    if (find_older(state, table, key, rule, row.writer, value, found)) return {};
    // What it sees is that the key is not there, or is spilled: who was the first to write over that may be
    // forgotten.
    if (state.is_tracking()) state.tracked->overwriters_lost = true;
    if (rule.bounded) return find_spilled(state, table, key, rule, value, found);
  }
}

// A reader without a snapshot takes no version but the next older one, each replaced by who wrote the one
// before: with one missing in between, an even older one may still be there for somebody's snapshot. A reader
// with a snapshot finds what its snapshot needs, here or among the spilled ones, or the key was absent.
bool Core::find_older(TransactionState& state, const TableInfo& table, std::string_view key,
                      const mvcc::ReadRule& rule, TransactionId row_writer, std::string& value,
                      Found& found) {
  TransactionId newer = row_writer;
  bool answered = false;
  found.superseder = row_writer;
  (void)versions_.find(table.id, key, [&](const mvcc::Version& version) {
    if (!rule.bounded && version.superseder != newer) return true;
    // What is older is over, too; what came between may be spilled.
    if (rule.bounded && is_over(state, rule, version.superseder)) {
      found.writer = version.superseder;
      return true;
    }
    found.superseder = version.superseder;
    newer = version.writer;
    // What its writer replaced itself is for nobody else; and he may have committed since he was judged
    // above.
    const bool is_passed_over =
        version.kind == mvcc::VersionKind::row &&
        (version.writer == version.superseder || !judge_version(state, rule, version.writer) ||
         is_only_locked(rule, version.writer, version.flags));
    if (is_passed_over) return false;
    copy_row(version, value, found);
    answered = true;
    return true;
  });
  if (!answered) found.superseder = newer;
  return answered;
}

// That the key was absent is read from it, too: the commit that made it so is noted.
bool Core::is_over(TransactionState& state, const mvcc::ReadRule& rule, TransactionId superseder) {
  const mvcc::TransactionStatus end = statuses_->find(superseder);
  if (!mvcc::is_over(rule, superseder, end)) return false;
  state.seen_ts = std::max(state.seen_ts, end.commit_ts);
  return true;
}

Status Core::find_spilled(TransactionState& state, const TableInfo& table, std::string_view key,
                          const mvcc::ReadRule& rule, std::string& value, Found& found) {
  if (spilled_.count() == 0) return {};
  return spilled_.find(*cache_, table.id, key, rule.as_of, [&](const mvcc::SpilledRow& row) {
    if (is_over(state, rule, row.superseder) || !judge_version(state, rule, row.writer)) return false;
    copy_row(RowView{row.writer, row.flags, row.value}, value, found);
    found.superseder = row.superseder;
    return true;
  });
}

Step Core::read_large(const Found& found, std::uint64_t offset, char* to, std::size_t size, Status& failure) {
  return btree::read_chain(*cache_, found.chain, offset, to, size, failure);
}

// Its value; a lock is held by then where one is needed. Within `get`, the path that is measured.
[[gnu::always_inline]] inline Status Core::read_value(TransactionState& state, const TableInfo& table,
                                                      std::string_view key, std::string& value) {
  Status status;
  for (pages::Backoff backoff;; backoff.pause()) {
    Found found;
    TRY(find_row(state, table, key, value, found));
    if (!found.exists) return Status(StatusCode::not_found);
    if (!found.large) [[likely]]
      return {};
    try {
      value.resize(found.chain.size);
    } catch (const std::bad_alloc&) {
      return {StatusCode::too_large,
              "no memory for a value of " + std::to_string(found.chain.size) + " bytes: use get_part"};
    }
    const Step step = read_large(found, 0, value.data(), value.size(), status);
    if (step == Step::ok) return {};
    if (step == Step::failed) return status;
  }
}

Status Core::get_value(TransactionState& state, const TableInfo& table, std::string_view key,
                       std::string& value) {
  return read_value(state, table, key, value);
}

// What was read before gets its mark now, and this key later, if it is found without a latch. Not so where
// what it reads has no marks, or it locks what it reads, or the plain test is to meet all marks.
void Core::begin_tracked_read(TransactionState& state, const TableInfo& table, std::string_view key) {
  const bool waits = !state.tracked->sets->is_unmarked && state.read_locks == ReadLocks::none &&
                     options_.locks.conflict_test == ConflictTest::circle;
  if (!waits) return track_key(state, table, key);
  if (state.last_read.is_set()) mark_last_read(state);
  state.last_read.key = key;
  state.last_read.is_expected = true;
}

Status Core::get(TransactionState& state, const Table& handle, std::string_view key, std::string& value) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_key(key));
  if (state.read_locks != ReadLocks::none) TRY(lock_key(state, *table, key));
  if (state.is_tracking()) begin_tracked_read(state, *table, key);
  return read_value(state, *table, key, value);
}

Result<std::size_t> Core::get_part(TransactionState& state, const Table& handle, std::string_view key,
                                   std::uint64_t offset, char* buffer, std::size_t length) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_key(key));
  if (state.read_locks != ReadLocks::none) TRY(lock_key(state, *table, key));
  if (state.is_tracking()) begin_tracked_read(state, *table, key);
  std::string value;
  for (pages::Backoff backoff;; backoff.pause()) {
    Found found;
    TRY(find_row(state, *table, key, value, found));
    if (!found.exists) return Status(StatusCode::not_found);
    const std::uint64_t size = found.large ? found.chain.size : value.size();
    const auto part =
        static_cast<std::size_t>(std::min<std::uint64_t>(length, size - std::min(offset, size)));
    if (!found.large) {
      std::copy_n(value.data() + std::min<std::uint64_t>(offset, size), part, buffer);
      return part;
    }
    const Step step = read_large(found, offset, buffer, part, status);
    if (step == Step::ok) return part;
    if (step == Step::failed) return status;
  }
}

}  // namespace isolith::txn
