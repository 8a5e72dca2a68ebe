// SimulatedDisk's faults, limits, counting and observer.
#include "base/simulated_disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace isolith::base {
namespace {

class SimulatedDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(disk_.create_directory("d").ok());
    file_ = *disk_.open("d/a", OpenMode::create);
    ASSERT_TRUE(file_->write_at(0, "0123456789", 10).ok());
  }

  SimulatedDisk disk_;
  std::unique_ptr<File> file_;
};

struct Call {
  const char* name;
  std::function<Status()> call;
};

TEST_F(SimulatedDiskTest, EveryCallCanMeetAnIoErrorAndChangesNothing) {
  char buffer[4];
  const std::vector<Call> calls = {
      {"read_at", [&] { return file_->read_at(0, buffer, 4).status(); }},
      {"write_at", [&] { return file_->write_at(0, "xx", 2); }},
      {"sync", [&] { return file_->sync(); }},
      {"truncate", [&] { return file_->truncate(3); }},
      {"size", [&] { return file_->size().status(); }},
      {"open", [&] { return disk_.open("d/a", OpenMode::read_only).status(); }},
      {"create", [&] { return disk_.open("d/new", OpenMode::create).status(); }},
      {"lock", [&] { return disk_.lock("d/lock").status(); }},
      {"remove", [&] { return disk_.remove("d/a"); }},
      {"rename", [&] { return disk_.rename("d/a", "d/b"); }},
      {"sync_directory", [&] { return disk_.sync_directory("d"); }},
      {"create_directory", [&] { return disk_.create_directory("e"); }},
      {"list", [&] { return disk_.list("d").status(); }},
      {"exists", [&] { return disk_.exists("d/a").status(); }},
  };
  for (const Call& each : calls) {
    SCOPED_TRACE(each.name);
    disk_.fail_call(0, Fault::io_error);
    EXPECT_FALSE(disk_.fault_happened());
    const Status status = each.call();
    EXPECT_TRUE(status.is(StatusCode::io_error)) << status.to_string();
    EXPECT_EQ(status.system_error(), EIO);
    EXPECT_TRUE(disk_.fault_happened());
    EXPECT_EQ(*disk_.list("d"), std::vector<std::string>{"a"});
    EXPECT_FALSE(*disk_.exists("e"));
    char back[16] = {};
    EXPECT_EQ(*file_->read_at(0, back, sizeof back), 10U);
    EXPECT_STREQ(back, "0123456789");
  }
}

TEST_F(SimulatedDiskTest, NoSpaceStrikesOnlyWhatNeedsSpace) {
  const std::vector<Call> calls = {
      {"write_at", [&] { return file_->write_at(0, "xx", 2); }},
      {"truncate", [&] { return file_->truncate(3); }},
      {"create", [&] { return disk_.open("d/new", OpenMode::create).status(); }},
      {"create_new", [&] { return disk_.open("d/new", OpenMode::create_new).status(); }},
      {"create_directory", [&] { return disk_.create_directory("e"); }},
  };
  for (const Call& each : calls) {
    SCOPED_TRACE(each.name);
    disk_.fail_call(0, Fault::no_space);
    char buffer[4];
    EXPECT_TRUE(file_->read_at(0, buffer, 4).ok());
    EXPECT_TRUE(file_->sync().ok());
    EXPECT_TRUE(disk_.open("d/a", OpenMode::create).ok());
    EXPECT_TRUE(disk_.create_directory("d").ok());
    EXPECT_FALSE(disk_.fault_happened());
    const Status status = each.call();
    EXPECT_TRUE(status.is(StatusCode::no_space)) << status.to_string();
    EXPECT_EQ(status.system_error(), ENOSPC);
  }
  EXPECT_EQ(*file_->size(), 10U);
  EXPECT_EQ(*disk_.list("d"), std::vector<std::string>{"a"});
}

TEST_F(SimulatedDiskTest, AShortWriteLeavesAPart) {
  disk_.fail_call(0, Fault::short_write);
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_EQ(file_->write_at(8, "ABCDEF", 6).system_error(), EIO);
  char back[16] = {};
  EXPECT_EQ(*file_->read_at(0, back, sizeof back), 11U);
  EXPECT_STREQ(back, "01234567ABC");
}

TEST_F(SimulatedDiskTest, ASyncErrorStrikesBothKindsOfSync) {
  disk_.fail_call(0, Fault::sync_error);
  EXPECT_TRUE(file_->write_at(0, "x", 1).ok());
  EXPECT_TRUE(file_->sync().is(StatusCode::io_error));
  disk_.fail_call(0, Fault::sync_error);
  EXPECT_TRUE(disk_.sync_directory("d").is(StatusCode::io_error));
  EXPECT_TRUE(disk_.sync_directory("d").ok());
}

TEST_F(SimulatedDiskTest, TheNthCallFailsOnce) {
  disk_.fail_call(2, Fault::io_error);
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_FALSE(file_->sync().ok());
  EXPECT_TRUE(file_->sync().ok());
  disk_.fail_call(1, Fault::io_error);
  EXPECT_FALSE(disk_.fault_happened());
  EXPECT_TRUE(file_->sync().ok());
  disk_.clear_faults();
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_FALSE(disk_.fault_happened());
}

