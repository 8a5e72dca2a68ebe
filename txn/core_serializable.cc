// Serializable snapshot isolation: what the tracker of conflicts is told, and when. The argument is in
// locking/README.md.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/mutant.h"
#include "txn/core.h"

namespace isolith::txn {

using base::is_mutant;
using base::Mutant;

namespace {

constexpr std::uint64_t kKeysMax = 65536;  // written by one transaction, and told one by one

std::string_view way_of(locking::Dependency kind) {
  switch (kind) {
    case locking::Dependency::wr:
      return "read what it wrote";
    case locking::Dependency::ww:
      return "wrote over what it wrote";
    case locking::Dependency::rw:
      return "wrote over what it read";
  }
  return "";
}

std::string_view name_of(locking::Dependency kind) {
  switch (kind) {
    case locking::Dependency::wr:
      return "wr";
    case locking::Dependency::ww:
      return "ww";
    case locking::Dependency::rw:
      return "rw";
  }
  return "";
}

std::string text_of(const locking::Circle::Member& member) {
  if (member.is_known && member.number != 0) return locking::name_of(member.number, member.label);
  std::string text = member.is_known ? "one that only read" : "another transaction";
  if (!member.label.empty()) text += " (" + member.label + ")";
  return text;
}

}  // namespace

// ---- beginning ----

// With a snapshot that is safe, if need be a later one.
Status Core::begin_safe(TransactionState& state) {
  if (state.place == nullptr) state.place = &tracker_.make_place();
  for (;;) {
    start_tracking(state);
    bool is_safe = false;
    Status status = wait_until_safe(state, is_safe);
    if (!status.ok()) state.snapshot.store(0, std::memory_order_release);
    stop_tracking(state);
    if (is_safe || !status.ok()) return status;
  }
}

// How the snapshot of one that only reads turns out.
Core::Safety Core::safety_of(const TransactionState& state, std::vector<std::uint64_t>* pending) {
  if (tracker_.has_pending(*state.tracked, pending)) return Safety::open;
  if (tracker_.is_unsuspicious(*state.tracked)) return Safety::safe;
  const std::lock_guard lock(commit_mutex_);
  return tracker_.is_safe(*state.tracked) ? Safety::safe : Safety::unsafe;
}

void Core::look_if_safe(TransactionState& state) {
  const Safety safety = safety_of(state, nullptr);
  state.tracked->look_at = safety == Safety::open ? state.tracked->reads * 2 : locking::kNever;
  if (safety == Safety::safe) stop_tracking(state);
}

Status Core::wait_until_safe(TransactionState& state, bool& is_safe) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until = Clock::now() + std::chrono::milliseconds(state.lock_timeout_ms);
  tracker_.begin_waiting();
  Status status;
  while (status.ok()) {
    const std::uint32_t turn = tracker_.turn().load(std::memory_order_seq_cst);
    std::vector<std::uint64_t> pending;
    const Safety safety = safety_of(state, &pending);
    is_safe = safety == Safety::safe;
    if (safety != Safety::open) break;
    std::uint64_t left_ms = 0;
    if (state.lock_timeout_ms != 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      left_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
    }
    const WaitInfo info{WaitKind::safe_snapshot,         0, pending.front(), {}, {},
                        {pending.data(), pending.size()}};
    if (observer_ != nullptr) tell_wait(state, info);
    if (!hook_.wait(tracker_.turn(), turn, info, left_ms)) status = unsafe_for_long(state, pending);
    if (observer_ != nullptr) tell_wake(state, info);
  }
  tracker_.end_waiting();
  return status;
}

Status Core::unsafe_for_long(const TransactionState& state, const std::vector<std::uint64_t>& pending) {
  std::string names;
  ConflictReport report;
  report.rule = "lock timeout";
  report.parties.push_back(locking::party_of(state.owner, "failed"));
  for (const std::uint64_t number : pending) {
    report.edges.push_back({0, report.parties.size(), "waits", {}, true, {}, false, {}});
    const ConflictReport::Party& party = report.parties.emplace_back(active_party(number));
    names += names.empty() ? ": " : ", ";
    names += number == 0 ? "one that has not written yet" : locking::name_of(number, party.label);
  }
  return Status::conflict(ConflictReason::lock_timeout,
                          "waited " + std::to_string(state.lock_timeout_ms) + " ms for a safe snapshot; " +
                              std::to_string(pending.size()) + " that may write have not ended" + names,
                          std::move(report));
}

