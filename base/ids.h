// Strong types for the numbers that must never be mixed up. Each is an enum class over an integer: no
// arithmetic by accident, `raw()` to get at the number, `next()` for the successor.
#pragma once

#include <cstdint>
#include <type_traits>

namespace isolith {

enum class PageId : std::uint32_t {};        // logical page; 0 names none
enum class SlotId : std::uint32_t {};        // place in the data file, in pages; 0 and 1 hold the headers
enum class TableId : std::uint32_t {};       // 0 is the catalog
enum class TransactionId : std::uint64_t {}; // of a transaction that wrote; 0 names none, 56 bits are used
enum class Timestamp : std::uint64_t {};     // commit order; 0 is before every commit
enum class Lsn : std::uint64_t {
};  // log sequence number: byte position in the log since the database was made

inline constexpr PageId kNoPage{0};
inline constexpr SlotId kNoSlot{0};
inline constexpr TableId kCatalogTable{0};
inline constexpr TransactionId kNoTransaction{0};

template <typename Id>
  requires std::is_enum_v<Id>
constexpr std::underlying_type_t<Id> raw(Id id) noexcept {
  return static_cast<std::underlying_type_t<Id>>(id);
}

template <typename Id>
  requires std::is_enum_v<Id>
constexpr Id next(Id id) noexcept {
  return static_cast<Id>(raw(id) + 1);
}

}  // namespace isolith
