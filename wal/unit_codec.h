// A unit's header to bytes and back, and the test of invariant 2 of unit.h. The layout is in unit.h.
//
// The database id is part of the checksum though it is not stored in the unit: bytes of another database's
// log, or bytes that a program put into a value, are not valid here even where their LSN happens to fit.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "wal/unit.h"

namespace isolith::wal {

inline constexpr std::size_t kUnitBytesMax = kUnitHeaderBytes + kUnitPayloadBytesMax;

struct UnitHeader {
  UnitKind kind = UnitKind::commit;
  std::uint32_t size_bytes = 0;  // header included
  Lsn lsn{};
  std::uint64_t timestamp = 0;  // in a mark: an LSN
  TransactionId transaction{};
};

// Why bytes are not a valid unit.
enum class UnitFault : std::uint8_t {
  none,
  lsn,     // the LSN field is not the position: nothing was ever written here, or something for another place
  header,  // the LSN agrees, and kind or size are impossible
  crc,     // a part of the unit's bytes is missing or changed
};

std::string_view to_string(UnitFault fault) noexcept;

// Writes kUnitHeaderBytes bytes. `payload_crc` is crc32c(payload), 0 for none.
void encode_unit_header(char* out, const UnitHeader& header, std::uint32_t payload_crc,
                        std::uint64_t database_id);

// Reads kUnitHeaderBytes bytes of a unit that would stand at `position` with `room_bytes` left in its
// segment, and checks all but the checksum. `header` is filled in whatever the answer is.
UnitFault decode_unit_header(const char* bytes, Lsn position, std::uint64_t room_bytes,
                             UnitHeader& header) noexcept;

// Whether the checksum of a whole unit agrees. `unit` is as long as its header says.
bool unit_crc_agrees(std::string_view unit, std::uint64_t database_id) noexcept;

}  // namespace isolith::wal
