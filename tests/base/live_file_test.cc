// LiveFile: what a reader sees of a writer that lives, has ended, or is in the middle of it.
#include "base/live_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace isolith::base {
namespace {

class LiveFileTest : public ::testing::Test {
 protected:
  testing::TemporaryDirectory root_;
  std::string path_ = root_.path() + "/live";
};

TEST_F(LiveFileTest, AReaderSeesTheLastBodyForAsLongAsTheWriterLives) {
  EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::not_found));
  {
    const auto writer = LiveFile::create(path_);
    ASSERT_TRUE(writer.ok()) << writer.status().to_string();
    for (const std::string& body : {std::string("long and old"), std::string(), std::string(100'000, 'n')}) {
      ASSERT_TRUE((*writer)->write(body).ok());
      const Result<std::string> read = read_live_file(path_);
      ASSERT_TRUE(read.ok()) << read.status().to_string();
      EXPECT_TRUE(*read == body);
      EXPECT_EQ(std::filesystem::file_size(path_), 20 + body.size()) << "nothing is left of the longer one";
    }
    EXPECT_TRUE(LiveFile::create(path_).status().is(StatusCode::busy));
    EXPECT_TRUE(read_live_file(path_).ok());  // the refused one did not end the lock
  }
  EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::not_found));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LiveFileTest, WhatADeadWriterLeftIsNotBelievedAndIsTakenOver) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = LiveFile::create(path_);
    if (!writer.ok() || !(*writer)->write("last words").ok()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int ended = 0;
  ASSERT_EQ(::waitpid(child, &ended, 0), child);
  ASSERT_TRUE(WIFSIGNALED(ended));
  EXPECT_GT(std::filesystem::file_size(path_), 0U);
  EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::not_found));
  const auto writer = LiveFile::create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status().to_string();
  ASSERT_TRUE((*writer)->write("x").ok());
  EXPECT_EQ(*read_live_file(path_), "x");
}

TEST_F(LiveFileTest, DamageIsToldAndNotRead) {
  const auto writer = LiveFile::create(path_);
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::corruption));  // nothing was written yet
  const std::string body = "1234567890";
  ASSERT_TRUE((*writer)->write(body).ok());
  const std::uint64_t size = std::filesystem::file_size(path_);
  for (std::uint64_t at = 0; at < size; ++at) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 0x10));
    file.close();
    EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::corruption)) << "byte " << at;
    ASSERT_TRUE((*writer)->write(body).ok());
  }
  for (std::uint64_t length = 0; length < size; ++length) {
    std::filesystem::resize_file(path_, length);
    EXPECT_TRUE(read_live_file(path_).status().is(StatusCode::corruption)) << "of " << length << " bytes";
    ASSERT_TRUE((*writer)->write(body).ok());
  }
  EXPECT_EQ(*read_live_file(path_), body);
}

TEST_F(LiveFileTest, AReaderNeverSeesPartOfTwoBodies) {
  const auto writer = LiveFile::create(path_);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write("").ok());
  std::atomic<bool> stop = false;
  std::thread writing([&] {
    for (int i = 0; !stop.load(); ++i) {
      const auto size = static_cast<std::size_t>(i % 7) * 5'000;
      EXPECT_TRUE((*writer)->write(std::string(size, static_cast<char>('a' + i % 26))).ok());
    }
  });
  for (int i = 0; i < 2'000; ++i) {
    const Result<std::string> body = read_live_file(path_);
    // A writer that writes without a pause may never let a reader through; what it gets is whole.
    if (!body.ok()) {
      EXPECT_TRUE(body.status().is(StatusCode::corruption)) << body.status().to_string();
      continue;
    }
    EXPECT_EQ(body->size() % 5'000, 0U);
    EXPECT_EQ(body->find_first_not_of(body->substr(0, 1)), std::string::npos);
  }
  stop.store(true);
  writing.join();
}

TEST_F(LiveFileTest, WhatIsNoFileIsRefused) {
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(read_live_file(path_).ok());
  EXPECT_FALSE(LiveFile::create(path_).ok());
  EXPECT_FALSE(read_live_file(root_.path() + "/nowhere/live").ok());
}

}  // namespace
}  // namespace isolith::base
