// A signal becomes a call, and afterwards it is a signal again.
#include "tools/interruption.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <future>

namespace isolith::tools {
namespace {

TEST(Interruption, ASignalToTheProgramBecomesACall) {
  for (const int wanted : {SIGINT, SIGTERM}) {
    std::promise<int> seen;
    const Interruption interruption([&seen](int signal) { seen.set_value(signal); });
    ASSERT_EQ(::kill(::getpid(), wanted), 0);
    EXPECT_EQ(seen.get_future().get(), wanted);
  }
}

TEST(Interruption, AfterwardsTheSignalsAreAsBefore) {
  {
    const Interruption interruption([](int /*signal*/) {});
  }
  sigset_t blocked;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &blocked), 0);
  EXPECT_EQ(::sigismember(&blocked, SIGINT), 0);
  EXPECT_EQ(::sigismember(&blocked, SIGTERM), 0);
}

TEST(InterruptionDeathTest, DiesOfTheSignalEvenWhereItIsBlocked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const Interruption interruption([](int signal) { Interruption::die_of(signal); });
        ::kill(::getpid(), SIGTERM);
        ::pause();
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace isolith::tools