// ---- reading ----

// Before it is read.
void Core::track_key(TransactionState& state, const TableInfo& table, std::string_view key) {
  if (state.read_only) count_reads(state, 1);
  if (state.is_tracking()) enter_key(state, table, key);
}

void Core::enter_key(TransactionState& state, const TableInfo& table, std::string_view key) {
  tracker_.enter_key(*state.tracked, mvcc::VersionStore::hash_of(table.id, key), table.locks.tracked());
}

// When one committed that replaced what was read: where it is not known any more it was since the snapshot.
bool Core::is_time_known(TransactionId id, const mvcc::TransactionStatus& status) const noexcept {
  return raw(status.commit_ts) != 0 && !statuses_->is_of_chunk(id);
}

// After the key was entered and read: what it read was replaced.
void Core::note_read(TransactionState& state, const Found& found) {
  if (state.tracked->sets->is_unmarked || found.superseder == state.own_id()) return;
  if (is_mutant(Mutant::newer_version_unnoticed)) return;
  const mvcc::TransactionStatus status = statuses_->find(found.superseder);
  // Rolled back meanwhile: nobody has replaced it, and who does so from now on meets the mark.
  if (status.state == mvcc::TransactionState::aborted) return;
  const bool is_committed = status.state == mvcc::TransactionState::committed;
  if (is_committed && !is_time_known(found.superseder, status)) state.tracked->overwriters_lost = true;
  locking::ConflictTracker::read_under(*state.tracked, found.superseder,
                                       is_committed ? raw(status.commit_ts) : 0);
}

// The table was made or dropped since the snapshot: it comes before who did that.
void Core::note_table(const TransactionState& state, const TableInfo& table) {
  for (const std::uint64_t ts :
       {table.created_ts.load(std::memory_order_relaxed), table.dropped_ts.load(std::memory_order_relaxed)}) {
    if (ts <= raw(state.as_of)) continue;
    state.tracked->sets->reads_all = true;
    locking::ConflictTracker::read_under(*state.tracked, kNoTransaction, ts);
  }
}

// ---- commit ----

// Who it is, for reports.
inline void Core::describe_access(const TransactionState& state, locking::AccessSets& sets) {
  sets.number = state.owner.number.load(std::memory_order_relaxed);
  if (!state.is_tracking() || state.is_described) [[unlikely]]
    name_access(state, sets);
}

// A level of the program's own is described.
void Core::name_access(const TransactionState& state, locking::AccessSets& sets) {
  sets.has_rest = true;
  sets.level = state.owner.policy->name();
  if (!state.is_described) return;
  sets.own_level = sets.level;
  sets.level = sets.own_level;
  const std::lock_guard lock(share_mutex_);
  if (const auto at = descriptions_.find(state.index); at != descriptions_.end())
    sets.label = at->second.label;
}

// What a transaction that wrote has written.
inline void Core::collect_access(const TransactionState& state, locking::AccessSets& sets) {
  describe_access(state, sets);
  const bool is_listed = state.undo->count <= kKeysMax;
  sets.writes_all = !is_listed;
  for (const mvcc::Version* v = state.undo->newest; v != nullptr; v = v->older_in_log) {
    if (v->kind != mvcc::VersionKind::row && v->kind != mvcc::VersionKind::absent) [[unlikely]] {
      sets.writes_all = true;
    } else if (is_listed) {
      sets.add_write(v->hash, tables_.find(v->table)->locks.tracked(), v->table, v->key());
    }
  }
}

// Of one that is tracked, with what it has read.
locking::AccessSets& Core::access_of(TransactionState& state) {
  if (state.place == nullptr) state.place = &tracker_.make_place();
  if (!state.is_tracking()) state.place->sets->clear();
  return *state.place->sets;
}

