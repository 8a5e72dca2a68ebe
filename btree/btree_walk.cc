// Walking a whole tree: its rules, its figures.
#include "btree/btree.h"

namespace isolith::btree {

struct BTree::Walk {
  TreeStats& stats;
  std::vector<std::string>& problems;
  const std::function<void(PageId)>& on_page;
  const std::function<void(std::string_view, const RowView&)>& on_row;

  void report(PageId id, const std::string& what) {
    problems.push_back("page " + std::to_string(raw(id)) + ": " + what);
  }
};

Status BTree::walk(TreeStats& stats, std::vector<std::string>& problems,
                   const std::function<void(PageId)>& on_page,
                   const std::function<void(std::string_view, const RowView&)>& on_row) const {
  Walk walk{stats, problems, on_page, on_row};
  return walk_node(walk, root_, 1, std::string(), nullptr);
}

// `lower` and `upper` are what the parent's separators say of the node.
Status BTree::walk_node(Walk& walk, PageId id, unsigned depth, std::string lower,
                        const std::string* upper) const {
  std::vector<std::pair<std::string, PageId>> children;  // with the separator above each
  std::string last_upper;
  {
    SharedGuard guard;
    Status failure;
    const Step step = SharedGuard::acquire(*cache_, id, guard, failure);
    if (step != Step::ok) {
      if (step == Step::failed && walk.stats.unreadable.ok()) walk.stats.unreadable = failure;
      walk.report(id, step == Step::failed ? failure.to_string() : "referred to, but it does not exist");
      return {};
    }
    const Node& node = *Node::at(guard.bytes());
    if (walk.on_page) walk.on_page(id);
    if (const char* wrong = node.check(); wrong != nullptr) {
      walk.report(id, wrong);
      return {};
    }
    if (node.lower_fence() != lower) walk.report(id, "its lower fence is not the separator before it");
    if (node.has_upper_fence() != (upper != nullptr) || (upper != nullptr && node.upper_fence() != *upper)) {
      walk.report(id, "its upper fence is not the separator behind it");
    }
    if (walk.stats.height != 0 && depth + node.level() != walk.stats.height) {
      walk.report(id, "its level does not fit its depth");
      return {};
    }
    walk.stats.height = depth + node.level();
    std::string key;
    if (node.is_leaf()) {
      ++walk.stats.leaf_pages;
      walk.stats.leaf_used_bytes += node.used_bytes();
      for (unsigned slot = 0; slot < node.count(); ++slot) {
        const RowView row = node.row(slot);
        if (!has(row.flags, RowFlags::erased)) ++walk.stats.rows;
        if (row.writer > node.newest_writer()) walk.report(id, "a row is newer than the leaf says");
        key.clear();
        node.append_key(slot, key);
        if (walk.on_row) walk.on_row(key, row);
      }
      return {};
    }
    ++walk.stats.inner_pages;
    for (unsigned slot = 0; slot < node.count(); ++slot) {
      key.clear();
      node.append_key(slot, key);
      children.emplace_back(key, node.child(slot));
    }
    children.emplace_back(std::string(), node.child(node.count()));
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    const bool last = i + 1 == children.size();
    TRY(walk_node(walk, children[i].second, depth + 1, i == 0 ? lower : children[i - 1].first,
                  last ? upper : &children[i].first));
  }
  return {};
}

}  // namespace isolith::btree
