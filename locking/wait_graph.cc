#include "locking/wait_graph.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace isolith::locking {
namespace {

constexpr int kTriesMax = 250;  // some tens of microseconds
constexpr int kPausesEach = 8;
constexpr std::size_t kFewToWake = 16;
constexpr std::size_t kMembersKept = 8;  // of a report

std::string_view way_of(Hold hold) {
  switch (hold) {
    case Hold::wrote_key:
      return "wrote it";
    case Hold::read_key:
      return "read it with a lock";
    case Hold::read_range:
      return "read a range with it";
    case Hold::locked_table:
      return "locked the table";
    case Hold::uses_table:
      return "uses the table";
    case Hold::locked_database:
      return "runs alone among writers";
    case Hold::writes:
      return "writes";
    case Hold::came_first:
      return "came first";
  }
  return "";
}

// Whether the blocker may get out of the way before it ends without a word to the graph.
bool is_soft(Hold hold) {
  return hold == Hold::came_first || hold == Hold::uses_table || hold == Hold::writes;
}

// Whether `left_line` may be about it: also what was entered and taken back when something else failed.
bool may_be_let_go(Hold hold) { return hold != Hold::wrote_key && hold != Hold::read_range; }

// Of those that began between the same two commits those that only read are the younger; otherwise the one
// that wrote, or locked, first is the older. Numbers are in that order.
bool is_younger(const Request& a, const Request& b) {
  if (a.started != b.started) return a.started > b.started;
  return a.owner->number.load(std::memory_order_relaxed) > b.owner->number.load(std::memory_order_relaxed);
}

// Bytes that do not print as \xHH; at most 64 bytes.
std::string printable(std::string_view key) {
  std::string out;
  for (const char c : key.substr(0, 64)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += hex;
    }
  }
  if (key.size() > 64) out += "...";
  return out;
}

// Which of several circles is found first shall not depend on which slots are in use; and nobody passes those
// who came first for a circle that somebody has to fail for anyway. By numbers as they are now: an owner may
// end meanwhile, and sorting needs keys that stay.
void sort_blockers(Request& request) {
  struct Keyed {
    bool is_in_line;
    std::uint64_t number;
    Blocker blocker;
  };
  boost::container::small_vector<Keyed, 4> keyed;
  for (const Blocker& blocker : request.blockers) {
    keyed.push_back(
        {blocker.hold == Hold::came_first, blocker.owner->number.load(std::memory_order_relaxed), blocker});
  }
  std::sort(keyed.begin(), keyed.end(), [](const Keyed& a, const Keyed& b) {
    return a.is_in_line != b.is_in_line ? b.is_in_line : a.number < b.number;
  });
  for (std::size_t i = 0; i < keyed.size(); ++i) request.blockers[i] = keyed[i].blocker;
}

}  // namespace

// The mutex is held for microseconds. Who meets it held tries again before it sleeps: once woken a sleeper
// waits for a processor behind all that are ready to run, and until then its circle is not found.
std::unique_lock<std::mutex> WaitGraph::hold() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  for (int tries = 0; !lock.owns_lock() && tries < kTriesMax; ++tries) {
    for (int i = 0; i < kPausesEach; ++i) __builtin_ia32_pause();
    (void)lock.try_lock();
  }
  if (!lock.owns_lock()) lock.lock();
  return lock;
}

// ---- edges ----

void Request::add_blocker(const Blocker& blocker) { blockers.push_back(blocker); }

// Whether a blocker is left: those that have ended already are not.
bool WaitGraph::register_blockers(Request& request) {
  for (std::size_t i = 0; i < request.blockers.size();) {
    const Blocker& blocker = request.blockers[i];
    blocker.owner->waiters.fetch_add(1, std::memory_order_seq_cst);
    const bool let_go = may_be_let_go(blocker.hold) &&
                        blocker.owner->let_go.load(std::memory_order_seq_cst) != blocker.let_go;
    if (!let_go && blocker.owner->epoch.load(std::memory_order_seq_cst) == blocker.epoch) {
      ++i;
    } else {
      drop_blocker(request, i);
    }
  }
  return !request.blockers.empty();
}

