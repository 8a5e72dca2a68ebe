// Snapshots: taking them, sharing them, holding them; who reads from what; and what happens to the oldest.
//
// Each snapshot is announced in the slot of who reads from it; a held one has a slot of its own.
#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/fence.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

constexpr std::string_view kHeldLevel = "(held snapshot)";
constexpr std::string_view kCursorLevel = "(cursor)";

}  // namespace

// Behind a fence the time is read again after the announcement (and that of conflict_tracker.h): either the
// collector's look at the slots sees it, or it came before the second reading, and then the collector's idea
// of the time is not newer than the snapshot.
Timestamp Core::register_snapshot(TransactionState& state, bool may_write) noexcept {
  state.snapshot_ms.store(base::coarse_clock_ms(), std::memory_order_relaxed);
  state.expired.store(0, std::memory_order_relaxed);
  std::uint64_t ts = published_ts_.load(std::memory_order_acquire);
  for (;;) {
    state.snapshot.store(SnapshotWord{Timestamp{ts}, may_write}.encode(), std::memory_order_release);
    base::full_fence();
    const std::uint64_t again = published_ts_.load(std::memory_order_seq_cst);
    if (again == ts) return Timestamp{ts};
    ts = again;
  }
}

// All that is announced. A snapshot that goes from one slot to another does so under the mutex, so that it is
// not missed in both.
void Core::look_at_snapshots() {
  const std::lock_guard nobody_shares(share_mutex_);
  live_.reset(Timestamp{published_ts_.load(std::memory_order_seq_cst)});
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const TransactionState& state = slots_.at(i);
    const std::uint64_t word = state.snapshot.load(std::memory_order_seq_cst);
    if (word == 0 || word == state.expired.load(std::memory_order_relaxed)) continue;
    const SnapshotWord snapshot = SnapshotWord::decode(word);
    live_.add(snapshot.ts, snapshot.may_write);
  }
  live_.sort();
}

// Nobody that is active began before this. Under the mutex, as above.
Timestamp Core::oldest_start() {
  const std::lock_guard nobody_shares(share_mutex_);
  std::uint64_t oldest = published_ts_.load(std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const TransactionState& state = slots_.at(i);
    const std::uint64_t start = state.start_ts.load(std::memory_order_seq_cst);
    if (start != 0) oldest = std::min(oldest, start - 1);
    const std::uint64_t word = state.snapshot.load(std::memory_order_seq_cst);
    if (word != 0) oldest = std::min(oldest, raw(SnapshotWord::decode(word).ts));
  }
  return Timestamp{oldest};
}

// ---- sharing ----

// Whether somebody, or somebody else, reads from `ts`, and is not failed. `since_ms`: since when.
bool Core::is_read_from(Timestamp ts, const TransactionState* by_other_than, std::uint64_t& since_ms) const {
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const TransactionState& state = slots_.at(i);
    const std::uint64_t word = state.snapshot.load(std::memory_order_seq_cst);
    if (&state == by_other_than || word == 0 || word == state.expired.load(std::memory_order_acquire))
      continue;
    if (SnapshotWord::decode(word).ts != ts) continue;
    since_ms = state.snapshot_ms.load(std::memory_order_relaxed);
    return true;
  }
  return false;
}

// Reads from a snapshot that is there, for reading only. Announced first, so that it is there from then on if
// it is there now: whoever has it may end at any moment, and the collector looks under the same mutex. A word
// that the collector's last look did not find, of a time that it has passed, is one that `register_snapshot`
// is about to replace: what its snapshot needs may be gone.
Status Core::share_snapshot(TransactionState& state, Timestamp ts) {
  state.as_of = ts;
  state.read_only = true;
  state.expired.store(0, std::memory_order_relaxed);
  state.snapshot.store(SnapshotWord{ts, false}.encode(), std::memory_order_seq_cst);
  std::uint64_t since_ms = 0;
  const bool is_kept = ts >= live_.now() || live_.contains(ts);
  if (is_kept && is_read_from(ts, &state, since_ms)) {
    state.snapshot_ms.store(since_ms, std::memory_order_relaxed);
    return {};
  }
  state.snapshot.store(0, std::memory_order_release);
  return {StatusCode::snapshot_too_old,
          "nobody holds the snapshot at " + std::to_string(raw(ts)) + " any more"};
}

Status Core::begin_on_snapshot(TransactionState& state, const Snapshot& snapshot) {
  if (snapshot.state_ == nullptr) return {StatusCode::invalid_argument, "the snapshot was moved away"};
  if (snapshot.core_ != this) return {StatusCode::invalid_argument, "the snapshot is of another database"};
  const std::lock_guard together(share_mutex_);
  return share_snapshot(state, snapshot.state_->as_of);
}

