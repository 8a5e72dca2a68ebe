#include "btree/btree.h"

#include <utility>

namespace isolith::btree {
namespace {

// The lines of a node that a look-up is about to touch: header, hints and the first slots.
void prefetch(const char* page) noexcept {
  for (std::size_t line = 0; line < 8; ++line) __builtin_prefetch(page + line * 64);
}

const Node& node_of(const OptimisticGuard& guard) noexcept { return *Node::at(guard.bytes()); }

PageId right_of(const Node& parent, unsigned slot) noexcept {
  return slot < parent.count() ? parent.child(slot + 1) : kNoPage;
}

}  // namespace

Status BTree::create(PageCache& cache, PageId& root) {
  ExclusiveGuard guard;
  TRY(ExclusiveGuard::allocate(cache, pages::PageKind::leaf, guard));
  Node::at(guard.edit())->format(0, {}, nullptr);
  root = guard.id();
  return {};
}

// From a node to its child. The parent is validated after the child's version was taken: then the child was
// the parent's child at that moment, and a later change of either shows.
Step BTree::descend(PageId child, OptimisticGuard& parent, OptimisticGuard& node, Status& failure) const {
  const Step step = OptimisticGuard::acquire(*cache_, child, node, failure);
  if (step == Step::ok) [[likely]] prefetch(node.bytes());
  if (!parent.validate()) return Step::restart;
  if (step == Step::restart && !cache_->file().map().is_allocated(child) && parent.validate()) {
    failure = Status(StatusCode::corruption, "page " + std::to_string(raw(parent.id())) + " refers to page " +
                                                 std::to_string(raw(child)) + ", which does not exist");
    return Step::failed;
  }
  return step;
}

Step BTree::find_leaf(Toward toward, std::string_view key, OptimisticGuard& leaf, Status& failure,
                      LeafParent* found_through) const {
  if (found_through != nullptr) *found_through = LeafParent();
  if (const Step step = OptimisticGuard::acquire(*cache_, root_, leaf, failure); step != Step::ok)
    return step;
  OptimisticGuard parent;
  while (!node_of(leaf).is_leaf()) {
    const Node& node = node_of(leaf);
    unsigned slot = 0;
    PageId child = kNoPage;
    switch (toward) {
      case Toward::key: child = node.child_for(key, &slot); break;
      case Toward::before: child = node.child(slot = node.lower_bound(key).slot); break;
      case Toward::end: child = node.child(slot = node.count()); break;
    }
    if (found_through != nullptr) *found_through = {leaf.id(), leaf.version(), slot, right_of(node, slot)};
    std::swap(parent, leaf);
    if (const Step step = descend(child, parent, leaf, failure); step != Step::ok) return step;
  }
  return Step::ok;
}

// The parent's version says that it has not changed since the leaf was found, so neither have the fences of
// its children; `descend` validates it once more, after it took the child's version.
Step BTree::find_right_leaf(LeafParent& parent, OptimisticGuard& leaf, Status& failure) const {
  if (parent.right == kNoPage) return Step::restart;
  OptimisticGuard guard;
  if (const Step step = OptimisticGuard::acquire(*cache_, parent.id, guard, failure); step != Step::ok)
    return step;
  if (guard.version() != parent.version) return Step::restart;
  ++parent.slot;
  const PageId child = std::exchange(parent.right, right_of(node_of(guard), parent.slot));
  return descend(child, guard, leaf, failure);
}

Step BTree::find_node(unsigned level, std::string_view key, Path& path, Status& failure) const {
  path.parent.release();
  if (const Step step = OptimisticGuard::acquire(*cache_, root_, path.node, failure); step != Step::ok)
    return step;
  while (node_of(path.node).level() > level) {
    unsigned slot = 0;
    const PageId child = node_of(path.node).child_for(key, &slot);
    std::swap(path.parent, path.node);
    if (const Step step = descend(child, path.parent, path.node, failure); step != Step::ok) return step;
  }
  return path.node.validate() ? Step::ok : Step::restart;
}

Status BTree::lock_leaf(std::string_view key, ExclusiveGuard& leaf) const {
  return retry([&](Status& failure) {
    OptimisticGuard found;
    if (const Step step = find_leaf(Toward::key, key, found, failure); step != Step::ok) return step;
    return ExclusiveGuard::upgrade(found, leaf);
  });
}

Status BTree::share_leaf(std::string_view key, SharedGuard& leaf) const {
  return retry([&](Status& failure) {
    OptimisticGuard found;
    if (const Step step = find_leaf(Toward::key, key, found, failure); step != Step::ok) return step;
    return SharedGuard::upgrade(found, leaf);
  });
}

}  // namespace isolith::btree