TEST_F(SimulatedDiskTest, ALimitOnItsBytesIsKept) {
  disk_.set_capacity(20);
  EXPECT_TRUE(file_->write_at(10, "abcde", 5).ok());
  EXPECT_TRUE(file_->write_at(0, "0123456789", 10).ok());  // needs no room
  EXPECT_TRUE(file_->write_at(15, "0123456789", 10).is(StatusCode::no_space));
  EXPECT_EQ(*file_->size(), 20U);  // what there was room for
  EXPECT_TRUE(file_->truncate(21).is(StatusCode::no_space));
  const auto other = *disk_.open("b", OpenMode::create);
  EXPECT_TRUE(other->write_at(0, "x", 1).is(StatusCode::no_space));
  EXPECT_TRUE(file_->truncate(12).ok());
  EXPECT_TRUE(other->write_at(0, "01234567", 8).ok());
  EXPECT_TRUE(disk_.remove("d/a").ok());
  EXPECT_TRUE(other->write_at(8, "012345678901", 12).ok());
  EXPECT_TRUE(other->write_at(20, "x", 1).is(StatusCode::no_space));
  EXPECT_TRUE(disk_.rename("b", "c").ok());
  EXPECT_TRUE(other->write_at(20, "x", 1).is(StatusCode::no_space));
  disk_.set_capacity(0);
  EXPECT_TRUE(other->write_at(20, "x", 1).ok());
}

TEST_F(SimulatedDiskTest, ALimitHoldsAfterACrash) {
  ASSERT_TRUE(file_->sync().ok() && disk_.sync_directory("d").ok() && disk_.sync_directory("").ok());
  disk_.set_capacity(20);
  const auto after = disk_.crash(0);
  const auto file = *after->open("d/a", OpenMode::read_write);
  EXPECT_TRUE(file->write_at(10, "0123456789", 10).ok());
  EXPECT_TRUE(file->write_at(20, "x", 1).is(StatusCode::no_space));
}

TEST_F(SimulatedDiskTest, AReplacedFileGivesItsBytesBack) {
  const auto other = *disk_.open("b", OpenMode::create);
  disk_.set_capacity(15);
  EXPECT_TRUE(disk_.rename("b", "d/a").ok());
  EXPECT_TRUE(other->write_at(0, "0123456789abcde", 15).ok());
}

TEST_F(SimulatedDiskTest, CountsAndReportsChangesOnly) {
  std::vector<std::uint64_t> told;
  disk_.on_change([&](std::uint64_t number) {
    EXPECT_EQ(number, disk_.change_count());  // no mutex is held
    told.push_back(number);
  });
  const std::uint64_t before = disk_.change_count();
  char buffer[4];
  EXPECT_TRUE(file_->read_at(0, buffer, 4).ok());
  EXPECT_TRUE(file_->size().ok());
  EXPECT_TRUE(disk_.open("d/a", OpenMode::create).ok());
  EXPECT_TRUE(disk_.create_directory("d").ok());
  EXPECT_TRUE(file_->write_at(0, "", 0).ok());
  EXPECT_EQ(disk_.change_count(), before);
  EXPECT_TRUE(file_->write_at(0, "x", 1).ok());
  EXPECT_TRUE(file_->truncate(5).ok());
  EXPECT_TRUE(file_->sync().ok());
  file_->discard(0, 5);
  EXPECT_TRUE(disk_.open("n", OpenMode::create).ok());
  EXPECT_TRUE(disk_.rename("n", "m").ok());
  EXPECT_TRUE(disk_.remove("m").ok());
  EXPECT_TRUE(disk_.create_directory("e").ok());
  EXPECT_TRUE(disk_.sync_directory("e").ok());
  EXPECT_EQ(told.size(), 9U);
  EXPECT_EQ(told.back(), before + 9);
  disk_.on_change({});
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_EQ(told.size(), 9U);
  EXPECT_EQ(disk_.change_count(), before + 10);
}

TEST_F(SimulatedDiskTest, AnObserverMayCrashTheDiskAtEveryChange) {
  int states = 0;
  disk_.on_change([&](std::uint64_t number) { states += disk_.crash(number)->list("").ok() ? 1 : 0; });
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(file_->write_at(0, "x", 1).ok());
  EXPECT_EQ(states, 10);
}

TEST_F(SimulatedDiskTest, LocksAreNotCarriedOver) {
  const auto lock = disk_.lock("lock");
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE(disk_.sync_directory("").ok());
  const auto after = disk_.crash(0);
  EXPECT_TRUE(after->lock("lock").ok());
  EXPECT_TRUE(disk_.lock("lock").status().is(StatusCode::busy));
}

TEST(SimulatedDiskLifeTest, AFileOutlivesItsDisk) {
  auto disk = std::make_unique<SimulatedDisk>();
  const auto file = *disk->open("a", OpenMode::create);
  const auto lock = *disk->lock("b");
  disk.reset();
  EXPECT_TRUE(file->write_at(0, "x", 1).ok());
}

TEST(SimulatedDiskThreadsTest, CrashesWhileInUseAreWhole) {
  SimulatedDisk disk;
  const auto file = *disk.open("a", OpenMode::create);
  const std::string page(4096, 'p');
  ASSERT_TRUE(file->write_at(0, page.data(), page.size()).ok() && file->sync().ok());
  ASSERT_TRUE(disk.sync_directory("").ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (std::uint64_t i = 1; !stop.load(); ++i) {
      EXPECT_TRUE(file->write_at((i % 50) * 4096, page.data(), page.size()).ok());
      if (i % 20 == 0) {
        EXPECT_TRUE(file->sync().ok());
      }
    }
  });
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto after = disk.crash(seed);
    const auto found = *after->open("a", OpenMode::read_write);
    std::string back(4096, '\0');
    EXPECT_EQ(*found->read_at(0, back.data(), back.size()), 4096U);
    EXPECT_EQ(back, page);
    EXPECT_TRUE(found->write_at(0, "q", 1).ok());
  }
  stop.store(true);
  writer.join();
}

}  // namespace
}  // namespace isolith::base
