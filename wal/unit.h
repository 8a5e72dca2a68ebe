// The log's unit: what is appended, checked and replayed as one.
//
//   OFFSET  SIZE  DESCRIPTION
//        0     4  total size of the unit in bytes (28 bits, header included) | kind << 28
//        4     4  CRC-32C of the payload, then of the database id (8 bytes), then of bytes 0-3 and 8-31
//        8     8  LSN: the unit's own position in the log
//       16     8  commit timestamp (0 in `part`); in `mark` the LSN below which everything was synced when it
//                 was written
//       24     8  transaction id (0 in `mark` and `pad`)
//       32     -  payload: operations; in `pad` zeros
//
// Invariants:
//   1. A unit lies within one segment. Less than kUnitHeaderBytes left at a segment's end are skipped, more
//      are a `pad`, which reaches to that end.
//   2. A unit is valid iff its LSN field is its position and its CRC agrees: bytes of a recycled segment
//      never are.
//   3. `commit` and `part_commit` units stand in commit order: timestamps only grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace isolith::wal {

inline constexpr std::size_t kUnitHeaderBytes = 32;
inline constexpr std::size_t kUnitPayloadBytesMax = std::size_t{128} << 10;

enum class UnitKind : std::uint8_t {
  commit = 1,       // a whole transaction
  part = 2,         // operations of a transaction whose commit comes later, or never
  part_commit = 3,  // the last operations of a transaction that has parts, and its commit
  mark = 4,         // written after a sync: tells a reader what can not be a torn tail
  pad = 5,          // fills a segment up
};

struct Unit {
  UnitKind kind = UnitKind::commit;
  Lsn lsn{};  // where it begins
  Lsn end{};  // where the next one may begin
  Timestamp timestamp{};
  TransactionId transaction{};
  std::string_view payload;  // valid until the reader's next call
};

}  // namespace isolith::wal
