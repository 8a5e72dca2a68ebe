// Change: one write on its way into a leaf, and what it met there.
//
// Threads: its transaction's.
#pragma once

#include <string_view>

#include "btree/node.h"
#include "txn/core.h"
#include "txn/table_directory.h"

namespace isolith::txn {

struct Core::Change {
  Change(const TableInfo& to_table, std::string_view at_key, WriteKind what, std::string_view new_value)
      : table(to_table), key(at_key), kind(what), value(new_value) {}

  const TableInfo& table;
  std::string_view key;
  WriteKind kind;
  std::string_view value;                                // as it stands in the leaf
  btree::RowFlags flags = btree::RowFlags::none;         // `large` where the value is a reference
  std::size_t row_value_bytes = 0;                       // of the row that found no room

  IfLocked if_locked = IfLocked::wait;
  std::optional<locking::Request> request;               // where it stands in line

  // What it met.
  bool found = false;                                    // a row or a tombstone
  bool exists = false;                                   // a row
  TransactionId met{};                                   // who wrote that
  btree::RowFlags met_flags = btree::RowFlags::none;

  void meet(bool is_there, const btree::RowView& row) noexcept {
    found = is_there;
    exists = is_there && !has(row.flags, btree::RowFlags::erased);
    met = row.writer;
    met_flags = row.flags;
  }

  // The flags of the row that will be there. A lock keeps what it met; of a row that is not there it makes a
  // tombstone.
  [[nodiscard]] btree::RowFlags new_flags(const btree::RowView& row) const noexcept {
    using btree::RowFlags;
    switch (kind) {
      case WriteKind::put:
      case WriteKind::insert:
      case WriteKind::grow: return flags;
      case WriteKind::erase: return RowFlags::erased;
      case WriteKind::lock: break;
    }
    return (exists ? row.flags : RowFlags::erased) | RowFlags::locked;
  }
};

}  // namespace isolith::txn
