// The crash model of one file's bytes: what was synced survives, the rest in any mixture that file.h allows
// and no other.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/simulated_disk.h"
#include "tests/support/seed.h"

namespace isolith::base {
namespace {

constexpr std::size_t kSectorBytes = 512;

std::string read_file(SimulatedDisk& disk, const std::string& path) {
  auto file = disk.open(path, OpenMode::read_only);
  if (!file.ok()) return file.status().to_string();
  std::string bytes((*file)->size().value_or(0), '\0');
  EXPECT_EQ((*file)->read_at(0, bytes.data(), bytes.size()).value_or(0), bytes.size());
  return bytes;
}

// For people: "512*a 512*b", zero bytes as '0'.
std::string outline(const std::string& bytes) {
  std::string text;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find_first_not_of(bytes[begin], begin), bytes.size());
    text.append(text.empty() ? "" : " ").append(std::to_string(end - begin)).append("*");
    text.push_back(bytes[begin] == '\0' ? '0' : bytes[begin]);
    begin = end;
  }
  return text;
}

class SimulatedCrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = *disk_.open("a", OpenMode::create);
    ASSERT_TRUE(disk_.sync_directory("/").ok());
  }

  void write(std::uint64_t offset, const std::string& bytes) {
    ASSERT_TRUE(file_->write_at(offset, bytes.data(), bytes.size()).ok());
  }

  void fail_sync() {
    disk_.fail_call(0, Fault::sync_error);
    ASSERT_TRUE(file_->sync().is(StatusCode::io_error));
  }

  // The contents of "a" after each of many crashes.
  std::set<std::string> crashes(int count = 600) {
    std::set<std::string> seen;
    for (int i = 0; i < count; ++i)
      seen.insert(read_file(*disk_.crash(seed_ + static_cast<std::uint64_t>(i)), "a"));
    return seen;
  }

  // Every one of these is seen, and no other.
  void expect_states(const std::set<std::string>& expected) {
    std::set<std::string> expected_outlines;
    std::set<std::string> seen_outlines;
    for (const std::string& bytes : expected) expected_outlines.insert(outline(bytes));
    for (const std::string& bytes : crashes()) seen_outlines.insert(outline(bytes));
    EXPECT_EQ(seen_outlines, expected_outlines);
  }

  const std::uint64_t seed_ = testing::test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, seed_};
  SimulatedDisk disk_;
  std::unique_ptr<File> file_;
};

const std::string kA(kSectorBytes, 'a');
const std::string kB(kSectorBytes, 'b');
const std::string kC(kSectorBytes, 'c');
const std::string kZeros(kSectorBytes, '\0');

TEST_F(SimulatedCrashTest, SyncedBytesAlwaysSurvive) {
  write(0, kA + kB);
  write(100, "middle");
  ASSERT_TRUE(file_->sync().ok());
  expect_states({read_file(disk_, "a")});
}

TEST_F(SimulatedCrashTest, AnUnsyncedWriteSurvivesVanishesAndTears) {
  write(0, kA + kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB + kB);
  expect_states({kA + kA, kA + kB, kB + kA, kB + kB});
}

TEST_F(SimulatedCrashTest, WritesOvertakeEachOther) {
  write(0, kA + kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB);
  write(kSectorBytes, kC);
  expect_states({kA + kA, kA + kC, kB + kA, kB + kC});
}

TEST_F(SimulatedCrashTest, AnOlderUnsyncedWriteMaySurviveANewerOne) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB);
  write(0, kC);
  expect_states({kA, kB, kC});
}

TEST_F(SimulatedCrashTest, ASectorNeverTears) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(10, "xy");
  write(200, "z");
  std::string first = kA;
  first[10] = 'x';
  first[11] = 'y';
  std::string both = first;
  both[200] = 'z';
  expect_states({kA, first, both});
}

TEST_F(SimulatedCrashTest, AnUnsyncedLengthSurvivesOrNot) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(kSectorBytes, kB);
  expect_states({kA, kA + kZeros, kA + kB});
}