void WaitGraph::drop_blocker(Request& request, std::size_t at) {
  // Whoever finds nobody waiting, and ends without the mutex, does so after what was read of him (owner.h).
  request.blockers[at].owner->waiters.fetch_sub(1, std::memory_order_release);
  request.blockers.erase(request.blockers.begin() + static_cast<std::ptrdiff_t>(at));
}

void WaitGraph::withdraw(Request& request) {
  while (!request.blockers.empty()) drop_blocker(request, request.blockers.size() - 1);
  std::erase(waiting_, &request);
  request.owner->request = nullptr;
}

// ---- waking: the word is raised under the mutex, the sleeper is called without it ----

void WaitGraph::wake(Request& request) {
  request.owner->word.fetch_add(1, std::memory_order_release);
  to_wake_.push_back(&request.owner->word);
}

// Lets the mutex go where there is somebody to wake.
void WaitGraph::wake_all(std::unique_lock<std::mutex>& lock) {
  std::array<std::atomic<std::uint32_t>*, kFewToWake> few{};
  std::vector<std::atomic<std::uint32_t>*> many;
  const std::size_t count = to_wake_.size();
  if (count == 0) return;
  if (count <= few.size()) {
    std::copy(to_wake_.begin(), to_wake_.end(), few.begin());
    to_wake_.clear();
    lock.unlock();
    for (std::size_t i = 0; i < count; ++i) hook_.wake_all(*few[i]);
    return;
  }
  many.swap(to_wake_);
  lock.unlock();
  for (const std::atomic<std::uint32_t>* word : many) hook_.wake_all(*word);
  many.clear();
  lock = hold();
  if (to_wake_.empty()) to_wake_.swap(many);  // the room is for those who wait now
}

void WaitGraph::ended(Owner& owner) {
  owner.epoch.fetch_add(1, std::memory_order_seq_cst);
  if (owner.waiters.load(std::memory_order_seq_cst) == 0) return;
  std::unique_lock lock = hold();
  for (Request* request : waiting_) {
    bool was_blocked = false;
    for (std::size_t i = request->blockers.size(); i-- > 0;) {
      if (request->blockers[i].owner != &owner) continue;
      drop_blocker(*request, i);
      was_blocked = true;
    }
    if (base::is_mutant(base::Mutant::wake_up_lost)) continue;
    if (was_blocked && request->blockers.empty()) wake(*request);
  }
  wake_all(lock);
}

void WaitGraph::left_line(Owner& owner) { let_go(owner, may_be_let_go); }

void WaitGraph::took_back_whole(Owner& owner) {
  let_go(owner, [](Hold hold) { return hold == Hold::locked_table || hold == Hold::locked_database; });
}

void WaitGraph::let_go(Owner& owner, bool (*is_about)(Hold)) {
  owner.let_go.fetch_add(1, std::memory_order_seq_cst);
  if (owner.waiters.load(std::memory_order_seq_cst) == 0) return;
  std::unique_lock lock = hold();
  for (Request* request : waiting_) {
    const bool is_behind =
        std::any_of(request->blockers.begin(), request->blockers.end(),
                    [&](const Blocker& one) { return one.owner == &owner && is_about(one.hold); });
    if (!is_behind) continue;
    request->looks_again = true;
    wake(*request);
  }
  wake_all(lock);
}

void WaitGraph::got_lock(const Request& got) {
  if (got.owner->waiters.load(std::memory_order_seq_cst) == 0) return;
  const std::unique_lock lock = hold();
  for (Request* request : waiting_) {
    if (request->table_locks != got.table_locks || request->key != got.key || request->is_range) continue;
    for (Blocker& blocker : request->blockers) {
      if (blocker.owner == got.owner && blocker.hold == Hold::came_first) blocker.hold = Hold::wrote_key;
    }
  }
}

// ---- the wait ----

