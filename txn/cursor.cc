#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/mutant.h"
#include "txn/cursor_state.h"

namespace isolith::txn {

using btree::Node;
using btree::OptimisticGuard;
using btree::RowFlags;
using btree::RowView;
using btree::Toward;
using pages::Step;

namespace {

constexpr std::size_t kBatchFirst = 4;
constexpr std::size_t kBatchMax = 1024;
constexpr std::size_t kBatchToPrefetch = 16;

}  // namespace

CursorState::CursorState(Core& core, TransactionState& state, const TableInfo& table, const KeyRange& range,
                         const CursorOptions& options)
    : core_(core), state_(state), serial_(state.serial), table_(table), options_(options), lo_(range.lo) {
  if (range.hi) hi_.emplace(*range.hi);
  rule_ = core.read_rule(state);
  if (is_locked()) {
    rule_ = {ReadView::newest_committed, state.own_id(), {}, false};
    writes = &state.writes;
    state.handles.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (rule_.view == ReadView::snapshot) announcer_ = &state;
  if (base::is_mutant(base::Mutant::cursor_snapshot_too_late) && rule_.bounded) {
    rule_.as_of = Timestamp{core.published_ts_.load()};
  }
  if (rule_.view == ReadView::newest_committed) {
    // A snapshot of its own. The transaction's slot announces one; what a second one needs it does not keep.
    rule_.bounded = true;
    announcer_ = &state;
    if (state.snapshot.load(std::memory_order_relaxed) != 0) {
      announcer_ = core.slots_.acquire();
      if (announcer_ != nullptr) {
        announcer_->built_in.store(nullptr, std::memory_order_relaxed);  // reports: a cursor
        state.cursor_slots.push_back(announcer_);
      }
    }
    if (announcer_ != nullptr) rule_.as_of = core.register_snapshot(*announcer_, false);
  }
  writes = &state.writes;
  state.handles.fetch_add(1, std::memory_order_relaxed);
}

CursorState::~CursorState() {
  stop_reading();
  const bool is_own = rule_.view == ReadView::newest_committed && announcer_ != nullptr;
  if (is_own && state_.serial == serial_ && state_.phase == Phase::active) {
    announcer_->snapshot.store(0, std::memory_order_release);
    if (announcer_ != &state_) {
      std::erase(state_.cursor_slots, announcer_);
      Slots::release(*announcer_);
    }
  }
  core_.release_handle(state_);
}

// False, with the reason in `status_`, once the transaction is over or the table is gone.
bool CursorState::ready() {
  clear();
  return transaction_goes_on();
}

bool CursorState::transaction_goes_on() {
  status_ = state_.serial == serial_ ? core_.check_active(state_)
                                     : Status(StatusCode::aborted, "the cursor's transaction is over");
  if (status_.ok() && !Core::is_there(state_, table_))
    status_ = Status(StatusCode::not_found, "the table was dropped");
  return status_.ok();
}

void CursorState::start(bool is_forward) {
  forward = is_forward;
  forget_place();
  batch_limit_ = kBatchFirst;
  if (core_.observer_ != nullptr && !told_from_) [[unlikely]]
    told_from_ = place_;
  if (state_.is_tracking() && !tracked_range_) begin_reading();
  if (!is_locked()) return fill();
  cover_from_place();
  copy_batch();
  if (!status_.ok()) return clear();
  step_locked();
}

// All that the cursor may come to is entered before it reads; what it does not come to is taken back.
void CursorState::begin_reading() {
  if (base::is_mutant(base::Mutant::tracked_range_missing)) return;
  locking::TrackedRanges& table = table_.locks.tracked();
  if (base::is_mutant(base::Mutant::tracked_range_late)) {
    const std::string lo = (forward ? edge_of(place_) : lo_) + '\0';
    tracked_range_ = core_.tracker_.enter_range(*state_.tracked, table, lo, hi_);
  } else if (forward && place_.inclusive) {
    tracked_range_ = core_.tracker_.enter_range(*state_.tracked, table, place_.key, hi_);
  } else if (forward) {
    tracked_range_ = core_.tracker_.enter_range(*state_.tracked, table, edge_of(place_), hi_);
  } else {
    const std::optional<std::string> hi = place_.unbounded ? hi_ : edge_of(place_);
    tracked_range_ = core_.tracker_.enter_range(*state_.tracked, table, lo_, hi);
  }
}

void CursorState::stop_reading() {
  if (core_.observer_ != nullptr) [[unlikely]] {
    tell_scan();
    tell_rows();
  }
  if (!tracked_range_) return;
  const std::size_t place = *std::exchange(tracked_range_, std::nullopt);
  if (!valid() || state_.serial != serial_ || !state_.is_tracking()) return;
  core_.tracker_.trim_range(*state_.tracked, place, table_.locks.tracked(),
                            {bytes + row->key_at, row->key_size}, forward);
}

void CursorState::seek_forward(std::optional<std::string_view> at) {
  stop_reading();
  if (!ready()) return;
  place_ = {std::string(at ? std::max(*at, std::string_view(lo_)) : std::string_view(lo_)), true, false,
            false};
  start(true);
}

void CursorState::seek_backward(std::optional<std::string_view> at) {
  stop_reading();
  if (!ready()) return;
  if (at && (!hi_ || *at < *hi_)) {
    place_ = {std::string(*at), true, false, false};
  } else {
    place_ = {hi_.value_or(std::string()), false, !hi_, false};
  }
  start(false);
}

void CursorState::next() {
  if (!valid()) return;
  if (!forward || writes_seen != state_.writes) return restart_behind(true);
  if (is_locked()) return step_locked();
  if (++row == end) fill();
}

void CursorState::prev() {
  if (!valid()) return;
  if (forward || writes_seen != state_.writes) return restart_behind(false);
  if (is_locked()) return step_locked();
  if (++row == end) fill();
}

// On from the row that the cursor stands on: the other way, or after writes of its own transaction.
void CursorState::restart_behind(bool is_forward) {
  std::string from(bytes + row->key_at, row->key_size);
  // On in the same direction it stays in the range that is entered.
  if (is_forward != forward) {
    stop_reading();
  } else if (core_.observer_ != nullptr) {
    tell_rows();
  }
  if (!ready()) return;
  place_ = {std::move(from), false, false, false};
  start(is_forward);
}

// Batches are of one leaf; leaves without a row to see are passed over.
void CursorState::fill() {
  if (core_.observer_ != nullptr) [[unlikely]]
    tell_rows();
  if (!ready()) return;
  rule_.own = state_.own_id();
  writes_seen = state_.writes;
  while (rows_.empty() && !place_.at_end) {
    bytes_used_ = 0;
    Place after;
    std::string unseen;
    bool is_unseen = false;
    status_ = btree::retry([&](Status& failure) {
      rows_.clear();
      writers_.clear();
      bytes_used_ = 0;
      horizon_ = core_.statuses_->horizon();
      return fill_from_leaf(after, unseen, is_unseen, failure);
    });
    if (!status_.ok()) return clear();
    place_ = std::move(after);
    if (is_unseen && rows_.empty()) {
      status_ = take_unseen(unseen);
      if (!status_.ok()) return;
    }
  }
  if (state_.is_tracking() && state_.read_only) core_.count_reads(state_, rows_.size());
  core_.note_absence(state_);  // between the rows
  if (rule_.bounded && !Core::is_snapshot_intact(*announcer_)) {
    status_ = core_.snapshot_failure(state_);
    return clear();
  }
  batch_limit_ = std::min(batch_limit_ * 2, kBatchMax);
  row = rows_.data();
  end = row + rows_.size();
  bytes = buffer_.get();
}

Step CursorState::find_slot(OptimisticGuard& leaf, unsigned& slot, Status& failure) {
  if (leaf_.id != kNoPage) {
    const Step step = OptimisticGuard::acquire(*core_.cache_, leaf_.id, leaf, failure);
    if (step == Step::ok && leaf.version() == leaf_.version) {
      slot = leaf_.slot;
      return Step::ok;
    }
    forget_place();
    if (step == Step::failed) return step;
  }
  const btree::BTree tree(*core_.cache_, table_.root);
  if (forward && parent_.id != kNoPage) {
    const Step step = tree.find_right_leaf(parent_, leaf, failure);
    if (step == Step::ok) {
      prefetch_right();
      slot = 0;
      return Step::ok;
    }
    forget_place();
    if (step == Step::failed) return step;
  }
  Toward toward = Toward::key;
  if (!forward) toward = place_.unbounded ? Toward::end : place_.inclusive ? Toward::key : Toward::before;
  if (const Step step = tree.find_leaf(toward, place_.key, leaf, failure, &parent_); step != Step::ok) {
    forget_place();
    return step;
  }
  prefetch_right();
  const Node& node = *Node::at(leaf.bytes());
  if (!forward && place_.unbounded) {
    slot = node.count();
    return Step::ok;
  }
  const btree::Position at = node.lower_bound(place_.key);
  const bool skips = forward ? at.found && !place_.inclusive : at.found && place_.inclusive;
  slot = at.slot + (skips ? 1 : 0);
  return Step::ok;
}

// Long scans have the next leaf on its way while they copy this one.
void CursorState::prefetch_right() noexcept {
  const bool wanted = forward && batch_limit_ >= kBatchToPrefetch && parent_.right != kNoPage;
  ahead_ = wanted ? core_.cache_->peek(parent_.right) : nullptr;
  ahead_end_ = ahead_ != nullptr ? ahead_ + pages::kPageBytes : nullptr;
}

struct CursorState::Judge {
  btree::RowCopier copier;
  bool all_visible;
  bool checks_range;  // the leaf reaches beyond the range in this direction
};

// Copies one row into the batch, if it is in the range and to be seen.
inline CursorState::Taken CursorState::take(const Judge& judge, unsigned slot, std::string& unseen) {
  char* to = make_room(btree::kRowCopyBytesMax);
  RowView copied;
  const std::size_t key_size = judge.copier.copy(slot, to, copied);
  prefetch_ahead(key_size + copied.value.size() + btree::kSlotBytes + btree::kLeafRecordBytes);
  const std::string_view key(to, key_size);
  if (judge.checks_range && (forward ? hi_ && key >= std::string_view(*hi_) : key < std::string_view(lo_)))
    return Taken::out_of_range;
  const bool visible =
      judge.all_visible || copied.writer < horizon_ || core_.judge_version(state_, rule_, copied.writer);
  if (!visible || Core::is_only_locked(rule_, copied.writer, copied.flags)) {
    unseen.assign(key);
    return Taken::unseen;
  }
  if (has(copied.flags, RowFlags::erased)) return Taken::nothing;
  add_row(key_size, copied.value.size(), has(copied.flags, RowFlags::large));
  if (core_.observer_ != nullptr) [[unlikely]]
    writers_.push_back(copied.writer);
  return Taken::row;
}

// One batch. `slot` is the next one forward, or one behind the next one backward.
Step CursorState::fill_from_leaf(Place& after, std::string& unseen, bool& is_unseen, Status& failure) {
  OptimisticGuard leaf;
  unsigned slot = 0;
  if (const Step step = find_slot(leaf, slot, failure); step != Step::ok) return step;
  const Node& node = *Node::at(leaf.bytes());
  const unsigned count = node.count();
  const bool leaf_in_range =
      forward ? !hi_ || (node.has_upper_fence() && node.upper_fence() <= *hi_) : node.lower_fence() >= lo_;
  const Judge judge{btree::RowCopier(node), node.newest_writer() < horizon_, !leaf_in_range};
  is_unseen = false;
  bool in_range = true;
  slot = std::min(slot, count);
  while (in_range && !is_unseen && rows_.size() < batch_limit_ && (forward ? slot < count : slot > 0)) {
    const unsigned at = forward ? slot : slot - 1;
    switch (take(judge, at, unseen)) {
      case Taken::row:
      case Taken::nothing:
        break;
      case Taken::unseen:
        is_unseen = true;
        break;
      case Taken::out_of_range:
        in_range = false;
        break;
    }
    if (in_range) slot = forward ? slot + 1 : slot - 1;
  }
  const bool leaf_done = forward ? slot >= count : slot == 0;
  after = Place();
  after.at_end = !in_range;
  if (is_unseen) {
    // An unseen row behind others begins the next batch; alone it is looked up right after this.
    after.key = unseen;
    after.inclusive = !rows_.empty();
  } else if (leaf_done && in_range) {
    // What lies behind the fence is out of the range where the fence is.
    after.at_end = forward ? !node.has_upper_fence() || (hi_ && node.upper_fence() >= std::string_view(*hi_))
                           : node.lower_fence() <= std::string_view(lo_);
    after.key = forward ? node.upper_fence() : node.lower_fence();
    after.inclusive = forward;
  } else if (!rows_.empty()) {
    const Row& last = rows_.back();
    after.key.assign(buffer_.get() + last.key_at, last.key_size);
    after.inclusive = false;
  }
  if (!leaf.validate()) {
    forget_place();
    return Step::restart;
  }
  copied_ = Leaf{leaf.id(), leaf.version(), slot};
  leaf_ = leaf_done || is_unseen || !in_range ? Leaf() : Leaf{leaf.id(), leaf.version(), slot};
  if (is_unseen) parent_ = btree::LeafParent();  // on within this leaf, not in the next one
  return Step::ok;
}

// A row whose newest version is not for this reader: an older one, if there is one.
Status CursorState::take_unseen(const std::string& key) {
  Core::Found found;
  TRY(core_.find_row_shared(state_, table_, key, rule_, scratch_, found));
  if (found.superseder != kNoTransaction && state_.is_tracking()) core_.note_read(state_, found);
  if (!found.exists) return {};
  char reference[btree::kChainReferenceBytes];
  std::string_view value = scratch_;
  if (found.large) {
    btree::store_reference(reference, found.chain);
    value = std::string_view(reference, sizeof reference);
  }
  char* to = make_room(key.size() + value.size());
  std::memcpy(to, key.data(), key.size());
  std::memcpy(to + key.size(), value.data(), value.size());
  add_row(key.size(), value.size(), found.large);
  if (core_.observer_ != nullptr) writers_.push_back(found.writer);
  return {};
}

void CursorState::grow_room(std::size_t size) {
  const std::size_t grown_size = std::max(bytes_size_ * 2, bytes_used_ + size + 2048);
  auto grown = std::make_unique_for_overwrite<char[]>(grown_size);
  if (bytes_used_ > 0) std::memcpy(grown.get(), buffer_.get(), bytes_used_);
  buffer_ = std::move(grown);
  bytes_size_ = grown_size;
}

std::string_view CursorState::large_value() {
  if (!transaction_goes_on()) {
    clear();
    return {};
  }
  const std::string_view stored(bytes + row->value_at, row->value_size);
  Core::Found found;
  found.exists = true;
  found.large = true;
  found.chain = btree::load_reference(stored);
  const std::string row_key(bytes + row->key_at, row->key_size);
  for (pages::Backoff backoff;; backoff.pause()) {
    if (!found.exists || !found.large) break;
    try {
      large_value_.resize(found.chain.size);
    } catch (const std::bad_alloc&) {
      status_ = Status(StatusCode::too_large,
                       "no memory for a value of " + std::to_string(found.chain.size) + " bytes");
      break;
    }
    const Step step = core_.read_large(found, 0, large_value_.data(), large_value_.size(), status_);
    if (step == Step::ok) return large_value_;
    if (step == Step::failed) break;
    // The transaction replaced the value itself, or it reads what is not committed: what is there now counts.
    status_ = core_.find_row_shared(state_, table_, row_key, rule_, large_value_, found);
    if (!status_.ok()) break;
  }
  if (status_.ok() && found.exists) return large_value_;
  if (status_.ok()) status_ = Status(StatusCode::not_found, "the cursor's row was taken back or erased");
  clear();
  return {};
}

Result<Cursor> Core::cursor(TransactionState& state, const Table& handle, const KeyRange& range,
                            const CursorOptions& options) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_key(range.lo));
  if (range.hi) TRY(check_key(*range.hi));
  const bool locks_rows = options.lock != CursorOptions::Lock::by_level;
  if (locks_rows && state.view == ReadView::snapshot) {
    return Status(StatusCode::invalid_argument,
                  "a cursor locks no rows at a level with a snapshot: use get_for_update or get_for_share");
  }
  if (!locks_rows && options.if_locked != IfLocked::wait) {
    return Status(StatusCode::invalid_argument,
                  "if_locked is for a cursor that locks its rows: say share or update");
  }
  if (options.lock == CursorOptions::Lock::update) TRY(check_writable(state));
  auto rows = std::make_unique<CursorState>(*this, state, *table, range, options);
  if (!rows->has_snapshot()) return Status(StatusCode::busy, "no slot is free for the cursor's snapshot");
  return Cursor(std::move(rows));
}

Result<std::uint64_t> Core::erase_range(TransactionState& state, const Table& table, const KeyRange& range) {
  Status status;
  TRY(check_active(state));
  if (find_table(state, table, status) == nullptr) return status;
  TRY(check_writable(state));
  CursorOptions options;
  // Two that had read the same rows with locks and then erase them would wait for each other.
  if (state.read_locks != ReadLocks::none && state.view != ReadView::snapshot) {
    options.lock = CursorOptions::Lock::update;
  }
  Result<Cursor> rows = cursor(state, table, range, options);
  TRY(rows);
  std::uint64_t erased = 0;
  std::string key;
  for (rows->seek_first(); rows->valid() && status.ok(); rows->next()) {
    key = rows->key();
    status = write(state, table, key, WriteKind::erase, {});
    if (status.ok()) ++erased;
    if (status.is(StatusCode::not_found)) status = Status();
  }
  if (status.ok()) status = rows->status();
  if (status.ok()) return erased;
  // Half of the range is erased: the transaction is over.
  if (erased > 0 && state.phase == Phase::active) (void)abort(state).ok();
  return status;
}

}  // namespace isolith::txn