TEST_F(SimulatedCrashTest, AnUnsyncedCutSurvivesOrNot) {
  write(0, kA + kB);
  ASSERT_TRUE(file_->sync().ok());
  ASSERT_TRUE(file_->truncate(100).ok());
  expect_states({kA + kB, kA.substr(0, 100)});
  ASSERT_TRUE(file_->sync().ok());
  ASSERT_TRUE(file_->truncate(kSectorBytes).ok());
  ASSERT_TRUE(file_->sync().ok());
  expect_states({kA.substr(0, 100) + std::string(kSectorBytes - 100, '\0')});
}

TEST_F(SimulatedCrashTest, WhatWasCutBeforeASurvivingLengthDoesNotComeBack) {
  write(0, kA + kA);
  ASSERT_TRUE(file_->sync().ok());
  ASSERT_TRUE(file_->truncate(0).ok());
  write(0, kB);
  // The fourth: a sector of 4 KiB holds the cut and the write, the old length survives.
  expect_states({kA + kA, kB + kA, "", kB + kZeros, kZeros, kB});
}

TEST_F(SimulatedCrashTest, ASurvivingCutTakesTheWritesBeforeIt) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB);
  ASSERT_TRUE(file_->truncate(0).ok());
  ASSERT_TRUE(file_->truncate(4 * kSectorBytes).ok());  // this length is there only where the cut is
  expect_states({kA, kB, "", kZeros + kZeros + kZeros + kZeros});
}

TEST_F(SimulatedCrashTest, AnUnsyncedDiscardSurvivesOrNot) {
  const std::string page(4096, 'p');
  write(0, page + page);
  ASSERT_TRUE(file_->sync().ok());
  file_->discard(0, 4096);
  const std::string discarded = std::string(4096, '\0') + page;
  expect_states({page + page, discarded});
  ASSERT_TRUE(file_->sync().ok());
  expect_states({discarded});
}

TEST_F(SimulatedCrashTest, SomeCrashesTearAtFourKibibytes) {
  const std::string old_page(4096, 'o');
  const std::string new_page(4096, 'n');
  write(0, old_page + old_page);
  ASSERT_TRUE(file_->sync().ok());
  write(0, new_page + new_page);
  const std::set<std::string> seen = crashes();
  EXPECT_TRUE(seen.contains(old_page + new_page));
  EXPECT_TRUE(seen.contains(new_page + old_page));
  EXPECT_GT(seen.size(), 20U);  // and others at 512 bytes
}

TEST_F(SimulatedCrashTest, WhatMetAFailedSyncIsNotMadeDurableByAGoodOne) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB);
  fail_sync();
  EXPECT_EQ(read_file(disk_, "a"), kB);  // the cache still has it
  write(kSectorBytes, kC);
  ASSERT_TRUE(file_->sync().ok());
  expect_states({kA + kC, kB + kC});
  write(0, kC);  // written again, and synced: now it is durable
  ASSERT_TRUE(file_->sync().ok());
  expect_states({kC + kC});
}

TEST_F(SimulatedCrashTest, NewBytesInASectorThatMetAFailedSyncAreDurableOnceSynced) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, kB);
  fail_sync();
  write(100, kC.substr(0, 100));
  ASSERT_TRUE(file_->sync().ok());
  const auto with_c = [](std::string sector) { return sector.replace(100, 100, kC, 0, 100); };
  // The lost write is in two pieces now, which share their sector's fate in any order.
  for (const std::string& seen : crashes()) {
    EXPECT_EQ(seen.substr(100, 100), kC.substr(0, 100));
    EXPECT_EQ(seen.size(), kSectorBytes);
  }
  EXPECT_TRUE(crashes().contains(with_c(kA)));
  EXPECT_TRUE(crashes().contains(with_c(kB)));
}