Status WaitGraph::wait(Request& request, std::uint64_t timeout_ms) {
  request.began = std::chrono::steady_clock::now();
  if (!request.deadline) request.deadline = request.began + std::chrono::milliseconds(timeout_ms);
  sort_blockers(request);
  std::unique_lock lock = hold();
  request.looks_again = false;
  if (!register_blockers(request)) return {};
  // Also where there is no memory: nobody is left that does not wait.
  struct Withdraws {
    WaitGraph& graph;
    Request& request;
    std::unique_lock<std::mutex>& lock;
    ~Withdraws() {
      if (request.blockers.empty() && request.owner->request != &request) return;
      if (!lock.owns_lock()) lock = graph.hold();
      graph.withdraw(request);
    }
  } const withdraws{*this, request, lock};
  if (request.never_waits) {
    Status busy = passes_its_own_line(request) ? Status() : Status(StatusCode::busy, in_the_way(request));
    while (!request.blockers.empty()) drop_blocker(request, request.blockers.size() - 1);
    return busy;
  }
  Owner& owner = *request.owner;
  DCHECK(owner.request == nullptr, "a transaction waits for one thing at a time");
  owner.request = &request;
  waiting_.push_back(&request);
  to_wake_.reserve(waiting_.size());  // not while they are woken: an end does not fail
  waits_.fetch_add(1, std::memory_order_relaxed);
  break_circles(request);
  wake_all(lock);
  if (!lock.owns_lock()) lock = hold();
  Status status;
  while (status.ok() && !request.blockers.empty() && !request.looks_again && !request.victim_of) {
    std::uint64_t left_ms = 0;
    if (timeout_ms > 0) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*request.deadline - std::chrono::steady_clock::now());
      left_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
    }
    bool in_time = timeout_ms == 0 || left_ms > 0;
    if (in_time) {
      const std::uint32_t word = owner.word.load(std::memory_order_relaxed);
      boost::container::small_vector<std::uint64_t, 16> holders;
      for (const Blocker& blocker : request.blockers)
        holders.push_back(blocker.owner->number.load(std::memory_order_relaxed));
      const WaitInfo info{request.kind,    owner.number.load(std::memory_order_relaxed),
                          holders.front(), request.table,
                          request.key,     {holders.data(), holders.size()}};
      lock.unlock();
      in_time = hook_.wait(owner.word, word, info, left_ms);
      lock = hold();
    }
    if (!in_time && !request.blockers.empty() && !request.victim_of) {
      status = timed_out(request, timeout_ms);
    }
  }
  withdraw(request);
  lock.unlock();
  const std::size_t members = std::exchange(request.victim_of, 0);
  return members > 0 ? failed_by(owner.deadlock, members) : std::move(status);
}

// What is kept has had more members, perhaps.
Status WaitGraph::failed_by(DeadlockReport& kept, std::size_t members) {
  DeadlockReport report;
  report.circle.assign(kept.circle.begin(), kept.circle.begin() + static_cast<std::ptrdiff_t>(members));
  report.victim = kept.victim;
  report.found_after_ns = kept.found_after_ns;
  if (kept.circle.size() > kMembersKept) (void)std::exchange(kept.circle, {});
  std::string text = describe(report);
  ConflictReport conflict = conflict_of(report);
  return Status::conflict(ConflictReason::deadlock, std::move(text), std::move(conflict), std::move(report));
}

// "accounts/alice is locked by T3, which wrote it".
std::string WaitGraph::in_the_way(const Request& request) {
  return describe(request.wanted()) + " is locked by " + names_of_blockers(request);
}

std::string WaitGraph::names_of_blockers(const Request& request) {
  std::string text;
  for (std::size_t i = 0; i < request.blockers.size(); ++i) {
    const Blocker& blocker = request.blockers[i];
    if (i > 0) text += ", ";
    text += name_of(blocker.owner->number.load(std::memory_order_relaxed), blocker.owner->label);
    text.append(", which ").append(way_of(blocker.hold));
  }
  return text;
}

