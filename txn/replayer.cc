#include "txn/replayer.h"

#include "base/bytes.h"
#include "base/check.h"

namespace isolith::txn {

using btree::ExclusiveGuard;
using btree::Node;
using btree::RowFlags;
using btree::RowView;

Status Replayer::apply(const SavedItem& item) {
  switch (item.kind) {
    case SavedKind::restore:
      return restore(item);
    case SavedKind::tombstone:
      return core_.remove_tombstone(item.page, item.key, item.writer);
    case SavedKind::chain:
      return core_.free_chain_pages(item.page);
    case SavedKind::tree:
      return core_.free_tree(item.page);
  }
  return {};
}

// Only where the row is still of the transaction that was in progress: it may have been rolling back itself.
Status Replayer::restore(const SavedItem& item) {
  btree::BTree tree(*core_.cache_, item.page);
  bool keeps_chain = true;
  {
    ExclusiveGuard leaf;
    TRY(tree.lock_leaf(item.key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(item.key);
    if (!at.found) return {};
    const RowView row = node.row(at.slot);
    if (row.writer != item.writer) return {};
    if (has(row.flags, RowFlags::large)) {
      const bool same = item.version_kind == mvcc::VersionKind::row && has(item.flags, RowFlags::large) &&
                        btree::load_reference(row.value).first == btree::load_reference(item.value).first;
      keeps_chain = same;
    }
  }
  // Nobody is left who could ask for what a tombstone covers; but its own tombstone covers an older row,
  // which comes back next.
  const bool own_older = item.old_writer == item.writer;
  if (item.version_kind == mvcc::VersionKind::absent || (has(item.flags, RowFlags::erased) && !own_older)) {
    return keeps_chain ? core_.remove_row(item.page, item.key) : erase(item.page, item.key);
  }
  return set_row(item.page, item.key, item.old_writer, item.flags, item.value, keeps_chain);
}

Status Replayer::apply(const wal::Unit& unit) {
  wal::OperationReader reader(unit.payload);
  for (wal::Operation operation; reader.next(operation); ++operations_)
    TRY(apply(operation, unit.transaction));
  if (!reader.malformed()) return {};
  return {StatusCode::corruption, core_.log_path() + ", LSN " + std::to_string(raw(unit.lsn)) +
                                      ": a unit with a good checksum holds a malformed operation"};
}

Status Replayer::apply(const wal::Operation& operation, TransactionId writer) {
  using wal::OperationKind;
  if (operation.kind == OperationKind::create_table)
    return create_table(operation.table, operation.key, writer);
  TableInfo* table = core_.tables_.find(operation.table);
  // A table that another transaction dropped while this one was writing to it.
  if (table == nullptr || table->dropped.load(std::memory_order_relaxed)) return {};
  if (operation.key.size() > btree::kKeyBytesMax) {
    return {StatusCode::corruption,
            core_.log_path() + ": a key of " + std::to_string(operation.key.size()) + " bytes"};
  }
  switch (operation.kind) {
    case OperationKind::put:
      return put(table->root, operation.key, writer, operation.value);
    case OperationKind::append:
      return append(table->root, operation.key, writer, operation.value);
    case OperationKind::erase:
      return erase(table->root, operation.key);
    case OperationKind::drop_table:
      return drop_table(*table);
    case OperationKind::create_table:
      break;
  }
  return {};
}

Status Replayer::put(PageId root, std::string_view key, TransactionId writer, std::string_view value) {
  tail_.reset();
  if (key.size() + value.size() <= btree::kInlineRowBytesMax)
    return set_row(root, key, writer, RowFlags::none, value, false);
  btree::ChainWriter chain(*core_.cache_, core_.next_stamp());
  TRY(chain.append(value));
  char bytes[btree::kChainReferenceBytes];
  btree::store_reference(bytes, chain.reference());
  TRY(set_row(root, key, writer, RowFlags::large, std::string_view(bytes, sizeof bytes), false));
  tail_ = chain;
  return {};
}

Status Replayer::append(PageId root, std::string_view key, TransactionId writer, std::string_view piece) {
  std::string value;
  btree::ChainReference chain;
  {
    const btree::BTree tree(*core_.cache_, root);
    ExclusiveGuard leaf;
    TRY(tree.lock_leaf(key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(key);
    if (!at.found)
      return {StatusCode::corruption, core_.log_path() + ": an append to a value that is not there"};
    const RowView row = node.row(at.slot);
    if (has(row.flags, RowFlags::large)) {
      chain = btree::load_reference(row.value);
    } else {
      value = row.value;
    }
  }
  if (chain.first == kNoPage) {
    value.append(piece);
    return put(root, key, writer, value);
  }
  if (!tail_ || tail_->reference().stamp != chain.stamp || tail_->reference().size != chain.size) {
    tail_.emplace(*core_.cache_, chain.stamp);
    TRY(btree::ChainWriter::resume(*core_.cache_, chain, *tail_));
  }
  TRY(tail_->append(piece));
  char bytes[btree::kChainReferenceBytes];
  btree::store_reference(bytes, tail_->reference());
  return set_row(root, key, writer, RowFlags::large, std::string_view(bytes, sizeof bytes), true);
}

Status Replayer::set_row(PageId root, std::string_view key, TransactionId writer, RowFlags flags,
                         std::string_view value, bool keeps_chain) {
  btree::BTree tree(*core_.cache_, root);
  for (;;) {
    PageId goes = kNoPage;
    bool fits = false;
    {
      ExclusiveGuard leaf;
      TRY(tree.lock_leaf(key, leaf));
      Node& node = *Node::at(leaf.edit());
      const btree::Position at = node.lower_bound(key);
      if (at.found) {
        const RowView row = node.row(at.slot);
        if (!keeps_chain && has(row.flags, RowFlags::large)) goes = btree::load_reference(row.value).first;
        fits = node.update_row(at.slot, writer, flags, value);
      } else {
        fits = node.insert_row(at.slot, key, writer, flags, value);
      }
    }
    if (fits) return core_.free_chain_pages(goes);
    TRY(tree.split_for(key, key.size() + value.size()));
  }
}

Status Replayer::erase(PageId root, std::string_view key) {
  btree::BTree tree(*core_.cache_, root);
  PageId goes = kNoPage;
  {
    ExclusiveGuard leaf;
    TRY(tree.lock_leaf(key, leaf));
    const Node& node = *Node::at(leaf.bytes());
    const btree::Position at = node.lower_bound(key);
    if (!at.found) return {};
    const RowView row = node.row(at.slot);
    if (has(row.flags, RowFlags::large)) goes = btree::load_reference(row.value).first;
  }
  TRY(core_.remove_row(root, key));
  return core_.free_chain_pages(goes);
}

Status Replayer::create_table(TableId id, std::string_view name, TransactionId writer) {
  PageId root = kNoPage;
  TRY(btree::BTree::create(*core_.cache_, root));
  core_.tables_.add(id, root, name);
  if (raw(id) >= core_.next_table_.load(std::memory_order_relaxed)) {
    core_.next_table_.store(raw(id) + 1, std::memory_order_relaxed);
  }
  std::string entry;
  base::append_fixed(entry, id);
  base::append_fixed(entry, root);
  return set_row(core_.catalog_root_, name, writer, RowFlags::none, entry, false);
}

Status Replayer::drop_table(TableInfo& table) {
  TRY(erase(core_.catalog_root_, table.name));
  table.dropped.store(true, std::memory_order_relaxed);
  return core_.free_tree(table.root);
}

}  // namespace isolith::txn
