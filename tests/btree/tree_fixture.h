// What the tests of the tree share: a cache over a data file on a simulated disk, and single rows put and
// erased.
//
// Threads: the members of Tree by any.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/simulated_disk.h"
#include "btree/btree.h"
#include "pages/page_file.h"

namespace isolith::btree {

struct CacheFixture {
  explicit CacheFixture(std::size_t cache_bytes = std::size_t{4} << 20)
      : file(*pages::PageFile::create(disk, "data", 1)), cache(*PageCache::create(*file, cache_bytes)) {}

  [[nodiscard]] std::uint32_t pages_in_use() const { return file->map().pages_in_use(); }

  base::SimulatedDisk disk{false};
  std::unique_ptr<pages::PageFile> file;
  std::unique_ptr<PageCache> cache;
};

class Tree {
 public:
  explicit Tree(PageCache& cache) : tree_(cache, make_root(cache)) {}

  Status put(std::string_view key, std::string_view value) {
    for (;;) {
      ExclusiveGuard leaf;
      TRY(tree_.lock_leaf(key, leaf));
      Node& node = *Node::at(leaf.edit());
      const Position at = node.lower_bound(key);
      const bool fits = at.found ? node.update_row(at.slot, TransactionId{1}, RowFlags::none, value)
                                 : node.insert_row(at.slot, key, TransactionId{1}, RowFlags::none, value);
      if (fits) return {};
      leaf.release();
      TRY(tree_.split_for(key, key.size() + value.size()));
    }
  }

  Status erase(std::string_view key) {
    ExclusiveGuard leaf;
    TRY(tree_.lock_leaf(key, leaf));
    Node& node = *Node::at(leaf.edit());
    const Position at = node.lower_bound(key);
    if (!at.found) return Status(StatusCode::not_found);
    node.remove_row(at.slot);
    const bool underfull = BTree::is_underfull(node);
    leaf.release();
    return underfull ? tree_.merge_around(key) : Status();
  }

  Result<std::string> get(std::string_view key) const {
    SharedGuard leaf;
    TRY(tree_.share_leaf(key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const Position at = node.lower_bound(key);
    if (!at.found) return Status(StatusCode::not_found);
    return std::string(node.row(at.slot).value);
  }

  // Every rule of the tree holds and its rows are exactly those of `model`, a map of strings.
  template <typename Model>
  TreeStats expect_rows(const Model& model) const {
    TreeStats stats;
    std::vector<std::string> problems;
    auto expected = model.begin();
    std::uint64_t wrong = 0;
    std::uint64_t page_count = 0;
    const auto on_row = [&](std::string_view key, const RowView& row) {
      if (expected == model.end() || expected->first != key || expected->second != row.value) {
        ++wrong;
      } else {
        ++expected;
      }
    };
    EXPECT_TRUE(tree_.walk(stats, problems, [&](PageId) { ++page_count; }, on_row).ok());
    EXPECT_TRUE(problems.empty()) << problems.front();
    EXPECT_EQ(wrong, 0U);
    EXPECT_TRUE(expected == model.end()) << "a row is missing";
    EXPECT_EQ(stats.rows, model.size());
    EXPECT_EQ(page_count, tree_.cache().file().map().pages_in_use()) << "a page is lost";
    return stats;
  }

  BTree& tree() noexcept { return tree_; }

 private:
  static PageId make_root(PageCache& cache) {
    PageId root = kNoPage;
    EXPECT_TRUE(BTree::create(cache, root).ok());
    return root;
  }

  BTree tree_;
};

}  // namespace isolith::btree
