// The version store: newest first whatever grows, exact removal, and its figures; the undo log's memory.
#include "mvcc/version_store.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::mvcc {
namespace {

Version* add(VersionStore& store, UndoLog& log, TableId table, const std::string& key,
             const std::string& value) {
  Version* version = log.make(key, value);
  version->table = table;
  version->hash = VersionStore::hash_of(table, key);
  log.link(version);
  store.insert(version);
  return version;
}

std::vector<std::string> values_of(VersionStore& store, TableId table, std::string_view key) {
  std::vector<std::string> values;
  EXPECT_FALSE(store.find(table, key, [&](const Version& version) {
    values.emplace_back(version.value());
    return false;
  }));
  return values;
}

TEST(VersionStore, FindsTheNewestFirstAndStopsWhenTold) {
  VersionStore store;
  UndoLog log;
  add(store, log, TableId{1}, "key", "old");
  add(store, log, TableId{2}, "key", "another table's");
  add(store, log, TableId{1}, "key", "new");
  EXPECT_EQ(values_of(store, TableId{1}, "key"), (std::vector<std::string>{"new", "old"}));
  std::string met;
  EXPECT_TRUE(store.find(TableId{1}, "key", [&](const Version& version) {
    met += version.value();
    return true;
  }));
  EXPECT_EQ(met, "new");
  EXPECT_TRUE(values_of(store, TableId{3}, "key").empty());
}

TEST(VersionStore, AgreesWithAModelWhileItGrowsAndShrinks) {
  base::Random random(testing::test_seed());
  VersionStore store;
  UndoLog log;
  std::map<std::pair<TableId, std::string>, std::vector<Version*>> model;  // newest last
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for (std::uint64_t step = 0; step < 60000; ++step) {
    const TableId table{static_cast<std::uint32_t>(1 + random.below(2))};
    const std::string key = std::string(random.below(3) * 12, 'k') + std::to_string(random.below(6000));
    auto& versions = model[{table, key}];
    if (versions.empty() || random.chance(step < 40000 ? 80 : 20, 100)) {
      versions.push_back(add(store, log, table, key, std::to_string(step)));
      ++count;
      bytes += sizeof(Version) + key.size() + versions.back()->value_size;
    } else {
      const auto at = versions.begin() + static_cast<std::ptrdiff_t>(random.below(versions.size()));
      bytes -= sizeof(Version) + key.size() + (*at)->value_size;
      --count;
      store.remove(*at);
      versions.erase(at);
    }
    std::vector<std::string> expected;
    for (auto at = versions.rbegin(); at != versions.rend(); ++at) expected.emplace_back((*at)->value());
    ASSERT_EQ(values_of(store, table, key), expected) << key;
    ASSERT_EQ(store.count(), count);
    ASSERT_EQ(store.bytes(), bytes);
  }
  for (const auto& [name, versions] : model) {
    std::vector<std::string> expected;
    for (auto at = versions.rbegin(); at != versions.rend(); ++at) expected.emplace_back((*at)->value());
    ASSERT_EQ(values_of(store, name.first, name.second), expected) << name.second;
  }
}

TEST(VersionStore, ThreadsWithKeysOfTheirOwnDoNotDisturbEachOther) {
  constexpr std::uint32_t kThreads = 4;
  VersionStore store;
  std::atomic<int> wrong{0};
  const auto work = [&](std::uint32_t self) {
    base::Random random(testing::test_seed() + self);
    UndoLog log;
    std::map<std::string, std::vector<Version*>> mine;
    for (int step = 0; step < 20000; ++step) {
      const std::string key = std::to_string(self) + "/" + std::to_string(random.below(2000));
      auto& versions = mine[key];
      if (versions.empty() || random.chance(6, 10)) {
        versions.push_back(add(store, log, TableId{1}, key, std::to_string(step)));
      } else {
        store.remove(versions.back());
        versions.pop_back();
      }
      const Version* newest = nullptr;
      store.find(TableId{1}, key, [&](const Version& version) { return (newest = &version) != nullptr; });
      if (newest != (versions.empty() ? nullptr : versions.back())) ++wrong;
    }
    for (auto& [key, versions] : mine) {
      for (Version* version : versions) store.remove(version);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t self = 0; self < kThreads; ++self) threads.emplace_back(work, self);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(store.count(), 0U);
  EXPECT_EQ(store.bytes(), 0U);
}

TEST(UndoLog, KeepsEveryVersionWhereItIs) {
  base::Random random(testing::test_seed());
  UndoLog log;
  for (int life = 0; life < 3; ++life) {
    std::vector<std::pair<std::string, std::string>> put;
    for (int i = 0; i < 500; ++i) {
      put.emplace_back(std::string(random.below(2049), static_cast<char>('a' + i % 26)),
                       std::string(random.below(3000), static_cast<char>('A' + i % 26)));
      Version* version = log.make(put.back().first, put.back().second);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(version) % alignof(Version), 0U);
      log.link(version);
    }
    EXPECT_EQ(log.count, put.size());
    for (const Version* version = log.newest; version != nullptr; version = version->older_in_log) {
      ASSERT_FALSE(put.empty());
      ASSERT_EQ(version->key(), put.back().first);
      ASSERT_EQ(version->value(), put.back().second);
      put.pop_back();
    }
    EXPECT_TRUE(put.empty());
    log.reset();
    EXPECT_EQ(log.count, 0U);
    EXPECT_EQ(log.bytes(), 0U);
    EXPECT_EQ(log.newest, nullptr);
  }
}

TEST(VersionStoreDeathTest, RemovingAVersionTwiceEndsTheProcess) {
  VersionStore store;
  UndoLog log;
  Version* version = add(store, log, TableId{1}, "key", "value");
  store.remove(version);
  EXPECT_DEATH(store.remove(version), "a version is removed once");
}

}  // namespace
}  // namespace isolith::mvcc