bool Core::is_name_taken(std::string_view name) const {
  return std::any_of(descriptions_.begin(), descriptions_.end(),
                     [&](const auto& entry) { return entry.second.is_held && entry.second.label == name; });
}

// A slot of its own: for `shared`, or for what is committed now.
Result<Snapshot> Core::hold_snapshot(std::optional<Timestamp> shared, std::string_view name) {
  if (closed_.load(std::memory_order_acquire)) return Status(StatusCode::aborted, "the database is closed");
  TransactionState* state = slots_.acquire();
  if (state == nullptr) return Status(StatusCode::busy, "no slot is free for the snapshot");
  const std::lock_guard together(share_mutex_);
  Status status;
  if (!name.empty() && is_name_taken(name)) {
    status = Status(StatusCode::already_exists);
  } else if (shared) {
    status = share_snapshot(*state, *shared);
  } else {
    state->as_of = register_snapshot(*state, false);
  }
  if (!status.ok()) {
    Slots::release(*state);
    return status;
  }
  state->view = ReadView::snapshot;
  state->owner.policy = &policy_of(Isolation::snapshot);
  ++state->serial;
  state->start_ms.store(base::coarse_clock_ms(), std::memory_order_relaxed);
  state->built_in.store(nullptr, std::memory_order_relaxed);
  descriptions_[state->index] = {std::string(kHeldLevel), std::string(name), true};
  state->is_described = true;
  state->handles.store(1, std::memory_order_relaxed);
  state->phase = Phase::active;
  return Snapshot(this, state);
}

Result<Snapshot> Core::snapshot_of(TransactionState& state) {
  TRY(check_active(state));
  if (state.view != ReadView::snapshot)
    return Status(StatusCode::invalid_argument, "a transaction at this level has no snapshot to share");
  return hold_snapshot(state.as_of, {});
}

Result<Snapshot> Core::find_snapshot(std::string_view name) {
  const std::lock_guard together(share_mutex_);
  for (const auto& [index, description] : descriptions_) {
    if (name.empty() || !description.is_held || description.label != name) continue;
    TransactionState& state = slots_.at(index);
    // The last handle may be going at this moment; it does not come back from 0.
    std::uint32_t handles = state.handles.load(std::memory_order_relaxed);
    while (handles != 0 && !state.handles.compare_exchange_weak(handles, handles + 1)) {
    }
    if (handles != 0) return Snapshot(this, &state);
  }
  return Status(StatusCode::not_found);
}

void Core::copy_snapshot(TransactionState& state) noexcept {
  // After closing handles are counted for the whole.
  if (closed_.load(std::memory_order_acquire)) {
    orphans_.fetch_add(1, std::memory_order_relaxed);
  } else {
    state.handles.fetch_add(1, std::memory_order_relaxed);
  }
}

void Core::release_snapshot(TransactionState& state) {
  if (closed_.load(std::memory_order_acquire)) return release_database();
  if (state.handles.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  finish(state, Phase::aborted);
  Slots::release(state);
}

// ---- bounds ----

Status Core::snapshot_failure(TransactionState& state) {
  Status status(StatusCode::snapshot_too_old,
                "the snapshot held back more old versions, or was older, than `Options::snapshots` allows");
  // A cursor at another level has a snapshot of its own; its transaction goes on.
  if (state.view == ReadView::snapshot && state.phase == Phase::active) (void)abort(state).ok();
  return status;
}

// Fails who reads from the oldest snapshot, if that is old enough; false: nobody does. Those words count no
// longer, and who has one finds that out when it has read.
bool Core::fail_oldest_snapshot(std::uint64_t older_than_ms) {
  if (live_.times().empty()) return false;
  const Timestamp oldest = live_.times().front();
  const std::uint64_t now_ms = base::coarse_clock_ms();
  bool failed = false;
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    TransactionState& state = slots_.at(i);
    const std::uint64_t word = state.snapshot.load(std::memory_order_seq_cst);
    if (word == 0 || SnapshotWord::decode(word).ts != oldest) continue;
    if (word == state.expired.load(std::memory_order_relaxed)) continue;
    if (state.snapshot_ms.load(std::memory_order_relaxed) + older_than_ms > now_ms) continue;
    state.expired.store(word, std::memory_order_seq_cst);
    snapshots_failed_.fetch_add(1, std::memory_order_relaxed);
    failed = true;
  }
  return failed;
}

