// Saved undo: what a checkpoint's pages hold that a crash must take back or finish, in a page chain that the
// header names.
//
//   item := kind u8, then
//     restore     root u32, expected writer u64, version kind u8, flags u8, old writer u64, key varint +
//                 bytes, value varint + bytes: the row had this before a transaction in progress wrote it
//     tombstone   root u32, writer u64, key: committed, but still there for readers who are gone by now
//     chain       first page u32: a large value that nothing refers to
//     tree        root u32: of a table whose drop was committed, or whose making was not
//
// Items are applied in order. Each leaves a state in which it can be applied again.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "mvcc/held_versions.h"

namespace isolith::txn {

enum class SavedKind : std::uint8_t { restore = 1, tombstone = 2, chain = 3, tree = 4 };

struct SavedItem {
  SavedKind kind = SavedKind::restore;
  PageId page{};                 // root, or first page of a chain
  TransactionId writer{};        // expected in the row
  mvcc::VersionKind version_kind = mvcc::VersionKind::row;
  btree::RowFlags flags = btree::RowFlags::none;
  TransactionId old_writer{};
  std::string_view key;
  std::string_view value;
};

void append_saved(std::string& out, const SavedItem& item);

// False at the end and at the first malformed item.
class SavedReader {
 public:
  explicit SavedReader(std::string_view bytes) noexcept : rest_(bytes) {}
  bool next(SavedItem& item) noexcept;
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

// What was captured at a checkpoint's instant; the undo pool is held while it is used.
struct SavedUndoSource {
  struct InProgress {
    TransactionId id{};
    const mvcc::Version* newest = nullptr;
    PageId pending_chain = kNoPage;
  };
  std::vector<InProgress> in_progress;
  const mvcc::UndoLog* committed_first = nullptr;  // not collected yet; up to committed_last
  const mvcc::UndoLog* committed_last = nullptr;
  std::vector<PageId> dropped_trees;
  const mvcc::HeldVersions* held = nullptr;
  std::function<bool(TableId)> is_dropped;         // its tree is among the dropped ones, or gone
};

// The items of everything that was captured.
std::string encode_saved_undo(const SavedUndoSource& source);

}  // namespace isolith::txn