TEST_F(SimulatedCrashTest, ACrashIsAsGoodAsItsSeed) {
  write(0, std::string(20'000, 'x'));
  write(5000, std::string(10'000, 'y'));
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_EQ(read_file(*disk_.crash(seed), "a"), read_file(*disk_.crash(seed), "a"));
}

TEST_F(SimulatedCrashTest, WhatACrashLeftIsDurable) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  write(0, std::string(20'000, 'b'));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto once = disk_.crash(seed);
    const std::string found = read_file(*once, "a");
    for (std::uint64_t again = 0; again < 10; ++again) EXPECT_EQ(read_file(*once->crash(again), "a"), found);
  }
}

TEST_F(SimulatedCrashTest, TheDisksOfACrashAreApart) {
  write(0, kA);
  ASSERT_TRUE(file_->sync().ok());
  const auto after = disk_.crash(1);
  const auto file = *after->open("a", OpenMode::read_write);
  ASSERT_TRUE(file->write_at(0, kB.data(), kB.size()).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(read_file(disk_, "a"), kA);
  write(0, kC);
  EXPECT_EQ(read_file(*after, "a"), kB);
  EXPECT_EQ(read_file(*after->crash(0), "a"), kB);
}

// A plain model: for each byte the values that it may have after a crash, and whether the last one met a
// failed sync.
class ByteModel {
 public:
  void write(std::size_t offset, const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) set(offset + i, bytes[i]);
    size_now_ = std::max(size_now_, offset + bytes.size());
    sizes_.insert(size_now_);
  }
  void truncate(std::size_t size) {
    for (std::size_t i = size; i < bytes_.size(); ++i) set(i, '\0');
    size_now_ = size;
    sizes_.insert(size_now_);
  }
  void sync(bool good) {
    for (Byte& byte : bytes_) {
      if (!good) byte.is_doomed = byte.is_dirty;
      if (!good || byte.is_doomed) continue;
      byte.may_be = {byte.now};
      byte.is_dirty = false;
    }
    if (good) sizes_ = {size_now_};
  }
  // "" or what is wrong.
  [[nodiscard]] std::string judge(const std::string& found) const {
    if (!sizes_.contains(found.size()))
      return std::string("a length of ").append(std::to_string(found.size()));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (i >= bytes_.size() ? found[i] != '\0' : !bytes_[i].may_be.contains(found[i]))
        return std::string("byte ").append(std::to_string(i)).append(" is ").append(std::to_string(found[i]));
    }
    return "";
  }

 private:
  struct Byte {
    char now = '\0';
    bool is_dirty = false;
    bool is_doomed = false;
    std::set<char> may_be = {'\0'};
  };
  void set(std::size_t at, char value) {
    if (at >= bytes_.size()) bytes_.resize(at + 1);
    bytes_[at].now = value;
    bytes_[at].is_dirty = true;
    bytes_[at].is_doomed = false;
    bytes_[at].may_be.insert(value);
  }

  std::size_t size_now_ = 0;
  std::vector<Byte> bytes_;
  std::set<std::size_t> sizes_ = {0};
};

TEST_F(SimulatedCrashTest, RandomHistoriesStayWithinTheModel) {
  for (std::uint64_t history = 0; history < 60; ++history) {
    Random random(seed_ + history);
    SimulatedDisk disk;
    const auto file = *disk.open("a", OpenMode::create);
    ASSERT_TRUE(disk.sync_directory("").ok());
    ByteModel model;
    for (int step = 0; step < 40; ++step) {
      const std::size_t offset = random.below(6000);
      const std::uint64_t action = random.below(10);
      if (action == 0) {
        ASSERT_TRUE(file->truncate(offset).ok());
        model.truncate(offset);
      } else if (action == 1) {
        ASSERT_TRUE(file->sync().ok());
        model.sync(true);
      } else if (action == 2) {
        disk.fail_call(0, Fault::sync_error);
        ASSERT_FALSE(file->sync().ok());
        model.sync(false);
      } else {
        std::string bytes(1 + random.below(2000), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.next());
        ASSERT_TRUE(file->write_at(offset, bytes.data(), bytes.size()).ok());
        model.write(offset, bytes);
      }
      for (std::uint64_t crash = 0; crash < 6; ++crash)
        ASSERT_EQ(model.judge(read_file(*disk.crash(random.next()), "a")), "")
            << "history " << history << " step " << step;
    }
  }
}

}  // namespace
}  // namespace isolith::base