Status WaitGraph::timed_out(const Request& request, std::uint64_t timeout_ms) const {
  std::string text = name_of(request.owner->number.load(std::memory_order_relaxed), request.owner->label) +
                     " waited " + std::to_string(timeout_ms) + " ms at " + describe(request.wanted()) +
                     " for " + names_of_blockers(request);
  const auto others = std::count_if(waiting_.begin(), waiting_.end(), [&](const Request* other) {
    return other != &request && other->table == request.table && other->key == request.key;
  });
  if (others > 0) text += "; " + std::to_string(others) + " more wait there";
  ConflictReport report;
  report.rule = "lock timeout";
  report.parties.push_back(party_of(*request.owner, "failed"));
  for (const Blocker& blocker : request.blockers) {
    ConflictReport::Edge& edge = report.edges.emplace_back();
    edge.to = report.parties.size();
    edge.kind = "waits";
    edge.table = request.table;
    edge.is_whole = request.kind == WaitKind::table_lock;
    edge.key = request.key;
    edge.is_range = request.is_range;
    if (request.hi) edge.hi = std::string(*request.hi);
    report.parties.push_back(
        party_of(*blocker.owner, blocker.owner->request != nullptr ? "waiting" : "active"));
  }
  return Status::conflict(ConflictReason::lock_timeout, std::move(text), std::move(report));
}

// ---- circles ----

// Depth first over those that wait. A member that was failed already is on its way out.
bool WaitGraph::find_circle(Request& from) {
  const std::uint64_t search = ++searches_;
  path_.assign(1, {&from, 0});
  from.seen_in = search;
  while (!path_.empty()) {
    Visit& at = path_.back();
    if (at.next == at.request->blockers.size()) {
      path_.pop_back();
      continue;
    }
    Request* const on = at.request->blockers[at.next++].owner->request;
    if (on == &from) {
      circle_.clear();
      for (const Visit& visit : path_)
        circle_.push_back({visit.request, &visit.request->blockers[visit.next - 1]});
      return true;
    }
    if (on == nullptr || on->seen_in == search || on->victim_of || on->looks_again) continue;
    on->seen_in = search;
    path_.push_back({on, 0});
  }
  return false;
}

// Whether those in front of the request wait for its own transaction: then they are not in its way. Once:
// what is in its way when it passes them already is so for other reasons.
bool WaitGraph::passes_its_own_line(Request& request) {
  if (request.may_pass) return false;
  request.owner->request = &request;
  while (!request.may_pass && find_circle(request)) {
    if (circle_.front().blocker->hold != Hold::came_first) break;
    request.may_pass = true;
  }
  request.owner->request = nullptr;
  return request.may_pass;
}

// Whether the circle opens without a victim: a member passes those who came first; or one that waits for the
// users of a table looks once more whether they are users: one that found the table locked takes back that it
// uses it, and may have been seen before that.
bool WaitGraph::opens_softly(Request& request) {
  for (const Edge& edge : circle_) {
    Request& member = *edge.request;
    const bool passes = edge.blocker->hold == Hold::came_first;
    if (!passes && (!is_soft(edge.blocker->hold) || member.was_rechecked)) continue;
    (passes ? member.may_pass : member.was_rechecked) = true;
    member.looks_again = true;
    if (&member != &request) wake(member);
    return true;
  }
  return false;
}

// Every circle that the request would close is opened, or a member of it failed. One that was failed counts
// as on its way out from then on, the request itself too: the mutex is let go before it has left.
void WaitGraph::break_circles(Request& request) {
  // A circle needs one that waits for it, and whoever begins to do so later searches in its turn.
  if (request.owner->waiters.load(std::memory_order_seq_cst) == 0) return;
  if (base::is_mutant(base::Mutant::deadlock_missed)) return;
  while (!request.looks_again && !request.victim_of && find_circle(request)) {
    if (opens_softly(request)) continue;
    deadlocks_.fetch_add(1, std::memory_order_relaxed);
    Request& victim = choose_victim();
    report_to(victim);
    victim.victim_of = circle_.size();
    victim.owner->deadlock.found_after_ns = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - request.began).count());
    if (&victim != &request) wake(victim);
  }
}

