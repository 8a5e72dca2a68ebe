// The crash model of names: durable once their directory is synced, otherwise drawn, and never a mixture that
// no order of the calls can explain.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/random.h"
#include "base/simulated_disk.h"
#include "tests/support/seed.h"

namespace isolith::base {
namespace {

std::string read_file(SimulatedDisk& disk, const std::string& path) {
  const auto file = disk.open(path, OpenMode::read_only);
  if (!file.ok()) return file.status().to_string();
  std::string bytes((*file)->size().value_or(0), '\0');
  EXPECT_EQ((*file)->read_at(0, bytes.data(), bytes.size()).value_or(0), bytes.size());
  return bytes;
}

// "name=contents" of all files below a directory, in order, with spaces between.
std::string tree(SimulatedDisk& disk, const std::string& directory) {
  std::string text;
  const auto names = disk.list(directory);
  if (!names.ok()) return names.status().to_string();
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    if (!text.empty()) text += " ";
    if (disk.list(path).ok()) {
      text += name + "{" + tree(disk, path) + "}";
    } else {
      text += name + "=" + read_file(disk, path);
    }
  }
  return text;
}

class SimulatedNamesTest : public ::testing::Test {
 protected:
  // Makes or replaces a file whose bytes are synced; its name is not.
  void put(const std::string& path, const std::string& bytes) {
    const auto file = *disk_.open(path, OpenMode::create);
    ASSERT_TRUE(file->truncate(0).ok());
    ASSERT_TRUE(file->write_at(0, bytes.data(), bytes.size()).ok());
    ASSERT_TRUE(file->sync().ok());
  }
  void sync(const std::string& path = "/") { ASSERT_TRUE(disk_.sync_directory(path).ok()); }
  void fail_sync(const std::string& path = "/") {
    disk_.fail_call(0, Fault::sync_error);
    ASSERT_TRUE(disk_.sync_directory(path).is(StatusCode::io_error));
  }
  void rename(const std::string& from, const std::string& to) { ASSERT_TRUE(disk_.rename(from, to).ok()); }

  std::set<std::string> crashes() {
    std::set<std::string> seen;
    for (std::uint64_t i = 0; i < 400; ++i) seen.insert(tree(*disk_.crash(seed_ + i), ""));
    return seen;
  }

  using Set = std::set<std::string>;
  const std::uint64_t seed_ = testing::test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, seed_};
  SimulatedDisk disk_;
};

TEST_F(SimulatedNamesTest, AnUnsyncedNameSurvivesOrNotAndKeepsItsBytes) {
  put("a", "1");
  EXPECT_EQ(crashes(), (Set{"", "a=1"}));
  sync();
  EXPECT_EQ(crashes(), Set{"a=1"});
}

TEST_F(SimulatedNamesTest, ADurableNameDoesNotMakeBytesDurable) {
  const auto file = *disk_.open("a", OpenMode::create);
  ASSERT_TRUE(file->write_at(0, "1", 1).ok());
  sync();
  EXPECT_EQ(crashes(), (Set{"a=", std::string("a=\0", 3), "a=1"}));
}

TEST_F(SimulatedNamesTest, AnUnsyncedRemovalSurvivesOrNot) {
  put("a", "1");
  sync();
  ASSERT_TRUE(disk_.remove("a").ok());
  EXPECT_EQ(crashes(), (Set{"", "a=1"}));
  sync();
  EXPECT_EQ(crashes(), Set{""});
}

TEST_F(SimulatedNamesTest, ARenameIsAllOrNothing) {
  put("current", "old");
  put("temporary", "new");
  sync();
  rename("temporary", "current");
  EXPECT_EQ(crashes(), (Set{"current=old temporary=new", "current=new"}));
  sync();
  EXPECT_EQ(crashes(), Set{"current=new"});
}

TEST_F(SimulatedNamesTest, UnrelatedChangesSurviveInAnyCombination) {
  put("a", "1");
  put("b", "2");
  EXPECT_EQ(crashes(), (Set{"", "a=1", "b=2", "a=1 b=2"}));
}

TEST_F(SimulatedNamesTest, RelatedChangesSurviveInOrder) {
  put("a", "1");
  rename("a", "b");
  rename("b", "c");
  EXPECT_EQ(crashes(), (Set{"", "a=1", "b=1", "c=1"}));
}

