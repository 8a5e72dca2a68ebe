// How the tree's shape changes: splits on the way to room, merges after rows went.
#include <cstring>

#include "base/check.h"
#include "btree/btree.h"

namespace isolith::btree {
namespace {

const Node& node_of(const OptimisticGuard& guard) noexcept { return *Node::at(guard.bytes()); }
const Node& node_of(const ExclusiveGuard& guard) noexcept { return *Node::at(guard.bytes()); }
Node& edit(ExclusiveGuard& guard) noexcept { return *Node::at(guard.edit()); }

// All of a node but its page header's version and id.
void copy_contents(ExclusiveGuard& to, const ExclusiveGuard& from) noexcept {
  const pages::PageHeader source = *reinterpret_cast<const pages::PageHeader*>(from.bytes());
  auto* header = reinterpret_cast<pages::PageHeader*>(to.edit());
  header->kind = source.kind;
  header->level = source.level;
  std::memcpy(to.edit() + pages::kPageHeaderBytes, from.bytes() + pages::kPageHeaderBytes,
              pages::kPageBytes - pages::kPageHeaderBytes);
}

}  // namespace

Status BTree::split_for(std::string_view key, std::size_t row_bytes) { return split_node(0, key, row_bytes); }

// Splits the node at `level` that covers `key`; its parent first where that has no room for one more
// separator.
Status BTree::split_node(unsigned level, std::string_view key, std::size_t room_bytes) {
  for (;;) {
    std::size_t parent_needs = 0;
    TRY(retry([&](Status& failure) {
      parent_needs = 0;
      return try_split(level, key, room_bytes, parent_needs, failure);
    }));
    if (parent_needs == 0) return {};
    TRY(split_node(level + 1, key, parent_needs));
  }
}

Step BTree::try_split(unsigned level, std::string_view key, std::size_t room_bytes, std::size_t& parent_needs,
                      Status& failure) {
  Path path;
  if (const Step step = find_node(level, key, path, failure); step != Step::ok) return step;
  ExclusiveGuard parent;
  ExclusiveGuard node;
  if (path.parent.held()) {
    if (const Step step = ExclusiveGuard::upgrade(path.parent, parent); step != Step::ok) return step;
  }
  const bool is_root = path.node.id() == root_;
  if (const Step step = ExclusiveGuard::upgrade(path.node, node); step != Step::ok) return step;
  const Node& full = node_of(node);
  if (full.level() != level) return Step::ok;  // the tree lost levels meanwhile
  const bool has_room = level == 0 ? full.has_room_for_row(key.size(), room_bytes - key.size())
                                   : full.has_room_for_separator(room_bytes);
  if (has_room) return Step::ok;
  if (is_root) {
    const Step step = raise_root(node, failure);
    return step == Step::ok ? Step::restart : step;
  }
  const bool appending = !full.has_upper_fence() && full.lower_bound(key).slot == full.count();
  const Node::Split split = full.choose_split(key, appending, level == 0 ? room_bytes : 0);
  if (!node_of(parent).has_room_for_separator(split.separator.size())) {
    parent_needs = split.separator.size() + 1;
    return Step::ok;
  }
  ExclusiveGuard left;
  failure =
      ExclusiveGuard::allocate(*cache_, level == 0 ? pages::PageKind::leaf : pages::PageKind::inner, left);
  if (!failure.ok()) return Step::failed;
  edit(node).split_left_into(edit(left), split);
  CHECK(edit(parent).insert_separator(split.separator, left.id()), "the parent has room for the separator");
  return Step::ok;
}

// The root's contents move to a new child, so that the root can be split like any other node.
Step BTree::raise_root(ExclusiveGuard& root, Status& failure) {
  ExclusiveGuard child;
  failure = ExclusiveGuard::allocate(*cache_, pages::PageKind::inner, child);
  if (!failure.ok()) return Step::failed;
  const unsigned level = node_of(root).level();
  copy_contents(child, root);
  edit(root).format(level + 1, {}, nullptr);
  edit(root).set_upper_child(child.id());
  return Step::ok;
}

Status BTree::merge_around(std::string_view key) {
  for (unsigned level = 0;; ++level) {
    bool go_up = false;
    TRY(retry([&](Status& failure) {
      go_up = false;
      return try_merge(level, key, go_up, failure);
    }));
    if (!go_up) return {};
  }
}

Step BTree::try_merge(unsigned level, std::string_view key, bool& go_up, Status& failure) {
  Path path;
  if (const Step step = find_node(level, key, path, failure); step != Step::ok) return step;
  if (!path.parent.held() || node_of(path.node).level() != level || !is_underfull(node_of(path.node))) {
    return path.node.validate() ? Step::ok : Step::restart;
  }
  ExclusiveGuard parent;
  ExclusiveGuard node;
  if (const Step step = ExclusiveGuard::upgrade(path.parent, parent); step != Step::ok) return step;
  if (const Step step = ExclusiveGuard::upgrade(path.node, node); step != Step::ok) return step;
  const Node& above = node_of(parent);
  unsigned slot = 0;
  CHECK(above.child_for(key, &slot) == node.id(), "a node is its parent's child");
  for (const bool with_right : {true, false}) {
    if (with_right ? slot >= above.count() : slot == 0) continue;
    const unsigned separator_slot = with_right ? slot : slot - 1;
    ExclusiveGuard sibling;
    const PageId sibling_id = above.child(with_right ? slot + 1 : slot - 1);
    if (const Step step = ExclusiveGuard::acquire(*cache_, sibling_id, sibling, failure); step != Step::ok)
      return step;
    ExclusiveGuard& left = with_right ? node : sibling;
    ExclusiveGuard& right = with_right ? sibling : node;
    std::string separator;
    above.append_key(separator_slot, separator);
    if (!node_of(right).can_merge_left(node_of(left), separator)) continue;
    edit(right).merge_left(node_of(left), separator);
    edit(parent).remove_separator(separator_slot);
    left.free_page();
    go_up = true;
    if (parent.id() == root_ && above.count() == 0) collapse_root(parent, right);
    return Step::ok;
  }
  return Step::ok;
}

// The root has one child left: the tree loses a level.
void BTree::collapse_root(ExclusiveGuard& root, ExclusiveGuard& child) {
  copy_contents(root, child);
  child.free_page();
}

Status BTree::free_all(const std::function<Status(const RowView&)>& on_row) {
  // Level by level from the root: the pages of one level are known before they are given back.
  std::vector<PageId> level{root_};
  while (!level.empty()) {
    std::vector<PageId> below;
    for (const PageId id : level) {
      ExclusiveGuard guard;
      TRY(retry([&](Status& failure) {
        const Step step = ExclusiveGuard::acquire(*cache_, id, guard, failure);
        if (step != Step::restart) return step;
        failure =
            Status(StatusCode::corruption, "page " + std::to_string(raw(id)) + " of a tree does not exist");
        return Step::failed;
      }));
      const Node& node = node_of(guard);
      if (!node.is_leaf()) {
        for (unsigned slot = 0; slot <= node.count(); ++slot) below.push_back(node.child(slot));
      } else if (on_row) {
        for (unsigned slot = 0; slot < node.count(); ++slot) TRY(on_row(node.row(slot)));
      }
      guard.free_page();
    }
    level = std::move(below);
  }
  return {};
}

}  // namespace isolith::btree