// The circle begins with the request that closed it.
Request& WaitGraph::choose_victim() const {
  Request* victim = circle_.front().request;
  if (victim_ == DeadlockVictim::last_to_wait) return *victim;
  for (const Edge& edge : circle_) {
    Request* const other = edge.request;
    const bool better = victim_ == DeadlockVictim::least_written && other->writes != victim->writes
                            ? other->writes < victim->writes
                            : is_younger(*other, *victim);
    if (better) victim = other;
  }
  return *victim;
}

// With the mutex held, so into what there was room for before.
void WaitGraph::report_to(const Request& victim) const {
  DeadlockReport& report = victim.owner->deadlock;
  report.victim = victim.owner->number.load(std::memory_order_relaxed);
  if (report.circle.size() < circle_.size()) report.circle.resize(circle_.size());
  for (std::size_t i = 0; i < circle_.size(); ++i) {
    const Request& request = *circle_[i].request;
    DeadlockReport::Member& member = report.circle[i];
    member.transaction = request.owner->number.load(std::memory_order_relaxed);
    member.label = request.owner->label;
    member.level = request.owner->policy->name();
    member.wants = to_string(request.mode);
    member.table = request.table;
    member.is_whole = request.kind == WaitKind::table_lock;
    member.key = request.key;
    member.is_range = request.is_range;
    if (!request.hi) {
      member.hi.reset();
    } else {
      if (!member.hi) member.hi.emplace();
      member.hi->assign(*request.hi);
    }
    member.blocker_holds = way_of(circle_[i].blocker->hold);
  }
}

// The victim first.
ConflictReport conflict_of(const DeadlockReport& deadlock) {
  ConflictReport report;
  report.rule = "no deadlock";
  report.can_retry_now = true;
  const std::size_t size = deadlock.circle.size();
  std::size_t first = 0;
  while (first < size && deadlock.circle[first].transaction != deadlock.victim) ++first;
  for (std::size_t i = 0; i < size; ++i) {
    const DeadlockReport::Member& member = deadlock.circle[(first + i) % size];
    report.parties.push_back(
        {member.transaction, member.label, member.level, i == 0 ? "failed" : "waiting", 0});
    report.edges.push_back(
        {i, (i + 1) % size, "waits", member.table, member.is_whole, member.key, member.is_range, member.hi});
  }
  return report;
}

// ---- words ----

std::string name_of(std::uint64_t number, std::string_view label) {
  std::string name =
      number >= kReaderNumber ? "R" + std::to_string(number - kReaderNumber) : "T" + std::to_string(number);
  if (!label.empty()) name.append(" (").append(label).append(")");
  return name;
}

ConflictReport::Party party_of(const Owner& owner, std::string_view state) {
  return {owner.number.load(std::memory_order_relaxed), std::string(owner.label),
          std::string(owner.policy->name()), std::string(state), 0};
}

std::string describe_key(std::string_view table, std::string_view key) {
  return std::string(table) + '/' + printable(key);
}

std::string describe(const Wanted& wanted) {
  if (wanted.is_whole) {
    return wanted.table.empty() ? "the database" : "the table " + std::string(wanted.table);
  }
  if (!wanted.is_range) return describe_key(wanted.table, wanted.key);
  std::string text(wanted.table);
  text += " from " + printable(wanted.key);
  return wanted.hi ? text + " up to " + printable(*wanted.hi) : text + " to the end";
}

std::string describe(const DeadlockReport& report) {
  std::string text;
  for (std::size_t i = 0; i < report.circle.size(); ++i) {
    const DeadlockReport::Member& member = report.circle[i];
    const DeadlockReport::Member& next = report.circle[(i + 1) % report.circle.size()];
    if (i > 0) text += ", ";
    text += name_of(member.transaction, member.label) + " waits for " + name_of(next.transaction) + " at " +
            describe(Wanted{member.table, member.is_whole, member.key, member.is_range, member.hi});
    text += " (" + name_of(next.transaction) + " " + member.blocker_holds + ")";
  }
  return text + "; " + name_of(report.victim) + " gives way: run it again";
}

}  // namespace isolith::locking
