#include "locking/key_locks.h"

#include <functional>
#include <utility>

#include "base/mutant.h"
#include "locking/table_locks.h"

namespace isolith::locking {

std::uint64_t hash_of(TableId table, std::string_view key) noexcept {
  // The multiplier is that of Fibonacci hashing (Knuth, vol. 3, 6.4): neighbours of a key and tables spread.
  return (std::hash<std::string_view>()(key) ^ raw(table)) * 0x9E3779B97F4A7C15 >> 20;
}

KeyLocks::KeyLocks() : buckets_(std::make_unique<Bucket[]>(kBuckets)) {}

KeyLocks::~KeyLocks() {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    for (KeyMark* mark = buckets_[i].marks; mark != nullptr;)
      delete std::exchange(mark, mark->next_in_bucket);
  }
}

bool KeyLocks::is_for(const Request& request, const KeyPlace& place) noexcept {
  return request.hash == place.hash && request.table_locks == &place.locks && request.key == place.key;
}

bool KeyLocks::is_at(const KeyMark& mark, const KeyPlace& place) noexcept {
  return mark.hash == place.hash && mark.locks == &place.locks && mark.key == place.key;
}

bool KeyLocks::has_mark_in(const Bucket& bucket, const Owner& owner, const KeyPlace& place) noexcept {
  for (const KeyMark* mark = bucket.marks; mark != nullptr; mark = mark->next_in_bucket) {
    if (mark->owner == &owner && is_at(*mark, place)) return true;
  }
  return false;
}

// Whether somebody in line goes before: a write, or, for a write, anybody; up to the request itself, or the
// line's end where it does not stand there yet.
bool KeyLocks::is_blocked_in_line(const Bucket& bucket, const Owner& owner, const KeyPlace& place,
                                  bool passes, const Request* request, Mode mode, std::uint64_t newest) {
  if (passes) return false;
  for (const Request* other = bucket.line; other != nullptr && other != request;
       other = other->next_in_queue) {
    if (other->owner != &owner && is_for(*other, place) && other->fails_above >= newest &&
        (mode == Mode::write || other->mode == Mode::write)) {
      return true;
    }
  }
  return false;
}

KeyMark& KeyLocks::make_mark(Owner& owner, const KeyPlace& place) {
  KeyMark* mark = owner.spare_marks;
  if (mark != nullptr) {
    owner.spare_marks = mark->next_of_owner;
    --owner.spare_marks_count;
  } else {
    mark = new KeyMark;
  }
  mark->owner = &owner;
  mark->locks = &place.locks;
  mark->table = place.table;
  mark->hash = place.hash;
  mark->key = place.key;
  mark->next_of_owner = owner.marks;
  owner.marks = mark;
  owner.bytes += sizeof(KeyMark) + mark->key.size();
  return *mark;
}

KeyLocks::Entered KeyLocks::enter(Owner& owner, const KeyPlace& place, bool may_pass, Request* request) {
  Bucket& bucket = bucket_of(place.hash);
  const std::lock_guard lock(bucket.mutex);
  if (has_mark_in(bucket, owner, place)) return Entered::already;
  if (bucket.line != nullptr && is_blocked_in_line(bucket, owner, place, may_pass, request, Mode::read, 0)) {
    return Entered::behind_a_write;
  }
  KeyMark& mark = make_mark(owner, place);
  mark.next_in_bucket = bucket.marks;
  bucket.marks = &mark;
  if (request != nullptr && request->is_queued) unlink(bucket, *request);
  return Entered::now;
}

bool KeyLocks::has_mark(const Owner& owner, const KeyPlace& place) {
  Bucket& bucket = bucket_of(place.hash);
  const std::lock_guard lock(bucket.mutex);
  return has_mark_in(bucket, owner, place);
}

