// Runner: runs the sessions of a program one step at a time, in the order of a schedule, and knows at once
// when a step has to wait for another transaction. No time passes and nothing sleeps.
//
// Example:
//   anomalies::Runner runner;
//   options.wait_hook = &runner;                       // and open the database
//   anomalies::Trace trace;
//   status = runner.run(program, *anomalies::parse_schedule("A1 B1 A2 B2", program), trace);
//   std::cout << to_string(trace, program);
//
// Invariants:
//   1. One thread holds the baton; only it runs steps and touches what belongs to the run.
//   2. The baton changes hands only where a step waits, where its wait has ended, and between steps.
//   3. A session that is woken goes on before the next step of the schedule, the first session first; then
//      come steps that were named while their session was blocked.
//
// Threads: `wait` and `wake_all` from any thread at any time; everything else from one thread at a time. It
// must outlive the databases that it is the hook of.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "anomalies/program.h"
#include "anomalies/schedule.h"
#include "anomalies/trace.h"
#include "isolith/status.h"
#include "isolith/wait_hook.h"

namespace isolith::anomalies {

// Where steps run.
enum class Threads : std::uint8_t {
  shared,       // in the thread that called `run` for as long as no step waits; each wait takes one more
  per_session,  // each session in a thread of its own, for engines that want that; slower
};

class Runner final : public WaitHook {
 public:
  explicit Runner(Threads threads = Threads::shared);
  ~Runner() override;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Given the sessions that can take a step, in their order, which one does: its place among them. Called
  // with the baton, from whatever thread has it.
  using Chooser = std::function<std::size_t(std::span<const std::uint32_t> ready)>;

  // Runs all steps in the schedule's order, in one that `chooser` makes step by step, or in one drawn from
  // `seed`; returns when every session has ended. `trace` then tells what happened. `invalid_argument`:
  // nothing was run.
  Status run(const Program& program, const Schedule& schedule, Trace& trace);
  Status run(const Program& program, const Chooser& chooser, Trace& trace);
  Status run(const Program& program, std::uint64_t seed, Trace& trace);

  // For steps and `on_event`: whether the session waits, and how many do.
  [[nodiscard]] bool is_blocked(std::size_t session) const { return sessions_[session].blocked; }
  [[nodiscard]] std::size_t blocked_count() const noexcept { return blocked_; }

  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
            std::uint64_t timeout_ms) override;
  void wake_all(const std::atomic<std::uint32_t>& word) override;

 private:
  // A thread that the baton can be given to.
  struct Worker {
    std::atomic<std::uint32_t> has_turn{0};
    std::thread thread;  // none: the one that called `run`
  };

  struct SessionState {
    std::uint32_t begun = 0;     // steps
    std::uint32_t deferred = 0;  // named while it was blocked, not begun yet
    bool blocked = false;
    Worker* worker = nullptr;  // where it waits
    Event wait;                // what for
    // Both under `mutex_`.
    const std::atomic<std::uint32_t>* word = nullptr;  // null: it waits for none
    bool woken = false;
  };

  // What the holder of the baton does next.
  struct Next {
    enum class What : std::uint8_t { step, resume, end, stop } what = What::end;
    std::uint32_t session = 0;
    bool in_time = true;  // what `wait` returns
  };

  Status run_by(const Chooser* chooser, const Program& program, Trace& trace);
  bool wait_by_default(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
                       std::uint64_t timeout_ms);

  // Only with the baton.
  Next choose();
  bool choose_woken(Next& next);
  bool choose_deferred(Next& next);
  bool choose_freely(Next& next);
  bool choose_scheduled(Next& next);
  Next end_wait(std::uint32_t session, bool in_time);
  void run_steps(Worker& self);
  void hand_on(Worker& self, bool is_free);
  Worker& worker_for_step(Worker& self, bool is_free);
  Worker& add_worker();
  void block(std::uint32_t session, const WaitInfo& info);
  void record(EventKind kind, std::uint32_t session, std::uint32_t step);
  void tell();

  static void give_turn(Worker& to);
  void take_turn(Worker& self);

  const Threads threads_;
  Worker caller_;
  std::vector<std::unique_ptr<Worker>> workers_;  // per_session: one for each session, in their order
  std::vector<Worker*> idle_;                     // shared: those that run nothing and wait for nothing
  std::atomic<std::thread::id> holder_;           // of the baton; nobody between runs

  // Of the run; with the baton.
  const Program* program_ = nullptr;
  Trace* trace_ = nullptr;
  std::size_t scheduled_ = 0;  // entries of its schedule that were taken
  const Chooser* chooser_ = nullptr;  // makes the schedule; null: it is given
  Next next_;
  std::uint32_t current_ = 0;  // the session whose step runs
  bool in_step_ = false;
  std::size_t blocked_ = 0;
  std::size_t deferred_ = 0;
  std::vector<std::uint32_t> ready_;  // scratch

  std::mutex mutex_;
  std::vector<SessionState> sessions_;  // its size, and of each what says so
  std::size_t default_waiters_ = 0;
};

}  // namespace isolith::anomalies
