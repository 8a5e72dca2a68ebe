#include "locking/table_locks.h"

#include <algorithm>
#include <utility>

#include "base/fence.h"
#include "base/mutant.h"

namespace isolith::locking {
namespace {

// `[lo, hi)` put together with what the owner has, where they touch; otherwise a range of its own.
void hold_range(Owner& owner, TableLocks& table, std::string_view lo, const std::optional<std::string>& hi) {
  if (!owner.ranges.empty()) {
    // A cursor goes on from where it was.
    HeldRange& last = owner.ranges.back();
    if (last.table == &table && last.hi && *last.hi == lo) {
      last.hi = hi;
      return;
    }
    if (last.table == &table && hi && *hi == last.lo) {
      last.lo = lo;
      return;
    }
  }
  owner.ranges.push_back({&table, std::string(lo), hi});
  owner.bytes += sizeof(HeldRange) + lo.size() + (hi ? hi->size() : 0);
}

}  // namespace

// ---- ranges ----

bool TableLocks::enter_range(Owner& owner, std::string_view lo, const std::optional<std::string>& hi,
                             bool may_pass, Request* blocked) {
  const std::lock_guard lock(mutex_);
  if (!may_pass && !waiting_writes_.empty()) {
    const auto end = hi ? waiting_writes_.lower_bound(*hi) : waiting_writes_.end();
    bool is_blocked = false;
    for (auto waiting = waiting_writes_.lower_bound(lo); waiting != end; ++waiting) {
      Request& write = *waiting->second;
      if (write.owner == &owner) continue;
      const RangeSet<Owner>::Readers& readers = ranges_.readers_at(write.key);
      if (std::find(readers.begin(), readers.end(), &owner) != readers.end()) continue;
      is_blocked = true;
      if (blocked != nullptr) blocked->add_blocker(Blocker::of(*write.owner, Hold::came_first));
    }
    if (is_blocked) return false;
  }
  const std::size_t before = owner.ranges.size();
  hold_range(owner, *this, lo, hi);  // first: what is in the set is given up by what is held
  if (owner.ranges.size() != before) {
    ranges_held_.fetch_add(1, std::memory_order_seq_cst);
    base::full_fence();  // as in `LockManager::begin_use`
  }
  ranges_.add(owner, lo, hi);
  return true;
}

bool TableLocks::may_write(const Owner& owner, std::string_view key) {
  if (base::is_mutant(base::Mutant::range_ignored_by_writers)) return true;
  const std::lock_guard lock(mutex_);
  const RangeSet<Owner>::Readers& readers = ranges_.readers_at(key);
  return std::all_of(readers.begin(), readers.end(),
                     [&owner](const Owner* other) { return other == &owner; });
}

bool TableLocks::covers(const Owner& owner, std::string_view key) {
  const std::lock_guard lock(mutex_);
  const RangeSet<Owner>::Readers& readers = ranges_.readers_at(key);
  return std::find(readers.begin(), readers.end(), &owner) != readers.end();
}

void TableLocks::find_blockers(Request& request) {
  const std::lock_guard lock(mutex_);
  for (Owner* other : ranges_.readers_at(request.key)) {
    if (other != request.owner) request.add_blocker(Blocker::of(*other, Hold::read_range));
  }
}

void TableLocks::note_waiting(Request& request) {
  const std::lock_guard lock(mutex_);
  waiting_writes_.emplace(request.key, &request);
}

void TableLocks::forget_waiting(Request& request) {
  const std::lock_guard lock(mutex_);
  for (auto [at, end] = waiting_writes_.equal_range(request.key); at != end; ++at) {
    if (at->second != &request) continue;
    waiting_writes_.erase(at);
    return;
  }
}

// ---- the table as a whole ----

Hold TableLocks::hold_of(const Whole& whole, const Request& blocked, Mode wanted) {
  if (!whole.granted || are_compatible(*whole.granted, wanted)) return Hold::came_first;
  return blocked.table_locks == nullptr ? Hold::locked_database : Hold::locked_table;
}

void TableLocks::find_whole_blockers(Request& request) const {
  for (const Whole& whole : holders_) {
    if (whole.owner == request.owner || are_compatible(whole.mode, request.mode)) continue;
    const Hold hold = hold_of(whole, request, request.mode);
    if (hold == Hold::came_first && request.may_pass) continue;
    request.add_blocker(Blocker::of(*whole.owner, hold));
  }
  if (request.may_pass || request.is_holder) return;
  for (const Request* other = line_; other != nullptr && other != &request; other = other->next_in_queue) {
    if (other->owner == request.owner || are_compatible(other->mode, request.mode)) continue;
    request.add_blocker(Blocker::of(*other->owner, Hold::came_first));
  }
}

bool TableLocks::enter_whole(Request& request) {
  const std::lock_guard lock(mutex_);
  const auto own = std::find_if(holders_.begin(), holders_.end(),
                                [&](const Whole& whole) { return whole.owner == request.owner; });
  request.is_holder = own != holders_.end();
  if (request.is_holder) request.mode = both(own->mode, request.mode);
  const std::size_t before = request.blockers.size();
  find_whole_blockers(request);
  if (request.blockers.size() != before) {
    if (request.is_queued) return false;
    Request** at = &line_;
    while (*at != nullptr && !(request.is_holder && !(*at)->is_holder)) at = &(*at)->next_in_queue;
    request.next_in_queue = *at;
    request.is_queued = true;
    *at = &request;
    whole_.fetch_add(1, std::memory_order_seq_cst);
    return false;
  }
  if (request.is_holder) {
    own->mode = request.mode;
  } else {
    holders_.push_back({request.owner, request.mode, std::nullopt});
    request.owner->tables.push_back(this);
    whole_.fetch_add(1, std::memory_order_seq_cst);
  }
  if (request.is_queued) unlink(request);
  return true;
}

bool TableLocks::grant(const Owner& owner) {
  const std::lock_guard lock(mutex_);
  Whole* own = nullptr;
  for (Whole& whole : holders_) {
    if (whole.owner == &owner) own = &whole;
  }
  for (const Whole& other : holders_) {
    if (&other != own && other.granted && !are_compatible(*other.granted, own->mode)) return false;
  }
  own->granted = own->mode;
  return true;
}

void TableLocks::take_back_grant(const Owner& owner, std::optional<Mode> before) {
  const std::lock_guard lock(mutex_);
  for (Whole& whole : holders_) {
    if (whole.owner == &owner) whole.granted = before;
  }
}

void TableLocks::unlink(Request& request) {
  Request** at = &line_;
  while (*at != &request) at = &(*at)->next_in_queue;
  *at = request.next_in_queue;
  request.next_in_queue = nullptr;
  request.is_queued = false;
  whole_.fetch_sub(1, std::memory_order_seq_cst);
}

bool TableLocks::admits(const Owner& owner, Mode intention, Request* blocked) {
  const std::lock_guard lock(mutex_);
  bool admitted = true;
  // Who holds it already goes before those in line.
  const bool passes = (blocked != nullptr && blocked->may_pass) ||
                      std::any_of(holders_.begin(), holders_.end(), [&owner](const Whole& whole) {
                        return whole.owner == &owner && whole.granted;
                      });
  for (const Whole& whole : holders_) {
    if (whole.owner == &owner || are_compatible(whole.mode, intention)) continue;
    const bool is_held = whole.granted && !are_compatible(*whole.granted, intention);
    if (!is_held && passes) continue;
    admitted = false;
    if (blocked != nullptr)
      blocked->add_blocker(Blocker::of(*whole.owner, hold_of(whole, *blocked, intention)));
  }
  if (passes) return admitted;
  for (const Request* other = line_; other != nullptr; other = other->next_in_queue) {
    if (other->owner == &owner || are_compatible(other->mode, intention)) continue;
    admitted = false;
    if (blocked != nullptr) blocked->add_blocker(Blocker::of(*other->owner, Hold::came_first));
  }
  return admitted;
}

void TableLocks::leave_whole(Request& request) {
  const std::lock_guard lock(mutex_);
  unlink(request);
}

// ---- the end ----

void TableLocks::release_whole(Owner& owner) {
  const std::lock_guard lock(mutex_);
  const auto left = std::erase_if(holders_, [&owner](const Whole& whole) { return whole.owner == &owner; });
  whole_.fetch_sub(static_cast<std::uint32_t>(left), std::memory_order_seq_cst);
}

std::optional<Mode> TableLocks::mode_of(const Owner& owner) {
  const std::lock_guard lock(mutex_);
  for (const Whole& whole : holders_) {
    if (whole.owner == &owner) return whole.granted;
  }
  return std::nullopt;
}

void TableLocks::restore_whole(Owner& owner, std::optional<Mode> before) {
  if (!before) {
    release_whole(owner);
    std::erase(owner.tables, this);
    return;
  }
  const std::lock_guard lock(mutex_);
  for (Whole& whole : holders_) {
    if (whole.owner == &owner) whole.mode = *(whole.granted = before);
  }
}

void TableLocks::release_range(Owner& owner, std::string_view lo, const std::optional<std::string>& hi) {
  const std::lock_guard lock(mutex_);
  ranges_.remove(owner, lo, hi);
  ranges_held_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace isolith::locking