// Whose old versions move to the data file next: where all together are too many, those of who holds the
// most; else the oldest snapshot's, if it is too old; null: nobody's.
const Timestamp* Core::snapshot_to_spill(Timestamp& place) const {
  const SnapshotOptions& bounds = options_.snapshots;
  const bool too_much = held_.bytes() > bounds.version_bytes;
  if (!too_much && bounds.age_max_ms == 0) return nullptr;
  const mvcc::HeldList* most = nullptr;
  for (const auto& [snapshot, list] : held_.by_snapshot()) {
    if (list.first == nullptr || (most != nullptr && list.bytes <= most->bytes)) continue;
    if (most == nullptr && !too_much) {
      // The oldest: if it is not too old nobody's is.
      std::uint64_t since_ms = 0;
      if (!is_read_from(snapshot, nullptr, since_ms) ||
          since_ms + bounds.age_max_ms > base::coarse_clock_ms()) {
        return nullptr;
      }
      place = snapshot;
      return &place;
    }
    most = &list;
    place = snapshot;
  }
  return most == nullptr ? nullptr : &place;
}

// To the data file first, then away from the store: a reader finds it in one of them.
Status Core::spill_version(TransactionState& gate_holder, Timestamp snapshot, mvcc::Version* version) {
  {
    const GateHold inside(gate_, gate_holder);
    if (Status status = spilled_.add(*cache_, snapshot, *version); !status.ok()) {
      held_.hold(snapshot, version);
      return status;
    }
  }
  versions_.remove(version);
  if (version->erases) held_.hold(snapshot, mvcc::make_held(*version, false));
  mvcc::free_held(version);
  return {};
}

void Core::fail_snapshots_out_of_bounds(TransactionState& gate_holder) {
  const SnapshotOptions& bounds = options_.snapshots;
  while (!held_.by_snapshot().empty() &&
         ((bounds.age_max_ms != 0 && fail_oldest_snapshot(bounds.age_max_ms)) ||
          (held_.bytes() > bounds.version_bytes && fail_oldest_snapshot(0)))) {
    look_at_snapshots();
    (void)collect_held(gate_holder, ~std::uint64_t{0});
  }
}

// Only while something is held back: an old reader beside nobody who writes costs nothing. False: there is
// more to do than `count_max`.
bool Core::keep_snapshots_in_bounds(TransactionState& gate_holder, std::uint64_t count_max) {
  constexpr std::uint64_t kEachLook = 64;
  const SnapshotOptions& bounds = options_.snapshots;
  if (held_.by_snapshot().empty()) return true;
  if (bounds.overflow == SnapshotOverflow::fail_oldest) {
    fail_snapshots_out_of_bounds(gate_holder);
    return true;
  }
  for (std::uint64_t n = 0; n < count_max && writing_health().ok(); n += kEachLook) {
    Timestamp place{};
    const Timestamp* const snapshot = snapshot_to_spill(place);
    if (snapshot == nullptr) return true;
    Status status;
    for (std::uint64_t i = 0; i < kEachLook && status.ok(); ++i) {
      mvcc::Version* const version = held_.take_spillable(*snapshot);
      if (version == nullptr) break;
      status = spill_version(gate_holder, *snapshot, version);
    }
    if (!status.ok()) fail_writing(status);
  }
  return !writing_health().ok();
}

// ---- reports ----

void Core::describe(TransactionState& state, std::string_view label) {
  const std::lock_guard lock(share_mutex_);
  Description& description = descriptions_[state.index];
  description = {std::string(state.owner.policy->name()), std::string(label), false};
  state.owner.label = description.label;  // which stays where it is
  state.tag |= kIsDescribed;
  state.is_described = true;
}

void Core::forget_description(TransactionState& state) noexcept {
  const std::lock_guard lock(share_mutex_);
  state.owner.label = {};
  descriptions_.erase(state.index);
  state.is_described = false;
}

// It has committed what it wrote. Where there is no memory for it reports do without.
void Core::remember_description(const TransactionState& state) noexcept {
  const std::lock_guard lock(share_mutex_);
  const auto found = descriptions_.find(state.index);
  if (found == descriptions_.end()) return;
  try {
    ended_.resize(kEndedMax);
    ended_[raw(state.own_id()) % kEndedMax] = {state.own_id(), found->second};
  } catch (const std::bad_alloc&) {
  }
}

