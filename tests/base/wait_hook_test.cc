// The default WaitHook: it sleeps while nothing has changed, and no wake is lost.
#include "isolith/wait_hook.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace isolith {
namespace {

TEST(WaitHookTest, ReturnsAtOnceWhereTheWordHasChanged) {
  const std::atomic<std::uint32_t> word = 2;
  EXPECT_TRUE(default_wait_hook().wait(word, 1, {}, 0));
  EXPECT_TRUE(default_wait_hook().wait(word, 1, {}, 1'000'000'000));
}

TEST(WaitHookTest, SaysWhenTheTimeHasPassed) {
  const std::atomic<std::uint32_t> word = 1;
  while (default_wait_hook().wait(word, 1, {}, 1)) {
  }
}

TEST(WaitHookTest, WakesAreNeverLost) {
  // Each turn's wait ends by the other's wake alone: one lost wake, and both sleep for ever.
  constexpr std::uint32_t kTurns = 20'000;
  std::atomic<std::uint32_t> word = 0;
  const auto play = [&](std::uint32_t mine) {
    for (std::uint32_t turn = mine; turn < kTurns; turn += 2) {
      for (std::uint32_t seen = word.load(std::memory_order_acquire); seen != turn;
           seen = word.load(std::memory_order_acquire)) {
        default_wait_hook().wait(word, seen, {}, 0);
      }
      word.store(turn + 1, std::memory_order_release);
      default_wait_hook().wake_all(word);
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(word.load(), kTurns);
}

TEST(WaitHookTest, WakesAllWaitersAndOrdersWhatCameBefore) {
  constexpr int kRounds = 200;
  constexpr int kWaiters = 4;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<std::uint32_t> word = 0;
    int plain = 0;
    std::vector<std::thread> waiters;
    for (int i = 0; i < kWaiters; ++i) {
      waiters.emplace_back([&] {
        while (word.load(std::memory_order_acquire) == 0) default_wait_hook().wait(word, 0, {}, 0);
        EXPECT_EQ(plain, 42);
      });
    }
    plain = 42;
    word.store(1, std::memory_order_release);
    default_wait_hook().wake_all(word);
    for (std::thread& waiter : waiters) waiter.join();
  }
}

TEST(WaitHookTest, NamesItsKinds) {
  EXPECT_EQ(to_string(WaitKind::write_lock), "write_lock");
  EXPECT_EQ(to_string(WaitKind::safe_snapshot), "safe_snapshot");
  EXPECT_EQ(to_string(WaitKind::checkpoint_gate), "checkpoint_gate");
  EXPECT_EQ(to_string(WaitKind::group_commit), "group_commit");
  EXPECT_EQ(to_string(static_cast<WaitKind>(99)), "unknown");
}

}  // namespace
}  // namespace isolith
