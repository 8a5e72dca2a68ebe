#include "txn/saved_undo.h"

#include "base/bytes.h"
#include "btree/page_chain.h"

namespace isolith::txn {
namespace {

void append_key(std::string& out, std::string_view key) {
  base::append_varint(out, key.size());
  out.append(key);
}

void append_undo(std::string& out, const mvcc::Version& version) {
  SavedItem item;
  item.page = version.root;
  switch (version.kind) {
    case mvcc::VersionKind::create_table:
      item.kind = SavedKind::tree;
      break;
    case mvcc::VersionKind::drop_table:
      return;  // the drop is undone by its catalog row
    case mvcc::VersionKind::row:
    case mvcc::VersionKind::absent:
      item.writer = version.superseder;
      item.version_kind = version.kind;
      item.flags = version.flags;
      item.old_writer = version.writer;
      item.key = version.key();
      item.value = version.value();
      break;
  }
  append_saved(out, item);
}

void append_chain(std::string& out, PageId first) {
  SavedItem item;
  item.kind = SavedKind::chain;
  item.page = first;
  append_saved(out, item);
}

void append_tree(std::string& out, PageId root) {
  SavedItem item;
  item.kind = SavedKind::tree;
  item.page = root;
  append_saved(out, item);
}

// What the collector would still have to do.
void append_collectable(std::string& out, const mvcc::Version& version, bool table_is_dropped) {
  if (version.kind == mvcc::VersionKind::row && has(version.flags, btree::RowFlags::large) &&
      version.value_size > 0 && !version.shares_value) {
    append_chain(out, btree::load_reference(version.value()).first);
  }
  if (!version.erases || table_is_dropped) return;
  SavedItem item;
  item.kind = SavedKind::tombstone;
  item.page = version.root;
  item.writer = version.superseder;
  item.key = version.key();
  append_saved(out, item);
}

}  // namespace

void append_saved(std::string& out, const SavedItem& item) {
  out.push_back(static_cast<char>(item.kind));
  base::append_fixed(out, item.page);
  if (item.kind == SavedKind::chain || item.kind == SavedKind::tree) return;
  base::append_fixed(out, item.writer);
  if (item.kind == SavedKind::restore) {
    out.push_back(static_cast<char>(item.version_kind));
    out.push_back(static_cast<char>(item.flags));
    base::append_fixed(out, item.old_writer);
  }
  append_key(out, item.key);
  if (item.kind == SavedKind::restore) append_key(out, item.value);
}

bool SavedReader::next(SavedItem& item) noexcept {
  if (rest_.empty()) return false;
  base::ByteReader reader(rest_);
  std::uint8_t kind = 0;
  std::uint8_t version_kind = 0;
  std::uint8_t flags = 0;
  std::uint64_t size = 0;
  item = SavedItem();
  bool good = reader.fixed(kind) && kind >= 1 && kind <= 4 && reader.fixed(item.page);
  item.kind = static_cast<SavedKind>(kind);
  if (good && (item.kind == SavedKind::restore || item.kind == SavedKind::tombstone)) {
    good = reader.fixed(item.writer);
    if (item.kind == SavedKind::restore) {
      good = good && reader.fixed(version_kind) && version_kind <= 1 && reader.fixed(flags) &&
             reader.fixed(item.old_writer);
      item.version_kind = static_cast<mvcc::VersionKind>(version_kind);
      item.flags = static_cast<btree::RowFlags>(flags);
    }
    good = good && reader.varint(size) && size <= btree::kKeyBytesMax && reader.bytes(size, item.key);
    if (item.kind == SavedKind::restore) good = good && reader.varint(size) && reader.bytes(size, item.value);
  }
  malformed_ = !good;
  rest_ = reader.rest();
  return good;
}

std::string encode_saved_undo(const SavedUndoSource& source) {
  std::string out;
  std::vector<PageId> trees = source.dropped_trees;
  for (const SavedUndoSource::InProgress& transaction : source.in_progress) {
    if (transaction.pending_chain != kNoPage) append_chain(out, transaction.pending_chain);
    for (const mvcc::Version* v = transaction.newest; v != nullptr; v = v->older_in_log) append_undo(out, *v);
  }
  for (const mvcc::UndoLog* log = source.committed_first; log != nullptr; log = log->next_committed) {
    for (const mvcc::Version* v = log->newest; v != nullptr; v = v->older_in_log) {
      append_collectable(out, *v, false);
      if (v->kind == mvcc::VersionKind::drop_table) trees.push_back(v->root);
    }
    if (log == source.committed_last) break;
  }
  for (const auto& [snapshot, list] : source.held->by_snapshot()) {
    for (const mvcc::Version* v : {list.first, list.unspillable}) {
      for (; v != nullptr; v = v->older_in_log) append_collectable(out, *v, source.is_dropped(v->table));
    }
  }
  // Last: items before may still go into these trees.
  for (const PageId root : trees) append_tree(out, root);
  return out;
}

}  // namespace isolith::txn
