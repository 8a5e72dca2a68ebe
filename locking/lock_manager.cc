#include "locking/lock_manager.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/fence.h"

namespace isolith::locking {
namespace {

constexpr std::uint64_t kTellBytesMax = std::uint64_t{16} << 10;  // of lock memory, before the sum is told
constexpr std::uint64_t kTellShare = 64;                          // or this part of the budget

// A table and whether it is written to, in one word.
std::uint64_t encode(const TableLocks& table, Mode intention) noexcept {
  return reinterpret_cast<std::uint64_t>(&table) | (intention == Mode::intend_write ? 1U : 0U);
}

std::uint64_t table_in(std::uint64_t word) noexcept { return word & ~std::uint64_t{1}; }

// What the owner said `at`-th, to its own thread.
std::uint64_t word_at(const Owner& owner, std::size_t at) {
  return at < Owner::kIntents ? owner.intends[at].load(std::memory_order_relaxed)
                              : owner.more_intends[at - Owner::kIntents];
}

// To be followed by a look at the table: whoever locks that looks at the words after it was locked. 0: takes
// the last one back.
void set_word(Owner& owner, std::size_t at, std::uint64_t word) {
  owner.intents = word == 0 ? at : std::max(owner.intents, at + 1);
  if (at < Owner::kIntents) {
    owner.intends[at].store(word, std::memory_order_seq_cst);
    return;
  }
  {
    const std::lock_guard lock(owner.more_mutex);
    owner.more_intends.resize(owner.intents - Owner::kIntents);
    if (word != 0) owner.more_intends[at - Owner::kIntents] = word;
  }
  owner.intends_more.store(true, std::memory_order_seq_cst);
  base::full_fence();
}

void forget_words(Owner& owner) {
  for (std::size_t i = 0; i < std::min(owner.intents, Owner::kIntents); ++i) {
    owner.intends[i].store(0, std::memory_order_release);
  }
  owner.intents = 0;
  if (!owner.intends_more.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(owner.more_mutex);
  owner.more_intends.clear();
  owner.intends_more.store(false, std::memory_order_release);
}

// Whether the owner uses the table in a way that does not go together with the mode.
bool is_in_the_way(Owner& owner, const TableLocks& table, Mode mode) {
  const auto is_so = [&](std::uint64_t word) {
    const Mode intention = (word & 1) != 0 ? Mode::intend_write : Mode::intend_read;
    return table_in(word) == encode(table, Mode::intend_read) && !are_compatible(intention, mode);
  };
  const bool is_soon = std::any_of(
      owner.intends.begin(), owner.intends.end(),
      [&](const std::atomic<std::uint64_t>& word) { return is_so(word.load(std::memory_order_seq_cst)); });
  if (is_soon || !owner.intends_more.load(std::memory_order_seq_cst)) return is_soon;
  const std::lock_guard lock(owner.more_mutex);
  return std::any_of(owner.more_intends.begin(), owner.more_intends.end(), is_so);
}

}  // namespace

LockManager::LockManager(WaitHook& hook, const LockOptions& options, ForEachOwner for_each_owner)
    : options_(options),
      tell_bytes_(std::min(kTellBytesMax, options.memory_bytes / kTellShare)),
      for_each_owner_(std::move(for_each_owner)),
      graph_(hook, options.victim) {}

// Announced before anything is entered: a writer that sees nothing in use latched its leaf before.
void LockManager::begin_use(Owner& owner) {
  if (owner.is_locking) return;
  owner.is_locking = true;
  in_use_.fetch_add(1, std::memory_order_seq_cst);
  // And what is read from here on is not older than that.
  base::full_fence();
  if (owner.number.load(std::memory_order_relaxed) == 0) {
    owner.number.store(kReaderNumber + readers_.fetch_add(1, std::memory_order_relaxed) + 1,
                       std::memory_order_release);
  }
}

// ---- intentions ----

bool LockManager::try_intend(Owner& owner, TableLocks& table, Mode intention, Request* request) {
  const std::uint64_t word = encode(table, intention);
  std::size_t at = 0;
  while (at < owner.intents && table_in(word_at(owner, at)) != encode(table, Mode::intend_read)) ++at;
  const std::uint64_t before = at < owner.intents ? word_at(owner, at) : 0;
  if (before == word || (before & 1) != 0) return true;
  set_word(owner, at, word);
  if (!table.is_locked() || table.admits(owner, intention, request)) return true;
  set_word(owner, at, before);
  graph_.left_line(owner);
  return false;
}

Status LockManager::intend(Request& request, TableLocks& table, std::uint64_t timeout_ms) {
  begin_use(*request.owner);
  for (;;) {
    request.blockers.clear();
    if (try_intend(*request.owner, table, request.mode, &request)) return {};
    if (Status status = graph_.wait(request, timeout_ms); !status.ok()) return status;
  }
}

// ---- reading ----

bool LockManager::try_read_key(Owner& owner, const KeyPlace& place) {
  begin_use(owner);
  const KeyLocks::Entered entered = keys_.enter(owner, place, false, nullptr);
  if (entered == KeyLocks::Entered::behind_a_write) {
    // A range of its own over the key is as good as a mark: it need not stand in line.
    if (!place.locks.has_ranges() || !place.locks.covers(owner, place.key)) return false;
    (void)keys_.enter(owner, place, true, nullptr);
  }
  account(owner);
  return true;
}

Status LockManager::read_key(Request& request, const KeyPlace& place, std::uint64_t timeout_ms) {
  Owner& owner = *request.owner;
  begin_use(owner);
  Status status;
  while (keys_.enter(owner, place, request.may_pass, &request) == KeyLocks::Entered::behind_a_write) {
    if (!request.is_queued && !request.never_waits) keys_.stand_in_line(request, place);
    request.blockers.clear();
    keys_.find_blockers(request, place);
    status = graph_.wait(request, timeout_ms);
    if (!status.ok()) break;
  }
  if (request.is_queued) {
    keys_.leave_line(request);
    graph_.left_line(owner);
  }
  account(owner);
  return status;
}

void LockManager::take_back_key(Owner& owner, const KeyPlace& place) {
  keys_.take_back(owner, place);
  // Who saw it and waits looks again when this transaction ends, or at once.
  graph_.left_line(owner);
}

bool LockManager::try_read_range(Owner& owner, TableLocks& table, std::string_view lo,
                                 const std::optional<std::string>& hi) {
  begin_use(owner);
  const bool entered = table.enter_range(owner, lo, hi, false, nullptr);
  account(owner);
  return entered;
}

Status LockManager::read_range(Request& request, TableLocks& table, const std::optional<std::string>& hi,
                               std::uint64_t timeout_ms) {
  for (;;) {
    request.blockers.clear();
    if (table.enter_range(*request.owner, request.key, hi, request.may_pass, &request)) break;
    if (Status status = graph_.wait(request, timeout_ms); !status.ok()) return status;
    // All who came first have ended: who came since stands behind.
    if (!request.looks_again) request.may_pass = true;
  }
  account(*request.owner);
  return {};
}

Status LockManager::wait_for(Request& request, const Blocker& writer, std::uint64_t timeout_ms) {
  begin_use(*request.owner);
  request.blockers.clear();
  request.add_blocker(writer);
  return graph_.wait(request, timeout_ms);
}

// ---- writing ----

bool LockManager::may_write(const Owner& owner, const KeyPlace& place, const Request* request,
                            std::uint64_t newest) {
  const bool passes = request != nullptr ? request->may_pass || request->is_holder
                                         : place.locks.has_ranges() && place.locks.covers(owner, place.key);
  // Keys first: `escalate` enters the range before it takes out the marks that are part of it.
  return keys_.may_write(owner, place, passes, request, newest) &&
         (!place.locks.has_ranges() || place.locks.may_write(owner, place.key));
}

Status LockManager::wait_to_write(Request& request, const KeyPlace& place,
                                  const std::optional<Blocker>& writer, std::uint64_t timeout_ms) {
  if (!request.is_queued) {
    begin_use(*request.owner);
    request.hash = place.hash;
    request.is_holder =
        keys_.has_mark(*request.owner, place) || place.locks.covers(*request.owner, place.key);
    if (!request.never_waits) {
      keys_.stand_in_line(request, place);
      place.locks.note_waiting(request);
    }
  }
  request.blockers.clear();
  if (writer) request.add_blocker(*writer);
  keys_.find_blockers(request, place);
  place.locks.find_blockers(request);
  return request.blockers.empty() ? Status() : graph_.wait(request, timeout_ms);
}

void LockManager::leave_line(Request& request, const KeyPlace& place, bool is_written) {
  if (!request.is_queued) return;
  place.locks.forget_waiting(request);
  keys_.leave_line(request);
  if (is_written) {
    graph_.got_lock(request);
  } else {
    graph_.left_line(*request.owner);
  }
}

// ---- the whole ----

// Whoever uses the table in a way that does not go together with the mode. The epoch is read first: a user
// that ends meanwhile is dropped when the wait begins.
bool LockManager::find_users(Request& request, const TableLocks& table) {
  const Hold hold = &table == &database_ ? Hold::writes : Hold::uses_table;
  for_each_owner_([&](Owner& owner) {
    if (&owner == request.owner) return;
    const Blocker user = Blocker::of(owner, hold);
    if (is_in_the_way(owner, table, request.mode)) request.add_blocker(user);
  });
  return !request.blockers.empty();
}

Status LockManager::lock_whole(Request& request, TableLocks& table, std::uint64_t timeout_ms) {
  begin_use(*request.owner);
  const std::optional<Mode> before = table.mode_of(*request.owner);
  for (;;) {
    request.blockers.clear();
    if (table.enter_whole(request)) {
      // Granted first and then looked, so that one of the two sees the other: who begins to use the table, or
      // this one.
      if (!table.grant(*request.owner)) continue;
      if (!find_users(request, table)) return {};
      table.take_back_grant(*request.owner, before);
      graph_.took_back_whole(*request.owner);
    }
    Status status = graph_.wait(request, timeout_ms);
    if (status.ok()) continue;
    if (request.is_queued) table.leave_whole(request);
    if (status.is(StatusCode::busy)) table.restore_whole(*request.owner, before);
    graph_.left_line(*request.owner);
    return status;
  }
}

// ---- the end ----

void LockManager::give_up_reads(Owner& owner) {
  keys_.release(owner);
  for (const HeldRange& range : owner.ranges) range.table->release_range(owner, range.lo, range.hi);
  owner.ranges.clear();
}

void LockManager::end(Owner& owner) {
  if (owner.is_locking) {
    give_up_reads(owner);
    for (TableLocks* table : owner.tables) table->release_whole(owner);
    owner.tables.clear();
    bytes_.fetch_sub(owner.bytes_told, std::memory_order_relaxed);
    owner.bytes = owner.bytes_told = 0;
    owner.is_locking = false;
    in_use_.fetch_sub(1, std::memory_order_seq_cst);
  }
  forget_words(owner);
  graph_.ended(owner);
  owner.number.store(0, std::memory_order_release);
}

// ---- reports ----

std::vector<LockManager::Listed> LockManager::list(const std::vector<TableLocks*>& tables) {
  std::vector<Listed> listed;
  const auto number_of = [](const Owner& owner) { return owner.number.load(std::memory_order_relaxed); };
  keys_.visit_marks([&](const KeyMark& mark) {
    Listed& one = listed.emplace_back();
    one.transaction = number_of(*mark.owner);
    one.table = mark.locks;
    one.key = mark.key;
  });
  for (TableLocks* table : tables) {
    table->visit_ranges([&](const Owner& owner, const std::string& lo, const std::optional<std::string>& hi) {
      Listed& one = listed.emplace_back();
      one.transaction = number_of(owner);
      one.table = table;
      one.key = lo;
      one.is_range = true;
      one.hi = hi;
    });
    table->visit_whole([&](const Owner& owner, Mode mode) {
      Listed& one = listed.emplace_back();
      one.transaction = number_of(owner);
      one.table = table == &database_ ? nullptr : table;
      one.is_whole = true;
      one.mode = mode;
    });
  }
  graph_.visit_waiting([&](const Request& request) {
    Listed& one = listed.emplace_back();
    one.transaction = number_of(*request.owner);
    one.mode = request.mode;
    one.table = request.table_locks;
    one.is_whole = request.kind == WaitKind::table_lock;
    one.key = request.key;
    one.is_range = request.is_range;
    if (request.hi) one.hi = std::string(*request.hi);
    one.is_waiting = true;
    for (const Blocker& blocker : request.blockers) one.waits_for.push_back(number_of(*blocker.owner));
  });
  return listed;
}

// ---- memory ----

void LockManager::account(Owner& owner) {
  if (owner.bytes <= owner.bytes_told + tell_bytes_) return;
  const std::uint64_t told = bytes_.fetch_add(owner.bytes - owner.bytes_told, std::memory_order_relaxed);
  const std::uint64_t sum = told + owner.bytes - owner.bytes_told;
  owner.bytes_told = owner.bytes;
  if (sum > options_.memory_bytes) escalate(owner);
}

// What the owner has read of a table becomes one range, from the first to the last of it.
void LockManager::escalate(Owner& owner) {
  struct Hull {
    std::string lo;
    std::optional<std::string> hi;
  };
  std::map<TableLocks*, Hull> hulls;
  const auto widen = [&hulls](TableLocks& table, const std::string& lo,
                              const std::optional<std::string>& hi) {
    const auto [at, is_new] = hulls.try_emplace(&table, Hull{lo, hi});
    if (is_new) return;
    at->second.lo = std::min(at->second.lo, lo);
    if (at->second.hi && (!hi || *hi > *at->second.hi)) at->second.hi = hi;
  };
  for (const KeyMark* mark = owner.marks; mark != nullptr; mark = mark->next_of_owner) {
    widen(*mark->locks, mark->key, mark->key + '\0');
  }
  for (const HeldRange& range : owner.ranges) widen(*range.table, range.lo, range.hi);
  // The hull is entered before what it replaces goes. Nothing of it is read now, so nobody is waited for.
  const std::vector<HeldRange> replaced = std::exchange(owner.ranges, {});
  for (const auto& [table, hull] : hulls) (void)table->enter_range(owner, hull.lo, hull.hi, true, nullptr);
  for (const HeldRange& range : replaced) range.table->forget_range();
  keys_.release(owner);
  owner.bytes = 0;
  for (const HeldRange& range : owner.ranges) {
    owner.bytes += sizeof(HeldRange) + range.lo.size() + (range.hi ? range.hi->size() : 0);
  }
  bytes_.fetch_sub(owner.bytes_told - owner.bytes, std::memory_order_relaxed);
  owner.bytes_told = owner.bytes;
  escalations_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace isolith::locking