TEST_F(SimulatedNamesTest, ANameUsedAgainIsTheOldOrTheNewFile) {
  put("a", "1");
  sync();
  ASSERT_TRUE(disk_.remove("a").ok());
  put("a", "2");
  EXPECT_EQ(crashes(), (Set{"", "a=1", "a=2"}));
}

TEST_F(SimulatedNamesTest, ADirectorySyncsItsOwnNamesOnly) {
  ASSERT_TRUE(disk_.create_directory("d").ok());
  put("d/a", "1");
  sync("d");
  EXPECT_EQ(crashes(), (Set{"", "d{a=1}"}));
  sync();
  put("d/b", "2");
  sync();
  EXPECT_EQ(crashes(), (Set{"d{a=1}", "d{a=1 b=2}"}));
}

TEST_F(SimulatedNamesTest, ARenameAcrossDirectoriesIsDurableWithEitherOfThem) {
  ASSERT_TRUE(disk_.create_directory("d").ok());
  sync();
  put("a", "1");
  rename("a", "d/b");
  EXPECT_EQ(crashes(), (Set{"d{}", "a=1 d{}", "d{b=1}"}));
  sync("d");  // brings the earlier change of "a" along: the name must not come back
  EXPECT_EQ(crashes(), Set{"d{b=1}"});
}

TEST_F(SimulatedNamesTest, WhatMetAFailedSyncIsNotMadeDurableByAGoodOne) {
  put("a", "1");
  fail_sync();
  put("b", "2");
  sync();
  EXPECT_EQ(crashes(), (Set{"b=2", "a=1 b=2"}));
  rename("a", "c");
  sync();  // cannot be durable without what came before it
  EXPECT_EQ(crashes(), Set{"b=2 c=1"});
}

TEST_F(SimulatedNamesTest, WithoutTrackingACrashLosesNothing) {
  SimulatedDisk disk(false);
  const auto file = *disk.open("a", OpenMode::create);
  ASSERT_TRUE(file->write_at(0, "1", 1).ok());
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(tree(*disk.crash(seed), ""), "a=1");
}

// Each file has contents of its own, so its fate can be followed through any renames.
TEST_F(SimulatedNamesTest, RandomHistoriesNeverDoubleMixOrLoseWhatIsDurable) {
  for (std::uint64_t history = 0; history < 100; ++history) {
    Random random(seed_ + history);
    SimulatedDisk disk;
    std::map<std::string, std::string> durable;  // names as they were when synced
    std::set<std::string> touched;               // names changed since
    const auto name = [&] { return std::string(1, static_cast<char>('a' + random.below(5))); };
    for (int step = 0; step < 40; ++step) {
      const std::string from = name();
      const std::string to = name();
      const std::uint64_t action = random.below(5);
      if (action < 2) {
        const std::string bytes = std::to_string(step) + "!";
        if (auto file = disk.open(from, OpenMode::create_new); file.ok()) {
          ASSERT_TRUE((*file)->write_at(0, bytes.data(), bytes.size()).ok() && (*file)->sync().ok());
          touched.insert(from);
        }
      } else if (action == 2) {
        if (disk.remove(from).ok()) touched.insert(from);
      } else if (action == 3) {
        if (disk.rename(from, to).ok()) touched.insert({from, to});
      } else {
        ASSERT_TRUE(disk.sync_directory("").ok());
        touched.clear();
        durable.clear();
        for (const std::string& each : disk.list("").value_or({})) durable[each] = read_file(disk, each);
      }
      const auto after = disk.crash(random.next());
      std::set<std::string> seen;
      for (const std::string& each : after->list("").value_or({})) {
        const std::string bytes = read_file(*after, each);
        ASSERT_TRUE(bytes.size() >= 2 && bytes.back() == '!') << "half a file";
        ASSERT_TRUE(seen.insert(bytes).second) << "one file under two names";
        ASSERT_TRUE(durable.contains(each) || touched.contains(each)) << "a name from nowhere";
      }
      for (const auto& [each, contents] : durable)
        ASSERT_TRUE(touched.contains(each) || read_file(*after, each) == contents)
            << "a durable name changed";
    }
  }
}

}  // namespace
}  // namespace isolith::base
