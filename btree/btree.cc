#include "btree/btree.h"

namespace isolith::btree {
namespace {

// The lines of a node that a look-up is about to touch: header, hints and the first slots.
void prefetch(const char* page) noexcept {
  for (std::size_t line = 0; line < 8; ++line) __builtin_prefetch(page + line * 64);
}

const Node& node_of(const OptimisticGuard& guard) noexcept { return *Node::at(guard.bytes()); }

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
                      PageId* next) const {
  if (next != nullptr) *next = kNoPage;
  if (const Step step = OptimisticGuard::acquire(*cache_, root_, leaf, failure); step != Step::ok)
    return step;
  OptimisticGuard parent;
  while (!node_of(leaf).is_leaf()) {
    const Node& node = node_of(leaf);
    PageId child = kNoPage;
    switch (toward) {
      case Toward::key: {
        unsigned slot = 0;
        child = node.child_for(key, &slot);
        if (next != nullptr) *next = slot < node.count() ? node.child(slot + 1) : kNoPage;
        break;
      }
      case Toward::before: child = node.child(node.lower_bound(key).slot); break;
      case Toward::end: child = node.child(node.count()); break;
    }
    std::swap(parent, leaf);
    if (const Step step = descend(child, parent, leaf, failure); step != Step::ok) return step;
  }
  return Step::ok;
}

Step BTree::find_node(unsigned level, std::string_view key, Path& path, Status& failure) const {
  path.parent.release();
  if (const Step step = OptimisticGuard::acquire(*cache_, root_, path.node, failure); step != Step::ok)
    return step;
  while (node_of(path.node).level() > level) {
    const PageId child = node_of(path.node).child_for(key, nullptr);
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
