// What only the operating system's files can show: other processes, and failures that the kernel makes.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "tests/support/temporary_directory.h"

namespace isolith::base {
namespace {

class PosixFileTest : public ::testing::Test {
 protected:
  testing::TemporaryDirectory directory_;
  const std::string& root_ = directory_.path();
  FileSystem& files_ = posix_file_system();
};

// A child process that holds the lock until its pipe is closed.
class LockingChild {
 public:
  explicit LockingChild(const std::string& path) {
    int ready[2];
    int hold[2];
    if (::pipe(ready) != 0 || ::pipe(hold) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(hold[1]);
      const auto lock = posix_file_system().lock(path);
      char byte = lock.ok() ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      static_cast<void>(::read(hold[0], &byte, 1));
      ::_exit(0);  // without destructors, as a process that is killed
    }
    char byte = 'n';
    locked_ = ::read(ready[0], &byte, 1) == 1 && byte == 'y';
    for (const int descriptor : {ready[0], ready[1], hold[0]}) ::close(descriptor);
    hold_ = hold[1];
  }

  [[nodiscard]] bool locked() const { return locked_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  void end() {
    ::close(hold_);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  int hold_ = -1;
  bool locked_ = false;
};

TEST_F(PosixFileTest, AnotherProcessKeepsTheLockUntilItEnds) {
  const std::string path = root_ + "/lock";
  LockingChild child(path);
  ASSERT_TRUE(child.locked());
  for (int i = 0; i < 2; ++i) {  // a refusal leaves nothing behind
    const Status status = files_.lock(path).status();
    EXPECT_EQ(status.to_string(), "busy: " + path + " is locked by process " + std::to_string(child.pid()));
  }
  child.end();
  EXPECT_TRUE(files_.lock(path).ok());
}

TEST_F(PosixFileTest, ASecondNameOfTheLockFileIsTheSameLock) {
  const auto lock = files_.lock(root_ + "/lock");
  ASSERT_TRUE(lock.ok());
  std::filesystem::create_symlink(root_ + "/lock", root_ + "/alias");
  EXPECT_TRUE(files_.lock(root_ + "/alias").status().is(StatusCode::busy));
}

TEST_F(PosixFileTest, AFullDiskIsNoSpace) {
  auto file = files_.open("/dev/full", OpenMode::read_write);
  ASSERT_TRUE(file.ok());
  const Status status = (*file)->write_at(0, "x", 1);
  EXPECT_TRUE(status.is(StatusCode::no_space));
  EXPECT_EQ(status.system_error(), ENOSPC);
}

TEST_F(PosixFileTest, AShortWriteIsResumedAndItsFailureTold) {
  auto file = files_.open(root_ + "/a", OpenMode::create);
  ASSERT_TRUE(file.ok());
  const std::string bytes(20'000, 'x');
  // Past this limit the kernel writes what fits, then fails: the loop must have gone on to see it.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limit{10'000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Status status = (*file)->write_at(0, bytes.data(), bytes.size());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(status.is(StatusCode::io_error));
  EXPECT_EQ(status.system_error(), EFBIG);
  EXPECT_EQ(*(*file)->size(), 10'000U);
}

TEST_F(PosixFileTest, AFileThatCannotBeSyncedSaysSo) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto file = files_.open("/proc/self/fd/" + std::to_string(ends[1]), OpenMode::read_write);
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  const Status status = (*file)->sync();
  EXPECT_TRUE(status.is(StatusCode::io_error));
  EXPECT_EQ(status.system_error(), EINVAL);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace isolith::base
