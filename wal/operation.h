// The operations of a transaction as the log holds them: by value, each key and value once.
//
//   operation := kind u8, table varint, key_size varint, key, (put, append: value_size varint, value)
//   create_table: key is the table's name. drop_table: no key (key_size 0).
//   `append` adds its value to the end of the one that the same transaction put at that key.
//
// Threads: values, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace isolith::wal {

enum class OperationKind : std::uint8_t { put = 1, erase = 2, append = 3, create_table = 4, drop_table = 5 };

struct Operation {
  OperationKind kind = OperationKind::put;
  TableId table = kCatalogTable;
  std::string_view key;
  std::string_view value;
};

void append_operation(std::string& out, const Operation& operation);

// The longest front part of `bytes` that is whole operations and at most `size_max` bytes; at least one
// operation.
std::string_view leading_operations(std::string_view bytes, std::size_t size_max) noexcept;

// Takes operations off the front of `bytes`. False at the end and at the first malformed one; `malformed()`
// tells which.
class OperationReader {
 public:
  explicit OperationReader(std::string_view bytes) noexcept : rest_(bytes) {}
  bool next(Operation& operation) noexcept;
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

}  // namespace isolith::wal
