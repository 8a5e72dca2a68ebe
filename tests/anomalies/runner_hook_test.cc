// The runner as a wait hook: threads that are no sessions, waits that are for no transaction, wakes that come
// first.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "anomalies/runner.h"

namespace isolith::anomalies {
namespace {

constexpr WaitInfo kLock{WaitKind::write_lock, 7, 9, "t", "k"};
constexpr std::uint64_t kShortMs = 1;
constexpr std::uint64_t kLongMs = 60'000;

Program one_session(std::function<void()> step) { return {{{"A", {std::move(step)}}}, {}, {}}; }

Schedule first_step() { return {{{0, false}}}; }

TEST(RunnerHook, AWaitWhoseWakeCameFirstReturnsAtOnce) {
  Runner runner;
  std::atomic<std::uint32_t> word{1};
  EXPECT_TRUE(runner.wait(word, 0, kLock, 0));
  bool in_time = false;
  Trace trace;
  ASSERT_TRUE(
      runner.run(one_session([&] { in_time = runner.wait(word, 0, kLock, 0); }), first_step(), trace).ok());
  EXPECT_TRUE(in_time);
  EXPECT_FALSE(trace.stuck);
  EXPECT_EQ(trace.events.size(), 1U);
}

TEST(RunnerHook, AThreadThatIsNoSessionSleepsUntilItIsWoken) {
  Runner runner;
  std::atomic<std::uint32_t> word{0};
  std::thread other([&] {
    while (word.load() == 0) EXPECT_TRUE(runner.wait(word, 0, kLock, kLongMs));
  });
  word.store(1);
  runner.wake_all(word);
  other.join();
}

// Nobody wakes it, so only its own limit can end its wait; the step goes on meanwhile.
TEST(RunnerHook, AThreadThatIsNoSessionSleepsDuringAStepToo) {
  Runner runner;
  std::atomic<std::uint32_t> word{0};
  bool in_time = true;
  const Program program =
      one_session([&] { std::thread([&] { in_time = runner.wait(word, 0, kLock, kShortMs); }).join(); });
  Trace trace;
  ASSERT_TRUE(runner.run(program, first_step(), trace).ok());
  EXPECT_FALSE(in_time);
  EXPECT_EQ(to_string(trace, program), "A1 done\n");
}

// Nobody's step would end them, so the step itself sleeps.
TEST(RunnerHook, WaitsForNoTransactionSleepWithinTheStep) {
  for (const WaitKind kind : {WaitKind::group_commit, WaitKind::checkpoint_gate}) {
    Runner runner;
    std::atomic<std::uint32_t> word{0};
    std::atomic<bool> waits{false};
    Trace trace;
    std::thread other([&] {
      waits.wait(false);
      word.store(1);
      runner.wake_all(word);
    });
    const Program program = one_session([&] {
      waits.store(true);
      waits.notify_one();
      while (word.load() == 0) EXPECT_TRUE(runner.wait(word, 0, {kind, 0, 0, {}, {}}, kLongMs));
    });
    ASSERT_TRUE(runner.run(program, first_step(), trace).ok());
    other.join();
    EXPECT_EQ(to_string(trace, program), "A1 done\n");
  }
}

TEST(RunnerHook, AWakeFromAnotherThreadFreesASession) {
  Runner runner;
  std::atomic<std::uint32_t> word{0};
  bool in_time = false;
  Program program = one_session([&] { in_time = runner.wait(word, 0, kLock, 0); });
  program.sessions.push_back({"B", {[&] {
                                std::thread([&] {
                                  word.store(1);
                                  runner.wake_all(word);
                                }).join();
                              }}});
  Trace trace;
  ASSERT_TRUE(runner.run(program, {{{0, false}, {1, false}}}, trace).ok());
  EXPECT_TRUE(in_time);
  EXPECT_EQ(to_string(trace, program), "A1 blocked: waits for T9 at t/k\nB1 done\nA1 resumed\nA1 done\n");
}

TEST(RunnerHook, AWakeOfAnotherWordFreesNobody) {
  Runner runner;
  std::atomic<std::uint32_t> word{0}, other{0};
  bool in_time = true;
  Program program = one_session([&] { in_time = runner.wait(word, 0, kLock, 0); });
  program.sessions.push_back({"B", {[&] { runner.wake_all(other); }}});
  Trace trace;
  ASSERT_TRUE(runner.run(program, {{{0, false}, {1, false}}}, trace).ok());
  EXPECT_FALSE(in_time);
  EXPECT_TRUE(trace.stuck);
}

// Threads that are no sessions call both all the time while runs go on.
TEST(RunnerHook, ForeignThreadsDisturbNoRun) {
  Runner runner;
  std::atomic<std::uint32_t> foreign{0}, own{0};
  std::atomic<bool> stop{false};
  std::thread waker([&] {
    while (!stop.load()) {
      foreign.fetch_add(1);
      runner.wake_all(foreign);
      std::this_thread::yield();
    }
  });
  std::thread waiter([&] {
    while (!stop.load()) (void)runner.wait(foreign, foreign.load(), kLock, kLongMs);
  });
  Program program = one_session([&] {
    const std::uint32_t seen = own.load();
    EXPECT_TRUE(runner.wait(own, seen, kLock, 0));
  });
  program.sessions.push_back({"B", {[&] {
                                own.fetch_add(1);
                                runner.wake_all(own);
                              }}});
  Trace trace;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(runner.run(program, {{{0, false}, {1, false}}}, trace).ok());
    ASSERT_EQ(trace.events.size(), 4U);
    ASSERT_FALSE(trace.stuck);
  }
  stop.store(true);
  waker.join();
  foreign.fetch_add(1);
  runner.wake_all(foreign);
  waiter.join();
}

}  // namespace
}  // namespace isolith::anomalies
