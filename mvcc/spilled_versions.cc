#include "mvcc/spilled_versions.h"

#include <mutex>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace isolith::mvcc {

using btree::BTree;
using btree::ExclusiveGuard;
using btree::Node;
using btree::OptimisticGuard;
using btree::PageCache;
using btree::RowView;
using btree::Toward;
using pages::Step;

namespace {

constexpr std::size_t kHeadBytes = sizeof(std::uint64_t);

void read_row(const RowView& row, SpilledRow& to) {
  to.writer = row.writer;
  to.flags = row.flags;
  // A torn read may show anything; the caller validates.
  if (row.value.size() < kHeadBytes) return;
  to.superseder = TransactionId{base::load<std::uint64_t>(row.value.data())};
  to.value.assign(row.value.substr(kHeadBytes));
}

}  // namespace

Status SpilledVersions::put(PageCache& cache, Timestamp snapshot, TableId table, const SpilledRow& row) {
  Held& held = by_snapshot_[snapshot];
  PageId& root = held.roots[table];
  if (root == kNoPage) TRY(BTree::create(cache, root));
  std::string value;
  base::append_fixed(value, row.superseder);
  value += row.value;
  BTree tree(cache, root);
  for (;;) {
    {
      ExclusiveGuard leaf;
      TRY(tree.lock_leaf(row.key, leaf));
      Node& node = *Node::at(leaf.edit());
      const btree::Position at = node.lower_bound(row.key);
      CHECK(!at.found, "a snapshot needs one version of a key");
      if (node.insert_row(at.slot, row.key, row.writer, row.flags, value)) break;
    }
    TRY(tree.split_for(row.key, row.key.size() + value.size()));
  }
  ++held.totals.count;
  held.totals.bytes += row.key.size() + row.value.size();
  count_.fetch_add(1, std::memory_order_release);
  return {};
}

Status SpilledVersions::add(PageCache& cache, Timestamp snapshot, const Version& version) {
  const SpilledRow row{version.superseder, version.writer, version.flags, std::string(version.key()),
                       std::string(version.value())};
  const std::unique_lock lock(mutex_);
  return put(cache, snapshot, version.table, row);
}

Status SpilledVersions::find(PageCache& cache, TableId table, std::string_view key, Timestamp from,
                             const std::function<bool(const SpilledRow&)>& is_it) {
  const std::shared_lock lock(mutex_);
  SpilledRow row;
  row.key = key;
  for (auto at = by_snapshot_.lower_bound(from); at != by_snapshot_.end(); ++at) {
    const auto root = at->second.roots.find(table);
    if (root == at->second.roots.end()) continue;
    const BTree tree(cache, root->second);
    bool found = false;
    TRY(btree::retry([&](Status& failure) {
      OptimisticGuard leaf;
      if (const Step step = tree.find_leaf(Toward::key, key, leaf, failure); step != Step::ok) return step;
      const Node& node = *Node::at(leaf.bytes());
      const btree::Position place = node.lower_bound(key);
      found = place.found;
      if (found) read_row(node.row(place.slot), row);
      return leaf.validate() ? Step::ok : Step::restart;
    }));
    if (found && is_it(row)) return {};
  }
  return {};
}

// Leaf by leaf. Nobody else changes these trees.
Status SpilledVersions::move(PageCache& cache, TableId table, PageId root, Timestamp older,
                             const std::function<bool(const SpilledRow&)>& is_needed) {
  const BTree tree(cache, root);
  std::vector<SpilledRow> rows;
  std::string from;
  for (bool more = true; more;) {
    std::string next;
    TRY(btree::retry([&](Status& failure) {
      OptimisticGuard leaf;
      if (const Step step = tree.find_leaf(Toward::key, from, leaf, failure); step != Step::ok) return step;
      const Node& node = *Node::at(leaf.bytes());
      rows.clear();
      for (unsigned slot = 0; slot < node.count(); ++slot) {
        rows.emplace_back();
        node.append_key(slot, rows.back().key);
        read_row(node.row(slot), rows.back());
      }
      more = node.has_upper_fence();
      next = more ? node.upper_fence() : std::string_view();
      return leaf.validate() ? Step::ok : Step::restart;
    }));
    from = std::move(next);
    for (const SpilledRow& row : rows) {
      if (is_needed(row)) TRY(put(cache, older, table, row));
    }
  }
  return {};
}

Status SpilledVersions::end_snapshot(PageCache& cache, Timestamp ended, const Timestamp* older,
                                     const std::function<bool(const SpilledRow&)>& is_needed) {
  const std::unique_lock lock(mutex_);
  const auto at = by_snapshot_.find(ended);
  CHECK(at != by_snapshot_.end(), "the snapshot has spilled versions");
  const Held held = std::move(at->second);
  by_snapshot_.erase(at);
  Status status;
  for (const auto& [table, root] : held.roots) {
    if (status.ok() && older != nullptr) status = move(cache, table, root, *older, is_needed);
    if (status.ok()) status = BTree(cache, root).free_all(nullptr);
  }
  count_.fetch_sub(held.totals.count, std::memory_order_release);
  return status;
}

std::vector<Timestamp> SpilledVersions::snapshots() const {
  std::vector<Timestamp> all;
  for (const auto& [snapshot, held] : by_snapshot_) all.push_back(snapshot);
  return all;
}

SpilledVersions::Totals SpilledVersions::totals(Timestamp snapshot) const {
  const auto at = by_snapshot_.find(snapshot);
  return at == by_snapshot_.end() ? Totals() : at->second.totals;
}

std::vector<PageId> SpilledVersions::roots() const {
  std::vector<PageId> all;
  for (const auto& [snapshot, held] : by_snapshot_) {
    for (const auto& [table, root] : held.roots) all.push_back(root);
  }
  return all;
}

}  // namespace isolith::mvcc
