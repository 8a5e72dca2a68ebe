// `isolith run --step` on a terminal of its own: keys, the screen, and how the terminal is left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <string>

#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The command on a pseudo-terminal of 100 columns and 40 rows.
class CliStepTest : public ::testing::Test {
 protected:
  void start() {
    ::winsize size{40, 100, 0, 0};
    int terminal = -1;
    ASSERT_EQ(::openpty(&master_, &terminal, nullptr, nullptr, &size), 0);
    ASSERT_EQ(::tcgetattr(master_, &before_), 0);
    const std::string command = isolith_command();
    process_ = ::fork();
    if (process_ == 0) {
      ::setsid();
      for (const int descriptor : {0, 1, 2}) ::dup2(terminal, descriptor);
      ::setenv("LC_ALL", "C.UTF-8", 1);
      ::setenv("TERM", "xterm", 1);
      ::execl(command.c_str(), "isolith", "run", "p4", "--step", "--no-story", nullptr);
      ::_exit(127);
    }
    ::close(terminal);
    ASSERT_GT(process_, 0);
  }

  // Reads until `text` has come since the last call; all of it, if it never comes.
  std::string read_until(std::string_view text) {
    std::string got;
    std::array<char, 4096> buffer{};
    ::pollfd waiting{master_, POLLIN, 0};
    constexpr int kPatienceMs = 60'000;
    while (got.find(text) == std::string::npos && ::poll(&waiting, 1, kPatienceMs) == 1) {
      const ::ssize_t size = ::read(master_, buffer.data(), buffer.size());
      if (size <= 0) break;
      got.append(buffer.data(), static_cast<std::size_t>(size));
    }
    EXPECT_THAT(got, HasSubstr(std::string(text)));
    return got;
  }

  void press(std::string_view keys) {
    ASSERT_EQ(::write(master_, keys.data(), keys.size()), ::ssize_t(keys.size()));
  }

  bool is_raw() {
    ::termios now{};
    ::tcgetattr(master_, &now);
    return (now.c_lflag & (ICANON | ECHO)) == 0;
  }

  // The status that waitpid gives; the terminal is as it was.
  int end() {
    read_until("\x1b[?1049l");  // it leaves the screen with the steps
    int status = 0;
    // What is left of its output, so that it does not wait for room.
    std::array<char, 4096> buffer{};
    while (::read(master_, buffer.data(), buffer.size()) > 0) continue;
    ::waitpid(process_, &status, 0);
    ::termios after{};
    EXPECT_EQ(::tcgetattr(master_, &after), 0);
    EXPECT_EQ(after.c_lflag, before_.c_lflag);
    EXPECT_EQ(after.c_iflag, before_.c_iflag);
    ::close(master_);
    return status;
  }

  ::termios before_{};
  int master_ = -1;
  ::pid_t process_ = -1;
};

TEST_F(CliStepTest, KeysMoveForwardAndBackAndTheTerminalIsGivenBack) {
  start();
  EXPECT_THAT(read_until("q: end"), HasSubstr("0/7   next: A1 x = get test/1"));
  EXPECT_TRUE(is_raw());
  press(" ");
  EXPECT_THAT(read_until("q: end"), HasSubstr("→ 10"));
  press("\x1b[C");  // an arrow to the right
  read_until("2/7   next: A2");
  press("b");
  EXPECT_THAT(read_until("1/7   next: B1"), Not(HasSubstr("B1 │")));
  press("q");
  const int status = end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(CliStepTest, ASignalGivesTheTerminalBackAndEndsTheCommand) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    start();
    read_until("q: end");
    ASSERT_TRUE(is_raw());
    ::kill(process_, signal);
    const int status = end();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
  }
}

}  // namespace
}  // namespace isolith::tools
