#include "wal/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace isolith::wal {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{256} << 10;
static_assert(kWindowBytes >= kUnitBytesMax, "a unit fits into the window");

}  // namespace

SegmentScan::SegmentScan(base::File& file, Lsn start, std::uint64_t size_bytes, std::uint64_t database_id)
    : file_(&file),
      start_(start),
      end_(advance(start, size_bytes)),
      database_id_(database_id),
      window_(std::make_unique_for_overwrite<char[]>(std::min<std::uint64_t>(kWindowBytes, size_bytes))),
      window_start_(start),
      window_end_(start) {}

Result<const char*> SegmentScan::view(Lsn position, std::size_t size_bytes) {
  CHECK(position >= start_ && size_bytes <= kWindowBytes && size_bytes <= distance(position, end_),
        "only bytes of the segment are read");
  if (position < window_start_ || advance(position, size_bytes) > window_end_) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kWindowBytes, distance(position, end_)));
    window_end_ = window_start_;  // nothing is in it if the read fails
    const Result<std::size_t> found = file_->read_at(distance(start_, position), window_.get(), wanted);
    if (!found.ok()) return found.status();
    std::memset(window_.get() + *found, 0, wanted - *found);
    window_start_ = position;
    window_end_ = advance(position, wanted);
  }
  return window_.get() + distance(window_start_, position);
}

Result<UnitFault> SegmentScan::unit_at(Lsn position, UnitHeader& header, Unit& unit) {
  Result<const char*> bytes = view(position, kUnitHeaderBytes);
  if (!bytes.ok()) return bytes.status();
  const UnitFault fault = decode_unit_header(*bytes, position, distance(position, end_), header);
  if (fault != UnitFault::none) return fault;
  bytes = view(position, header.size_bytes);
  if (!bytes.ok()) return bytes.status();
  const std::string_view whole(*bytes, header.size_bytes);
  if (!unit_crc_agrees(whole, database_id_)) return UnitFault::crc;

  unit.kind = header.kind;
  unit.lsn = position;
  unit.end = advance(position, header.size_bytes);
  unit.timestamp = static_cast<Timestamp>(header.timestamp);
  unit.transaction = header.transaction;
  unit.payload = whole.substr(kUnitHeaderBytes);
  return UnitFault::none;
}

Result<Lsn> SegmentScan::find_claim(Lsn from) {
  while (has_room(from)) {
    const Result<const char*> bytes = view(from, kUnitHeaderBytes);
    if (!bytes.ok()) return bytes.status();
    const std::uint64_t count = distance(from, window_end_) - kUnitHeaderBytes + 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (base::load<std::uint64_t>(*bytes + i + 8) == raw(from) + i) return advance(from, i);
    }
    from = advance(from, count);
  }
  return end_;
}

}  // namespace isolith::wal
