// The tree against std::map: rows, shape, pages given back, and threads with keys of their own.
#include "btree/btree.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/random.h"
#include "tests/btree/tree_fixture.h"
#include "tests/support/seed.h"

namespace isolith::btree {
namespace {

using Model = std::map<std::string, std::string>;

std::string number_key(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "row/" + std::string(10 - digits.size(), '0') + digits;
}

TEST(BTree, AgreesWithAMapWhileItGrowsAndShrinks) {
  base::Random random(testing::test_seed());
  const CacheFixture fixture(pages::kCacheBytesMin);
  Tree tree(*fixture.cache);
  Model model;
  for (int step = 0; step < 40000; ++step) {
    const bool growing = step / 10000 % 2 == 0;
    std::string key = std::to_string(random.below(8000));
    if (random.chance(1, 3)) key.insert(0, random.below(200), 'p');
    if (random.chance(growing ? 8 : 2, 10)) {
      const std::string value(random.chance(1, 50) ? random.below(3000) : random.below(120),
                              static_cast<char>('a' + step % 26));
      ASSERT_TRUE(tree.put(key, value).ok());
      model[key] = value;
    } else {
      if (random.chance(1, 2) && !model.empty()) {
        const auto at = model.lower_bound(key);
        if (at != model.end()) key = at->first;
      }
      const Status status = tree.erase(key);
      ASSERT_EQ(status.code(), model.erase(key) != 0 ? StatusCode::ok : StatusCode::not_found);
    }
    const auto expected = model.find(key);
    const Result<std::string> found = tree.get(key);
    ASSERT_EQ(found.ok(), expected != model.end());
    if (found.ok()) {
      ASSERT_EQ(*found, expected->second);
    }
    if (step % 2500 == 2499) tree.expect_rows(model);
    if (HasFailure()) return;
  }
}

TEST(BTree, LoadingInKeyOrderFillsTheLeaves) {
  const CacheFixture fixture;
  Tree tree(*fixture.cache);
  Model model;
  for (std::uint64_t i = 0; i < 30000; ++i) {
    ASSERT_TRUE(tree.put(number_key(i), std::string(100, 'v')).ok());
    model[number_key(i)] = std::string(100, 'v');
  }
  const TreeStats stats = tree.expect_rows(model);
  EXPECT_GT(static_cast<double>(stats.leaf_used_bytes),
            0.9 * static_cast<double>(stats.leaf_pages * pages::kPageBytes));
  EXPECT_EQ(stats.height, 3U);
}

TEST(BTree, ErasingEverythingGivesThePagesBack) {
  for (const int order : {0, 1, 2}) {
    SCOPED_TRACE(order);
    base::Random random(testing::test_seed());
    const CacheFixture fixture;
    Tree tree(*fixture.cache);
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < 20000; ++i) {
      keys.push_back(number_key(i));
      ASSERT_TRUE(tree.put(keys.back(), std::string(100, 'v')).ok());
    }
    const std::uint32_t full = fixture.pages_in_use();
    EXPECT_GT(full, 250U);
    if (order == 1) std::reverse(keys.begin(), keys.end());
    if (order == 2) {
      for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.below(i)]);
    }
    for (const std::string& key : keys) ASSERT_TRUE(tree.erase(key).ok());
    tree.expect_rows(Model());
    EXPECT_LE(fixture.pages_in_use(), 5U);
  }
}

TEST(BTree, KeysOfTheGreatestLengthHaveRoom) {
  base::Random random(testing::test_seed());
  const CacheFixture fixture;
  Tree tree(*fixture.cache);
  Model model;
  for (int step = 0; step < 3000; ++step) {
    // Where they differ is drawn: long separators, and long common prefixes.
    std::string key(kKeyBytesMax, 'k');
    const std::uint64_t at = random.chance(1, 2) ? kKeyBytesMax - 8 : random.below(kKeyBytesMax - 8);
    for (std::size_t i = 0; i < 4; ++i) key[at + i] = static_cast<char>('a' + random.below(26));
    if (random.chance(1, 4)) key.resize(at + 8);
    if (random.chance(7, 10)) {
      const std::string value(random.below(kInlineRowBytesMax - kKeyBytesMax), 'v');
      ASSERT_TRUE(tree.put(key, value).ok());
      model[key] = value;
    } else if (!model.empty()) {
      const auto found = model.lower_bound(key);
      const std::string erased = found == model.end() ? model.begin()->first : found->first;
      ASSERT_TRUE(tree.erase(erased).ok());
      model.erase(erased);
    }
    if (step % 500 == 499) tree.expect_rows(model);
    if (HasFailure()) return;
  }
}