// Before the commit mutex is taken.
void Core::find_readers(TransactionState& state, locking::MetReaders& readers) {
  if (state.last_read.is_set()) mark_last_read(state);
  locking::AccessSets& sets = access_of(state);
  collect_access(state, sets);
  sets.finish();
  tracker_.find_readers(sets, *state.place, readers);
}

// With the commit mutex.
Status Core::test_serializable(TransactionState& state, Timestamp ts) {
  for (locking::Overwriter& overwriter : state.tracked->overwriters) {
    if (overwriter.commit_ts != 0) continue;
    const mvcc::TransactionStatus status = statuses_->find(overwriter.id);
    if (status.state != mvcc::TransactionState::committed) continue;
    overwriter.commit_ts = raw(status.commit_ts);
    if (!is_time_known(overwriter.id, status)) state.tracked->overwriters_lost = true;
  }
  const std::optional<locking::Circle> circle =
      tracker_.test(*state.tracked, raw(ts), state.own_id() != kNoTransaction);
  return circle ? serialization_conflict(state, *circle) : Status();
}

Status Core::commit_tracked_reader(TransactionState& state) {
  if (state.last_read.is_set()) mark_last_read(state);
  describe_access(state, *state.tracked->sets);
  if (tracker_.try_commit_reader(*state.tracked)) return {};
  Status status;
  {
    const std::lock_guard lock(commit_mutex_);
    const std::uint64_t now = published_ts_.load(std::memory_order_relaxed);
    status = test_serializable(state, Timestamp{now});
    if (status.ok()) tracker_.commit(*state.tracked, kNoTransaction, now);
  }
  end_after(state, status);
  return status;
}

// One that is not tracked is about to be published, and its locks are still held. With the commit mutex, if
// it wrote.
void Core::commit_access(TransactionState& state, Timestamp ts) {
  if (state.undo == nullptr) describe_access(state, access_of(state));
  locking::AccessSets& sets = *state.place->sets;
  sets.commit_ts = sets.snapshot = raw(ts);
  sets.reads_all = state.owner.policy->runs_alone();
  if (state.read_locks == ReadLocks::none && !sets.reads_all) {
    tracker_.commit_unknown(raw(ts));
  } else if (!is_mutant(Mutant::locked_reads_untold)) {
    for (const locking::KeyMark* mark = state.owner.marks; mark != nullptr; mark = mark->next_of_owner) {
      sets.add_read(mvcc::VersionStore::hash_of(mark->table, mark->key));
    }
    for (const locking::HeldRange& range : state.owner.ranges) {
      sets.add_range(range.table->tracked(), range.lo, range.hi);
    }
  }
  tracker_.commit_untracked(*state.place);
}

Status Core::serialization_conflict(const TransactionState& state, const locking::Circle& circle) const {
  ConflictReport report;
  report.rule = circle.rule;
  report.snapshot = raw(state.as_of);
  report.can_retry_now = true;
  std::string text;
  const std::size_t size = circle.members.size();
  for (std::size_t i = 0; i < size; ++i) {
    const locking::Circle::Member& member = circle.members[i];
    const locking::Circle::Member& next = circle.members[(i + 1) % size];
    report.parties.push_back({member.number, member.label, member.level, i == 0 ? "failed" : "committed",
                              i == 0 ? 0 : member.commit_ts});
    if (i >= circle.ways.size()) continue;
    const locking::Circle::Way& way = circle.ways[i];
    ConflictReport::Edge& edge = report.edges.emplace_back();
    edge.from = i;
    edge.to = (i + 1) % size;
    edge.kind = name_of(way.kind);
    const TableInfo* const table = way.is_known ? tables_.find(way.table) : nullptr;
    if (table != nullptr) edge.table = table->name;
    edge.key = way.key;
    if (i > 0) text += ", ";
    text += text_of(member) + " comes before " + text_of(next) + ", which " + std::string(way_of(way.kind));
    if (way.is_known) text += " at " + locking::describe_key(edge.table, edge.key);
  }
  const bool is_whole = circle.ways.size() == size;
  text += is_whole ? ": no serial order has all of them" : " and may come before it, too";
  return Status::conflict(ConflictReason::serialization, text + "; run it again", std::move(report));
}

}  // namespace isolith::txn
