// Replayer: puts saved undo and log units into the pages at opening, when nobody else is there: no locks, no
// versions, and rows are of transactions that everybody sees.
//
// Threads: the opening one.
#pragma once

#include <cstdint>
#include <string_view>

#include "txn/core.h"
#include "wal/unit.h"

namespace isolith::txn {

class Replayer {
 public:
  explicit Replayer(Core& core) noexcept : core_(core) {}

  Status apply(const SavedItem& item);
  // `corruption` when its operations are malformed.
  Status apply(const wal::Unit& unit);

  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }

 private:
  Status restore(const SavedItem& item);
  Status apply(const wal::Operation& operation, TransactionId writer);
  Status put(PageId root, std::string_view key, TransactionId writer, std::string_view value);
  Status append(PageId root, std::string_view key, TransactionId writer, std::string_view piece);
  Status erase(PageId root, std::string_view key);
  // The row becomes exactly this; a large value that it had goes, unless `keeps_chain`.
  Status set_row(PageId root, std::string_view key, TransactionId writer, btree::RowFlags flags,
                 std::string_view value, bool keeps_chain);
  Status create_table(TableId id, std::string_view name, TransactionId writer);
  Status drop_table(TableInfo& table);

  Core& core_;
  std::uint64_t operations_ = 0;
  // The value that `append` continues, so that a long one is not walked again for each piece.
  std::optional<btree::ChainWriter> tail_;
};

}  // namespace isolith::txn