TEST(BTree, FreeingTheTreeTellsEveryRowAndGivesEveryPageBack) {
  const CacheFixture fixture;
  Tree tree(*fixture.cache);
  for (std::uint64_t i = 0; i < 5000; ++i) ASSERT_TRUE(tree.put(number_key(i), "v").ok());
  std::uint64_t rows = 0;
  ASSERT_TRUE(tree.tree().free_all([&rows](const RowView&) {
    ++rows;
    return Status();
  }).ok());
  EXPECT_EQ(rows, 5000U);
  EXPECT_EQ(fixture.pages_in_use(), 0U);
}

TEST(BTree, ARowThatIsOnlyLockedIsNoProblem) {
  const CacheFixture fixture;
  Tree tree(*fixture.cache);
  {
    ExclusiveGuard leaf;
    ASSERT_TRUE(tree.tree().lock_leaf("key", leaf).ok());
    Node& node = *Node::at(leaf.edit());
    ASSERT_TRUE(node.insert_row(0, "key", TransactionId{1}, RowFlags::locked, "value"));
  }
  tree.expect_rows(Model{{"key", "value"}});
}

TEST(BTree, ThreadsWithKeysOfTheirOwnLeaveAWholeTree) {
  constexpr std::uint64_t kThreads = 4;
  const CacheFixture fixture(pages::kCacheBytesMin);
  Tree tree(*fixture.cache);
  std::atomic<int> wrong{0};
  Model models[kThreads];
  const auto work = [&](std::uint64_t self) {
    base::Random random(testing::test_seed() + self);
    Model& mine = models[self];
    for (int step = 0; step < 15000; ++step) {
      const bool growing = step / 5000 % 2 == 0;
      // Neighbouring keys belong to different threads, so that all of them meet in the same leaves.
      const std::string key = number_key(random.below(3000) * kThreads + self);
      if (random.chance(growing ? 8 : 2, 10)) {
        const std::string value(random.below(200), static_cast<char>('a' + self));
        if (!tree.put(key, value).ok()) ++wrong;
        mine[key] = value;
      } else if (tree.erase(key).ok() != (mine.erase(key) != 0)) {
        ++wrong;
      }
      const Result<std::string> found = tree.get(key);
      const auto expected = mine.find(key);
      if (found.ok() != (expected != mine.end()) || (found.ok() && *found != expected->second)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t self = 0; self < kThreads; ++self) threads.emplace_back(work, self);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  Model all;
  for (Model& model : models) all.merge(model);
  tree.expect_rows(all);
}

TEST(BTree, TheRightLeafIsFoundUntilTheParentChanges) {
  const CacheFixture fixture;
  Tree tree(*fixture.cache);
  for (std::uint64_t i = 0; i < 30000; ++i) ASSERT_TRUE(tree.put(number_key(i), std::string(100, 'v')).ok());
  Status failure;
  LeafParent parent;
  OptimisticGuard leaf;
  ASSERT_EQ(tree.tree().find_leaf(Toward::key, {}, leaf, failure, &parent), Step::ok);
  std::uint64_t leaves = 1;
  std::uint64_t steps_right = 0;
  while (Node::at(leaf.bytes())->has_upper_fence()) {
    const std::string upper(Node::at(leaf.bytes())->upper_fence());
    if (parent.right != kNoPage) {
      ASSERT_EQ(tree.tree().find_right_leaf(parent, leaf, failure), Step::ok);
      ++steps_right;
    } else {
      ASSERT_EQ(tree.tree().find_right_leaf(parent, leaf, failure), Step::restart);
      ASSERT_EQ(tree.tree().find_leaf(Toward::key, upper, leaf, failure, &parent), Step::ok);
    }
    ASSERT_TRUE(leaf.validate());
    ASSERT_EQ(Node::at(leaf.bytes())->lower_fence(), upper);
    ++leaves;
  }
  TreeStats stats;
  std::vector<std::string> problems;
  ASSERT_TRUE(tree.tree().walk(stats, problems, nullptr, nullptr).ok());
  EXPECT_EQ(leaves, stats.leaf_pages);
  EXPECT_EQ(leaves - steps_right, stats.inner_pages - 1) << "one descent for each parent of leaves";

  // A split beside it: what the parent said of its children's fences no longer holds.
  ASSERT_EQ(tree.tree().find_leaf(Toward::key, {}, leaf, failure, &parent), Step::ok);
  ASSERT_NE(parent.right, kNoPage);
  leaf.release();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(tree.put(number_key(0) + "/" + std::to_string(i), std::string(100, 'v')).ok());
  }
  EXPECT_EQ(tree.tree().find_right_leaf(parent, leaf, failure), Step::restart);
}

}  // namespace
}  // namespace isolith::btree
