#include "wal/unit_codec.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace isolith::wal {
namespace {

constexpr std::uint32_t kSizeMask = (std::uint32_t{1} << 28) - 1;
constexpr unsigned kKindShift = 28;

static_assert(kUnitBytesMax <= kSizeMask, "a unit's size has 28 bits");

std::uint32_t unit_crc(const char* header, std::uint32_t payload_crc, std::uint64_t database_id) noexcept {
  char covered[8 + kUnitHeaderBytes - 4];
  base::store(covered, database_id);
  std::memcpy(covered + 8, header, 4);
  std::memcpy(covered + 12, header + 8, kUnitHeaderBytes - 8);
  return base::crc32c(covered, sizeof covered, payload_crc);
}

}  // namespace

std::string_view to_string(UnitFault fault) noexcept {
  switch (fault) {
    case UnitFault::none:
      return "valid";
    case UnitFault::lsn:
      return "its LSN field names another place";
    case UnitFault::header:
      return "its kind or size is impossible";
    case UnitFault::crc:
      return "its checksum differs";
  }
  return "unknown";
}

void encode_unit_header(char* out, const UnitHeader& header, std::uint32_t payload_crc,
                        std::uint64_t database_id) {
  DCHECK(header.size_bytes >= kUnitHeaderBytes && header.size_bytes <= kUnitBytesMax,
         "a unit that can be read back");
  base::store(out, header.size_bytes | static_cast<std::uint32_t>(header.kind) << kKindShift);
  base::store(out + 8, raw(header.lsn));
  base::store(out + 16, header.timestamp);
  base::store(out + 24, raw(header.transaction));
  base::store(out + 4, unit_crc(out, payload_crc, database_id));
}

UnitFault decode_unit_header(const char* bytes, Lsn position, std::uint64_t room_bytes,
                             UnitHeader& header) noexcept {
  const auto size_and_kind = base::load<std::uint32_t>(bytes);
  header.size_bytes = size_and_kind & kSizeMask;
  header.kind = static_cast<UnitKind>(size_and_kind >> kKindShift);
  header.lsn = static_cast<Lsn>(base::load<std::uint64_t>(bytes + 8));
  header.timestamp = base::load<std::uint64_t>(bytes + 16);
  header.transaction = static_cast<TransactionId>(base::load<std::uint64_t>(bytes + 24));

  if (header.lsn != position) return UnitFault::lsn;
  if (header.size_bytes < kUnitHeaderBytes || header.size_bytes > kUnitBytesMax ||
      header.size_bytes > room_bytes) {
    return UnitFault::header;
  }
  switch (header.kind) {
    case UnitKind::commit:
    case UnitKind::part:
    case UnitKind::part_commit:
      return UnitFault::none;
    case UnitKind::mark:
      if (header.size_bytes != kUnitHeaderBytes || header.timestamp > raw(position)) return UnitFault::header;
      return UnitFault::none;
    case UnitKind::pad:
      return header.size_bytes == room_bytes ? UnitFault::none : UnitFault::header;
  }
  return UnitFault::header;
}

bool unit_crc_agrees(std::string_view unit, std::uint64_t database_id) noexcept {
  const std::uint32_t payload_crc =
      base::crc32c(unit.data() + kUnitHeaderBytes, unit.size() - kUnitHeaderBytes);
  return base::load<std::uint32_t>(unit.data() + 4) == unit_crc(unit.data(), payload_crc, database_id);
}

}  // namespace isolith::wal
