#include "wal/operation.h"

#include <limits>

#include "base/bytes.h"
#include "base/check.h"

namespace isolith::wal {
namespace {

constexpr bool has_value(OperationKind kind) noexcept {
  return kind == OperationKind::put || kind == OperationKind::append;
}

constexpr bool is_known(std::uint8_t kind) noexcept {
  return kind >= static_cast<std::uint8_t>(OperationKind::put) &&
         kind <= static_cast<std::uint8_t>(OperationKind::drop_table);
}

bool decode(base::ByteReader& reader, Operation& operation) noexcept {
  std::uint8_t kind = 0;
  std::uint64_t table = 0;
  std::uint64_t key_size = 0;
  if (!reader.fixed(kind) || !is_known(kind)) return false;
  if (!reader.varint(table) || table > std::numeric_limits<std::uint32_t>::max()) return false;
  if (!reader.varint(key_size) || !reader.bytes(key_size, operation.key)) return false;

  operation.kind = static_cast<OperationKind>(kind);
  operation.table = static_cast<TableId>(table);
  operation.value = {};
  if (operation.kind == OperationKind::drop_table && key_size != 0) return false;
  if (!has_value(operation.kind)) return true;
  std::uint64_t value_size = 0;
  return reader.varint(value_size) && reader.bytes(value_size, operation.value);
}

}  // namespace

void append_operation(std::string& out, const Operation& operation) {
  DCHECK(has_value(operation.kind) || operation.value.empty(), "only put and append have a value");
  DCHECK(operation.kind != OperationKind::drop_table || operation.key.empty(), "drop_table has no key");
  out.push_back(static_cast<char>(operation.kind));
  base::append_varint(out, raw(operation.table));
  base::append_varint(out, operation.key.size());
  out.append(operation.key);
  if (has_value(operation.kind)) {
    base::append_varint(out, operation.value.size());
    out.append(operation.value);
  }
}

std::string_view leading_operations(std::string_view bytes, std::size_t size_max) noexcept {
  OperationReader reader(bytes);
  Operation operation;
  std::size_t whole = 0;
  while (reader.next(operation)) {
    const std::size_t end = bytes.size() - reader.rest().size();
    if (end > size_max && whole > 0) break;
    whole = end;
  }
  CHECK(whole > 0 && whole <= size_max, "an operation fits a unit");
  return bytes.substr(0, whole);
}

bool OperationReader::next(Operation& operation) noexcept {
  if (rest_.empty() || malformed_) return false;
  base::ByteReader reader(rest_);
  if (!decode(reader, operation)) {
    malformed_ = true;
    return false;
  }
  rest_ = reader.rest();
  return true;
}

}  // namespace isolith::wal
