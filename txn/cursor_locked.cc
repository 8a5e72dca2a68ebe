// A cursor at a level that locks what it reads. Rows are copied in batches as ever; each is given out only
// after it was locked and its leaf is found to be as it was copied. So whoever writes there later meets the
// lock, and whoever wrote before was seen (locking/README.md).
//
// With `ReadLocks::ranges` the lock reaches exactly as far as the cursor went: to the row where it stands,
// or, once it found no more, to the end of its range. What it passes on the way to the next leaf is locked up
// to the fence while the leaf before is still as it was copied: nothing may come into the gap unseen.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "txn/cursor_state.h"

namespace isolith::txn {

using btree::Node;
using pages::OptimisticGuard;
using pages::Step;

// Nothing is covered yet in this direction from where `place_` is.
void CursorState::cover_from_place() {
  if (place_.unbounded) {
    covered_.reset();
    return;
  }
  covered_ = edge_of(place_);
}

void CursorState::copy_batch() {
  row = end = nullptr;
  next_row_ = 0;
  rule_.own = state_.own_id();
  writes_seen = state_.writes;
  status_ = btree::retry([&](Status& failure) {
    rows_.clear();
    writers_.clear();
    bytes_used_ = 0;
    horizon_ = core_.statuses_->horizon();
    return fill_from_leaf(after_, unseen_, is_unseen_, failure);
  });
  // An uncommitted row behind others begins the next batch.
  is_unseen_ = is_unseen_ && rows_.empty();
  batch_limit_ = std::min(batch_limit_ * 2, kLockedBatchMax);
}

// What was copied is no longer what is there.
void CursorState::copy_again() {
  forget_place();
  place_ = {covered_.value_or(std::string()), forward, !forward && !covered_, false};
  copy_batch();
}

bool CursorState::is_copy_current() {
  OptimisticGuard leaf;
  Status failure;
  return OptimisticGuard::acquire(*core_.cache_, copied_.id, leaf, failure) == Step::ok &&
         leaf.version() == copied_.version && leaf.validate();
}

// The row itself is left to `lock_row` where that locks it: two cursors that had read it and then want to
// write it would wait for each other.
bool CursorState::lock_up_to(std::string_view key) {
  if (state_.read_locks == ReadLocks::none) return true;
  const bool with_row = options_.lock == CursorOptions::Lock::by_level;
  if (state_.read_locks == ReadLocks::keys) {
    if (with_row) status_ = core_.lock_key(state_, table_, key);
    return status_.ok();
  }
  std::string bound(key);
  if (forward) {
    if (with_row) bound.push_back('\0');
    status_ = core_.lock_range(state_, table_, *covered_, std::move(bound), options_.if_locked);
  } else {
    if (!with_row) bound.push_back('\0');
    status_ = core_.lock_range(state_, table_, bound, covered_, options_.if_locked);
  }
  return status_.ok();
}

// Where a place is between the keys: what it goes on with is behind that, in the cursor's direction.
std::string CursorState::edge_of(const Place& place) const {
  std::string edge = place.key;
  if (place.inclusive != forward) edge.push_back('\0');
  return edge;
}

// The rest of the leaf that was copied, or of the range.
bool CursorState::lock_gap(const Place& until) {
  if (state_.read_locks != ReadLocks::ranges) return true;
  if (base::is_mutant(base::Mutant::range_short_at_high_end) && until.at_end) return true;
  if (forward) {
    status_ = core_.lock_range(state_, table_, *covered_, until.at_end ? hi_ : std::optional(edge_of(until)),
                               options_.if_locked);
  } else {
    status_ =
        core_.lock_range(state_, table_, until.at_end ? lo_ : edge_of(until), covered_, options_.if_locked);
  }
  return status_.ok();
}

void CursorState::step_locked() {
  if (!transaction_goes_on()) return clear();
  row = end = nullptr;
  while (status_.ok()) {
    if (next_row_ < rows_.size()) {
      if (give_out_row()) return;
    } else if (is_unseen_) {
      if (!pass_unseen()) break;
      if (valid()) return;
    } else if (!pass_batch()) {
      break;
    }
  }
  clear();
}

// True: the cursor stands on the row.
bool CursorState::give_out_row() {
  const Row& candidate = rows_[next_row_];
  const std::string key(buffer_.get() + candidate.key_at, candidate.key_size);
  if (!lock_up_to(key)) return false;
  if (!is_copy_current()) {
    copy_again();
    return false;
  }
  covered_ = key;
  if (forward) covered_->push_back('\0');
  if (options_.lock != CursorOptions::Lock::by_level) return lock_row(key) == RowLock::held;
  if (core_.observer_ != nullptr) [[unlikely]]
    tell_row(next_row_);
  row = &rows_[next_row_++];
  end = row + 1;
  bytes = buffer_.get();
  return true;
}

// The row as it is once it is locked, in the place of its copy; or none, where it has gone or is passed over.
CursorState::RowLock CursorState::lock_row(const std::string& key) {
  ++next_row_;
  status_ = options_.lock == CursorOptions::Lock::update
                ? core_.update_row(state_, table_, key, locked_value_, options_.if_locked)
                : core_.share_row(state_, table_, key, locked_value_, options_.if_locked);
  writes_seen = state_.writes;  // the lock is no change: what was copied behind it still counts
  const bool is_skipped = status_.is(StatusCode::busy) && options_.if_locked == IfLocked::skip;
  if (is_skipped || status_.is(StatusCode::not_found)) {
    // Gone, and locked: that it is not there was read.
    status_ = Status();
    return RowLock::passed;
  }
  if (!status_.ok()) return RowLock::failed;
  // It holds the row already, so nobody in line is before it; and what it has read stays one range.
  if (state_.read_locks == ReadLocks::ranges) {
    status_ = core_.lock_range(state_, table_, key, key + '\0', IfLocked::skip);
    if (!status_.ok()) return RowLock::failed;
  }
  rows_.clear();
  next_row_ = 0;
  bytes_used_ = 0;
  char* const to = make_room(key.size() + locked_value_.size());
  std::copy(key.begin(), key.end(), to);
  std::copy(locked_value_.begin(), locked_value_.end(), to + key.size());
  add_row(key.size(), locked_value_.size(), false);
  after_ = {key, false, false, false};
  forget_place();  // that was behind the whole batch
  is_unseen_ = false;
  next_row_ = 1;
  row = rows_.data();
  end = row + 1;
  bytes = buffer_.get();
  return RowLock::held;
}

// A row that somebody has written and not committed: locked by this one next, and waited for.
bool CursorState::pass_unseen() {
  const std::string key = unseen_;
  if (!lock_up_to(key)) return false;
  if (options_.lock != CursorOptions::Lock::by_level) {
    if (!is_copy_current()) {
      copy_again();
      return true;
    }
    covered_ = edge_of({key, false, false, false});
    is_unseen_ = false;
    after_ = {key, false, false, false};
    if (lock_row(key) == RowLock::held) return true;
    copied_ = Leaf();
    return status_.ok();
  }
  std::string value;
  Core::Found found;
  status_ = core_.find_locked_row(state_, table_, key, value, found, IfLocked::wait);
  if (!status_.ok() || !transaction_goes_on()) return false;
  copy_again();
  return true;
}

// On behind the batch; false: there is nothing more in the range.
bool CursorState::pass_batch() {
  const Place until = after_;
  if (!lock_gap(until)) return false;
  if (!is_copy_current()) {
    copy_again();
    return true;
  }
  if (until.at_end) return false;
  covered_ = edge_of(until);
  place_ = until;
  copy_batch();
  return true;
}

}  // namespace isolith::txn