// What the status table keeps of who commits: the level, if it is a built-in one, and whether there is a
// description.
std::uint8_t Core::tag_of(Isolation level) noexcept {
  static_assert(1 + static_cast<unsigned>(Isolation::serial) < kIsDescribed);
  static_assert(2 * kIsDescribed <= mvcc::StatusTable::kTags);
  return static_cast<std::uint8_t>(1 + static_cast<unsigned>(level));
}

ConflictReport::Party Core::committed_party(TransactionId id, Timestamp commit) {
  ConflictReport::Party party{raw(id), {}, {}, "committed", raw(commit)};
  if (id == kNoTransaction) return party;
  const std::uint8_t tag = statuses_->tag_of(id);
  if ((tag & kIsDescribed) != 0) describe_ended(id, party);
  if (const unsigned level = tag % kIsDescribed; party.level.empty() && level != 0)
    party.level = to_string(static_cast<Isolation>(level - 1));
  return party;
}

void Core::describe_ended(TransactionId id, ConflictReport::Party& party) {
  const std::lock_guard lock(share_mutex_);
  const auto tell = [&party](const Description& description) {
    party.label = description.label;
    party.level = description.level;
  };
  if (!ended_.empty() && ended_[raw(id) % kEndedMax].first == id)
    return tell(ended_[raw(id) % kEndedMax].second);
  // It may be about to be remembered.
  for (const auto& [index, description] : descriptions_) {
    if (slots_.at(index).id.load(std::memory_order_relaxed) == raw(id)) return tell(description);
  }
}

// Who has this number now. Its description goes after the number does, and under the mutex.
ConflictReport::Party Core::active_party(std::uint64_t number) {
  ConflictReport::Party party{number, {}, {}, "active", 0};
  const std::lock_guard lock(share_mutex_);
  for (std::uint32_t i = 0; number != 0 && i < slots_.count(); ++i) {
    const TransactionState& state = slots_.at(i);
    if (state.owner.number.load(std::memory_order_acquire) != number) continue;
    ConflictReport::Party found = party;
    name_slot(state, found.level, found.label);
    return state.owner.number.load(std::memory_order_acquire) == number ? found : party;
  }
  return party;
}

// Under share_mutex_.
void Core::name_slot(const TransactionState& state, std::string& level, std::string& label) const {
  if (const IsolationPolicy* built_in = state.built_in.load(std::memory_order_acquire))
    level = built_in->name();
  if (const auto more = descriptions_.find(state.index); more != descriptions_.end()) {
    level = more->second.level;
    label = more->second.label;
  }
}

TransactionInfo Core::info_of(const TransactionState& state) {
  TransactionInfo info;
  info.id = state.owner.number.load(std::memory_order_relaxed);
  const std::uint64_t now_ms = base::coarse_clock_ms();
  info.age_ms = now_ms - std::min(now_ms, state.start_ms.load(std::memory_order_relaxed));
  name_slot(state, info.level, info.label);
  if (info.level.empty()) info.level = kCursorLevel;
  const std::uint64_t word = state.snapshot.load(std::memory_order_relaxed);
  if (word == 0) return info;
  const Timestamp ts = SnapshotWord::decode(word).ts;
  const std::uint64_t newest = published_ts_.load(std::memory_order_relaxed);
  info.snapshot = raw(ts);
  info.snapshot_age_ms = now_ms - std::min(now_ms, state.snapshot_ms.load(std::memory_order_relaxed));
  if (info.level == kCursorLevel) info.age_ms = info.snapshot_age_ms;
  info.snapshot_age_commits = newest - std::min(newest, raw(ts));
  info.too_old = word == state.expired.load(std::memory_order_relaxed);
  if (const auto held = held_.by_snapshot().find(ts); held != held_.by_snapshot().end() && !info.too_old) {
    info.held_versions = held->second.count;
    info.held_bytes = held->second.bytes;
  }
  if (!info.too_old) {
    info.held_versions += spilled_.totals(ts).count;
    info.held_bytes += spilled_.totals(ts).bytes;
  }
  return info;
}

std::vector<TransactionInfo> Core::active_transactions() {
  std::vector<TransactionInfo> infos;
  if (closed_.load(std::memory_order_acquire)) return infos;
  const std::lock_guard turn(collect_mutex_);
  const std::lock_guard lock(share_mutex_);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    if (is_active(slots_.at(i)) || slots_.at(i).snapshot.load(std::memory_order_relaxed) != 0)
      infos.push_back(info_of(slots_.at(i)));
  }
  std::stable_sort(infos.begin(), infos.end(),
                   [](const TransactionInfo& a, const TransactionInfo& b) { return a.age_ms > b.age_ms; });
  return infos;
}

}  // namespace isolith::txn
