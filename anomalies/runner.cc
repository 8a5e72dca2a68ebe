// The baton, and who gets it next. Why no wake is lost and no two threads run at once: README.md.
#include "anomalies/runner.h"

#include <utility>

namespace isolith::anomalies {
namespace {

// Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the same numbers
// everywhere, since recorded seeds must replay.
std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

// Whether the wait is for another transaction; the others end without anybody's step.
bool is_for_transaction(WaitKind kind) {
  return kind != WaitKind::group_commit && kind != WaitKind::checkpoint_gate;
}

}  // namespace

Runner::Runner(Threads threads) : threads_(threads) {}

Runner::~Runner() {
  next_.what = Next::What::stop;
  for (const auto& worker : workers_) {
    give_turn(*worker);
    worker->thread.join();
  }
}

// ---- a run ----

Status Runner::run(const Program& program, const Schedule& schedule, Trace& trace) {
  if (Status status = check_schedule(schedule, program); !status.ok()) return status;
  if (trace_ != nullptr) return {StatusCode::invalid_argument, "the runner is running already"};
  if (&schedule != &trace.schedule) trace.schedule.entries = schedule.entries;
  return run_by(nullptr, program, trace);
}

Status Runner::run(const Program& program, const Chooser& chooser, Trace& trace) {
  if (Status status = check_program(program); !status.ok()) return status;
  if (trace_ != nullptr) return {StatusCode::invalid_argument, "the runner is running already"};
  trace.schedule.entries.clear();
  return run_by(&chooser, program, trace);
}

Status Runner::run(const Program& program, std::uint64_t seed, Trace& trace) {
  const Chooser draw = [&seed](std::span<const std::uint32_t> ready) {
    return static_cast<std::size_t>((splitmix64(seed) >> 32) * ready.size() >> 32);
  };
  return this->run(program, draw, trace);
}

Status Runner::run_by(const Chooser* chooser, const Program& program, Trace& trace) {
  trace.events.clear();
  trace.stuck = false;
  program_ = &program;
  trace_ = &trace;
  chooser_ = chooser;
  scheduled_ = 0;
  blocked_ = 0;
  deferred_ = 0;
  {
    const std::lock_guard lock(mutex_);
    sessions_.clear();
    sessions_.resize(program.sessions.size());
  }
  if (threads_ == Threads::per_session) {
    while (workers_.size() < sessions_.size()) add_worker();
  } else {
    idle_.clear();
    for (const auto& worker : workers_) idle_.push_back(worker.get());
  }
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  next_ = choose();
  hand_on(caller_, true);
  run_steps(caller_);
  holder_.store(std::thread::id(), std::memory_order_relaxed);
  program_ = nullptr;
  trace_ = nullptr;
  return {};
}

// ---- the baton ----

// Everything the giver did before is seen by the taker: the word is stored with release and read with
// acquire.
void Runner::give_turn(Worker& to) {
  to.has_turn.store(1, std::memory_order_release);
  to.has_turn.notify_one();
}

void Runner::take_turn(Worker& self) {
  self.has_turn.wait(0, std::memory_order_acquire);
  self.has_turn.store(0, std::memory_order_relaxed);
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

Runner::Worker& Runner::add_worker() {
  Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.thread = std::thread([this, &worker] {
    take_turn(worker);
    run_steps(worker);
  });
  return worker;
}

Runner::Worker& Runner::worker_for_step(Worker& self, bool is_free) {
  if (threads_ == Threads::per_session) return *workers_[next_.session];
  if (is_free) return self;
  if (idle_.empty()) return add_worker();
  Worker& worker = *idle_.back();
  idle_.pop_back();
  return worker;
}

// Gives the baton to the thread that `next_` is for, and returns when it is this thread's again. `is_free`:
// this thread is in no step, any step can run here.
void Runner::hand_on(Worker& self, bool is_free) {
  Worker* to = &caller_;
  if (next_.what == Next::What::step) to = &worker_for_step(self, is_free);
  if (next_.what == Next::What::resume) to = sessions_[next_.session].worker;
  if (to == &self) return;
  if (is_free && threads_ == Threads::shared) idle_.push_back(&self);
  // The last thing with the baton: from here on only `self.has_turn` is touched.
  give_turn(*to);
  take_turn(self);
}

// Until the run ends (in the thread that called `run`) or the runner does (in the others).
void Runner::run_steps(Worker& self) {
  while (next_.what == Next::What::step) {
    const std::uint32_t session = next_.session;
    SessionState& state = sessions_[session];
    state.worker = &self;
    current_ = session;
    in_step_ = true;
    program_->sessions[session].steps[state.begun++]();
    in_step_ = false;
    record(EventKind::done, session, state.begun);
    next_ = choose();
    hand_on(self, true);
  }
}

// ---- what comes next ----

Runner::Next Runner::choose() {
  Next next;
  if (blocked_ > 0 && choose_woken(next)) return next;
  if (deferred_ > 0 && choose_deferred(next)) return next;
  if (chooser_ != nullptr ? choose_freely(next) : choose_scheduled(next)) return next;
  if (blocked_ == 0) return next;
  // Whoever is left waits for what nobody here can end. One after another gets free that way.
  trace_->stuck = true;
  std::uint32_t first = 0;
  while (!sessions_[first].blocked) ++first;
  trace_->events.push_back(sessions_[first].wait);
  trace_->events.back().kind = EventKind::stuck;
  tell();
  return end_wait(first, false);
}

bool Runner::choose_woken(Next& next) {
  std::uint32_t session = 0;
  {
    const std::lock_guard lock(mutex_);
    while (session < sessions_.size() && !sessions_[session].woken) ++session;
  }
  if (session == sessions_.size()) return false;
  next = end_wait(session, true);
  return true;
}

bool Runner::choose_deferred(Next& next) {
  for (std::uint32_t i = 0; i < sessions_.size(); ++i) {
    if (sessions_[i].deferred == 0 || sessions_[i].blocked) continue;
    --sessions_[i].deferred;
    --deferred_;
    next = {Next::What::step, i, true};
    return true;
  }
  return false;
}

bool Runner::choose_freely(Next& next) {
  ready_.clear();
  for (std::uint32_t i = 0; i < sessions_.size(); ++i) {
    if (!sessions_[i].blocked && sessions_[i].begun < program_->sessions[i].steps.size()) ready_.push_back(i);
  }
  if (ready_.empty()) return false;
  next = {Next::What::step, ready_[(*chooser_)(ready_)], true};
  trace_->schedule.entries.push_back({next.session, false});
  return true;
}

bool Runner::choose_scheduled(Next& next) {
  const std::vector<ScheduleEntry>& entries = trace_->schedule.entries;
  while (scheduled_ < entries.size()) {
    const ScheduleEntry entry = entries[scheduled_++];
    SessionState& state = sessions_[entry.session];
    if (entry.times_out) {
      if (state.blocked) {
        next = end_wait(entry.session, false);
        return true;
      }
      record(EventKind::not_blocked, entry.session, 0);
    } else if (state.blocked) {
      ++state.deferred;
      ++deferred_;
      record(EventKind::deferred, entry.session, state.begun + state.deferred);
    } else {
      next = {Next::What::step, entry.session, true};
      return true;
    }
  }
  return false;
}

// The session's wait is over: it goes on next.
Runner::Next Runner::end_wait(std::uint32_t session, bool in_time) {
  SessionState& state = sessions_[session];
  {
    const std::lock_guard lock(mutex_);
    state.word = nullptr;
    state.woken = false;
  }
  state.blocked = false;
  --blocked_;
  record(in_time ? EventKind::resumed : EventKind::timed_out, session, state.begun);
  return {Next::What::resume, session, in_time};
}

// ---- what happened ----

void Runner::record(EventKind kind, std::uint32_t session, std::uint32_t step) {
  Event& event = trace_->events.emplace_back();
  event.kind = kind;
  event.session = session;
  event.step = step;
  tell();
}

void Runner::tell() {
  if (program_->on_event) program_->on_event(trace_->events.back());
}

void Runner::block(std::uint32_t session, const WaitInfo& info) {
  SessionState& state = sessions_[session];
  state.blocked = true;
  ++blocked_;
  Event& event = state.wait;
  event.kind = EventKind::blocked;
  event.session = session;
  event.step = state.begun;
  event.waiter = info.waiter;
  event.holder = info.holder;
  event.holder_sessions.clear();
  event.table = info.table;
  event.key = info.key;
  const auto is_holder = [&info](std::uint64_t number) {
    return number != 0 && (number == info.holder ||
                           std::find(info.holders.begin(), info.holders.end(), number) != info.holders.end());
  };
  for (std::size_t i = 0; i < sessions_.size() && program_->transaction_of; ++i) {
    // One that waits to begin has no transaction yet, and stands in line all the same.
    const bool waits_in_front = i != session && sessions_[i].blocked && is_holder(sessions_[i].wait.waiter);
    if (waits_in_front || is_holder(program_->transaction_of(i))) event.holder_sessions.push_back(i);
  }
  trace_->events.push_back(event);
  tell();
}

// ---- the hook ----

bool Runner::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
                  std::uint64_t timeout_ms) {
  // Only this thread itself ever stores its id there.
  const bool in_step = holder_.load(std::memory_order_relaxed) == std::this_thread::get_id() && in_step_;
  if (!in_step || !is_for_transaction(info.kind)) return wait_by_default(word, expected, info, timeout_ms);
  const std::uint32_t session = current_;
  {
    const std::lock_guard lock(mutex_);
    // A wake that came before this lock has changed the word; one that comes later finds the session.
    if (word.load(std::memory_order_acquire) != expected) return true;
    sessions_[session].word = &word;
  }
  in_step_ = false;
  block(session, info);
  next_ = choose();
  hand_on(*sessions_[session].worker, false);
  current_ = session;
  in_step_ = true;
  return next_.in_time;
}

bool Runner::wait_by_default(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                             const WaitInfo& info, std::uint64_t timeout_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (word.load(std::memory_order_acquire) != expected) return true;
    ++default_waiters_;
  }
  const bool in_time = default_wait_hook().wait(word, expected, info, timeout_ms);
  const std::lock_guard lock(mutex_);
  --default_waiters_;
  return in_time;
}

void Runner::wake_all(const std::atomic<std::uint32_t>& word) {
  bool others = false;
  {
    const std::lock_guard lock(mutex_);
    for (SessionState& session : sessions_) {
      if (session.word == &word) session.woken = true;
    }
    others = default_waiters_ > 0;
  }
  if (others) default_wait_hook().wake_all(word);
}

}  // namespace isolith::anomalies
