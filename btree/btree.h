// BTree: descending, splitting, merging, with optimistic lock coupling (Leis et al., "Optimistic Lock
// Coupling", 2019).
//
// Invariants:
//   1. The root page's id never changes; its contents move down when it splits, up when it has one child
//      left.
//   2. The children of an inner node cover its fences without a gap; a node's fences are its parent's
//      separators.
//   3. All leaves have the same depth.
//   4. A node is freed only under the exclusive latches of its parent and itself, so that an optimistic
//      reader that still has its id fails at the parent or at the node's version.
//
// Latches: down the tree optimistically; changes upgrade parent, then node, by trying. A restart is a return
// value (`Step::restart`) and is taken in `retry`, nowhere else. No latch is held on return but where a guard
// is handed out.
//
// Every changing member is called within the checkpoint gate.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "btree/node.h"
#include "pages/guards.h"

namespace isolith::btree {

using pages::ExclusiveGuard;
using pages::OptimisticGuard;
using pages::PageCache;
using pages::SharedGuard;
using pages::Step;

// Runs `body(Status& failure) -> Step` until it gives something else than restart.
template <typename Body>
Status retry(Body&& body) {
  for (pages::Backoff backoff;; backoff.pause()) {
    Status failure;
    const Step step = body(failure);
    if (step == Step::ok) [[likely]] return {};
    if (step == Step::failed) return failure;
  }
}

// Which leaf a descent ends in.
enum class Toward : std::uint8_t {
  key,     // the leaf that covers the key
  before,  // the leaf that covers what lies directly before the key
  end,     // the last leaf
};

// How a leaf was found: its parent as it was then, and the leaf's place there. Leads to the leaf on its right
// without a descent.
struct LeafParent {
  PageId id = kNoPage;      // none: nothing is known, or the leaf is the root
  std::uint64_t version = 0;
  unsigned slot = 0;
  PageId right = kNoPage;   // the leaf on its right, where that has the same parent
};

struct TreeStats {
  std::uint64_t leaf_pages = 0;
  std::uint64_t inner_pages = 0;
  std::uint64_t rows = 0;              // tombstones not counted
  std::uint64_t leaf_used_bytes = 0;
  std::uint32_t height = 0;
  Status unreadable;                   // the first failure to read a page; it is among the problems, too
};

class BTree {
 public:
  BTree(PageCache& cache, PageId root) noexcept : cache_(&cache), root_(root) {}

  // Makes an empty tree.
  static Status create(PageCache& cache, PageId& root);

  [[nodiscard]] PageId root() const noexcept { return root_; }
  [[nodiscard]] PageCache& cache() const noexcept { return *cache_; }

  // ---- finding ----

  // Ends with an optimistic hold of a leaf.
  Step find_leaf(Toward toward, std::string_view key, OptimisticGuard& leaf, Status& failure,
                 LeafParent* found_through = nullptr) const;

  // From a leaf that was found through `parent` to the leaf on its right, if the parent still is as it was:
  // then its lower fence is the other one's upper fence. `restart` where it is not, or does not have that
  // leaf.
  Step find_right_leaf(LeafParent& parent, OptimisticGuard& leaf, Status& failure) const;

  // `leaf` is the latched leaf that covers `key`.
  Status lock_leaf(std::string_view key, ExclusiveGuard& leaf) const;
  Status share_leaf(std::string_view key, SharedGuard& leaf) const;

  // ---- changing ----

  // Makes room for a row of `row_bytes` (key + value) in the leaf that covers `key`. Call without a latch,
  // then look for the leaf again: another thread may have used the room.
  Status split_for(std::string_view key, std::size_t row_bytes);

  // Merges the leaf that covers `key` with a neighbour if it is underfull, and so on upward.
  Status merge_around(std::string_view key);

  [[nodiscard]] static bool is_underfull(const Node& node) noexcept {
    return node.used_bytes() < kUnderfullBytes;
  }

  // ---- everything: nobody else changes the tree meanwhile ----

  // Gives all pages but large values back. For each leaf row `on_row` is called first; may be empty.
  Status free_all(const std::function<Status(const RowView&)>& on_row);

  // Walks the tree, checks every rule and counts. `on_row` may be empty; `on_page` is told of each page.
  Status walk(TreeStats& stats, std::vector<std::string>& problems,
              const std::function<void(PageId)>& on_page,
              const std::function<void(std::string_view key, const RowView&)>& on_row) const;

 private:
  static constexpr std::size_t kUnderfullBytes = pages::kPageBytes / 3;

  struct Path {
    OptimisticGuard parent;  // not held: the node is the root
    OptimisticGuard node;
  };
  Step find_node(unsigned level, std::string_view key, Path& path, Status& failure) const;
  Step descend(PageId child, OptimisticGuard& parent, OptimisticGuard& node, Status& failure) const;

  Status split_node(unsigned level, std::string_view key, std::size_t row_bytes);
  Step try_split(unsigned level, std::string_view key, std::size_t row_bytes, std::size_t& parent_needs,
                 Status& failure);
  Step raise_root(ExclusiveGuard& root, Status& failure);

  Step try_merge(unsigned level, std::string_view key, bool& go_up, Status& failure);
  void collapse_root(ExclusiveGuard& root, ExclusiveGuard& child);

  struct Walk;
  Status walk_node(Walk& walk, PageId id, unsigned depth, std::string lower, const std::string* upper) const;

  PageCache* cache_;
  PageId root_;
};

}  // namespace isolith::btree