bool KeyLocks::may_write(const Owner& owner, const KeyPlace& place, bool may_pass, const Request* request,
                         std::uint64_t newest) {
  Bucket& bucket = bucket_of(place.hash);
  const std::lock_guard lock(bucket.mutex);
  bool is_holder = false;
  for (const KeyMark* mark = bucket.marks; mark != nullptr; mark = mark->next_in_bucket) {
    if (!is_at(*mark, place)) continue;
    if (mark->owner != &owner) {
      if (base::is_mutant(base::Mutant::upgrade_jumps_queue) && may_pass) continue;
      return false;
    }
    is_holder = true;
  }
  return bucket.line == nullptr ||
         !is_blocked_in_line(bucket, owner, place, may_pass || is_holder, request, Mode::write, newest);
}

// ---- the line ----

void KeyLocks::stand_in_line(Request& request, const KeyPlace& place) {
  Bucket& bucket = bucket_of(place.hash);
  const std::lock_guard lock(bucket.mutex);
  Request** at = &bucket.line;
  while (*at != nullptr && !(request.is_holder && !(*at)->is_holder && is_for(**at, place))) {
    at = &(*at)->next_in_queue;
  }
  request.next_in_queue = *at;
  request.is_queued = true;
  *at = &request;
}

void KeyLocks::unlink(Bucket& bucket, Request& request) {
  Request** at = &bucket.line;
  while (*at != &request) at = &(*at)->next_in_queue;
  *at = request.next_in_queue;
  request.next_in_queue = nullptr;
  request.is_queued = false;
}

void KeyLocks::leave_line(Request& request) {
  Bucket& bucket = bucket_of(request.hash);
  const std::lock_guard lock(bucket.mutex);
  unlink(bucket, request);
}

// Of those in line the ones up to the nearest write are enough: who is before that one blocks it, too.
void KeyLocks::find_blockers(Request& request, const KeyPlace& place) {
  Bucket& bucket = bucket_of(place.hash);
  const std::lock_guard lock(bucket.mutex);
  if (request.mode == Mode::write) {
    for (const KeyMark* mark = bucket.marks; mark != nullptr; mark = mark->next_in_bucket) {
      if (mark->owner == request.owner || !is_at(*mark, place)) continue;
      request.add_blocker(Blocker::of(*mark->owner, Hold::read_key));
    }
  }
  if (request.may_pass || request.is_holder) return;
  const std::size_t first = request.blockers.size();
  for (const Request* other = bucket.line; other != nullptr && other != &request;
       other = other->next_in_queue) {
    if (other->owner == request.owner || !is_for(*other, place)) continue;
    if (other->mode != Mode::write && request.mode != Mode::write) continue;
    if (other->mode == Mode::write) request.blockers.resize(first);
    request.add_blocker(Blocker::of(*other->owner, Hold::came_first));
  }
}

// ---- the end ----

void KeyLocks::take_out(KeyMark& mark) {
  Bucket& bucket = bucket_of(mark.hash);
  const std::lock_guard lock(bucket.mutex);
  KeyMark** at = &bucket.marks;
  while (*at != &mark) at = &(*at)->next_in_bucket;
  *at = mark.next_in_bucket;
}

// The newest of the owner's, to be used again.
void KeyLocks::release_newest(Owner& owner) {
  KeyMark* const mark = owner.marks;
  take_out(*mark);
  owner.marks = mark->next_of_owner;
  owner.bytes -= sizeof(KeyMark) + mark->key.size();
  if (owner.spare_marks_count < kSpareMarksMax) {
    ++owner.spare_marks_count;
    mark->next_of_owner = owner.spare_marks;
    owner.spare_marks = mark;
  } else {
    delete mark;
  }
}

void KeyLocks::release(Owner& owner) {
  while (owner.marks != nullptr) release_newest(owner);
}

void KeyLocks::take_back(Owner& owner, const KeyPlace& place) {
  if (owner.marks != nullptr && is_at(*owner.marks, place)) release_newest(owner);
}

void KeyLocks::free_spare(Owner& owner) noexcept {
  while (owner.spare_marks != nullptr)
    delete std::exchange(owner.spare_marks, owner.spare_marks->next_of_owner);
}

}  // namespace isolith::locking
