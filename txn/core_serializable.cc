// Serializable snapshot isolation: what is told to the graph of who comes before whom, and when. The argument is
// in locking/README.md.
#include <utility>

#include "base/fence.h"
#include "txn/change.h"
#include "txn/core.h"

namespace isolith::txn {

void Core::track_key(TransactionState& state, const TableInfo& table, std::string_view key) {
  graph_.track_key(*state.tracked, place_of(table, key));
}

// After the key was entered and read.
void Core::note_read(TransactionState& state, const TableInfo& table, std::string_view key, const Found& found) {
  const TransactionId own = state.own_id();
  if (found.writer != kNoTransaction && found.writer != own) {
    graph_.read_from(*state.tracked, found.writer, table.locks, key);
  }
  if (found.superseder == kNoTransaction || found.superseder == own) return;
  const mvcc::TransactionStatus status = statuses_->find(found.superseder);
  // Rolled back meanwhile: nobody has replaced it. In progress: it commits later than all that has.
  if (status.state == mvcc::TransactionState::aborted) return;
  const std::uint64_t commit_ts = status.state == mvcc::TransactionState::committed
                                      ? raw(status.commit_ts)
                                      : published_ts_.load(std::memory_order_acquire) + 1;
  graph_.read_under(*state.tracked, found.superseder, std::max(commit_ts, raw(state.as_of) + 1), table.locks, key);
}

// With the leaf latched.
void Core::note_write(TransactionState& state, const Change& change) {
  const locking::KeyPlace place = place_of(change.table, change.key);
  if (state.tracked == nullptr) {
    if (!graph_.is_read(nullptr, place)) return;
    state.tracked = &graph_.begin(state.policy->name(), {}, false);
    graph_.begin_writing(*state.tracked, state.own_id());
  }
  graph_.write(*state.tracked, place, change.found ? change.met : kNoTransaction, change.kind == WriteKind::erase);
}

// A circle of committed ones that it would close does not go away: it fails as soon as it is seen.
Status Core::check_serializable(TransactionState& state) {
  std::optional<std::string> circle =
      graph_.find_circle(*state.tracked, traceless_ts_.load(std::memory_order_acquire));
  if (!circle) return {};
  Status status = Status::conflict(ConflictReason::serialization, *std::move(circle));
  end_after(state, status);
  return status;
}

// A transaction that has read with locks, or ran alone, is about to commit: whoever is tracked and writes there
// later comes after it.
void Core::leave_word(TransactionState& state) {
  base::full_fence();
  if (!graph_.is_in_use()) return;
  if (state.policy->runs_alone()) graph_.all_was_read();
  if (state.owner.marks == nullptr && state.owner.ranges.empty()) return;
  if (state.tracked == nullptr) {
    state.tracked = &graph_.begin(state.policy->name(), {}, false);
    if (state.own_id() != kNoTransaction) graph_.begin_writing(*state.tracked, state.own_id());
  }
  for (const locking::KeyMark* mark = state.owner.marks; mark != nullptr; mark = mark->next_of_owner) {
    graph_.track_key(*state.tracked, {*mark->locks, mark->table, mark->key, mark->hash});
  }
  for (const locking::HeldRange& range : state.owner.ranges) {
    graph_.track_range(*state.tracked, *range.table, range.lo, range.hi);
  }
}

}  // namespace isolith::txn
