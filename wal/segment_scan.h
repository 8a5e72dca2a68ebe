// SegmentScan: reads one segment's file in large pieces, unit by unit or looking for units at every byte.
//
// What lies behind the end of a file that is too short reads as zeros.
//
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/file.h"
#include "wal/segment.h"
#include "wal/unit_codec.h"

namespace isolith::wal {

class SegmentScan {
 public:
  // The file must outlive this object.
  SegmentScan(base::File& file, Lsn start, std::uint64_t size_bytes, std::uint64_t database_id);

  [[nodiscard]] Lsn first_unit() const noexcept { return advance(start_, kSegmentHeaderBytes); }
  [[nodiscard]] Lsn end() const noexcept { return end_; }

  [[nodiscard]] std::uint64_t offset_of(Lsn lsn) const noexcept { return distance(start_, lsn); }

  // Whether a unit's header fits between `position` and the end.
  [[nodiscard]] bool has_room(Lsn position) const noexcept {
    return position <= end_ && distance(position, end_) >= kUnitHeaderBytes;
  }

  // The unit at `position`, which has room. Its payload stays valid until the next call. Where the answer is
  // a fault, `header` tells what was found; `unit` is left alone.
  Result<UnitFault> unit_at(Lsn position, UnitHeader& header, Unit& unit);

  // The first position at or after `from` whose LSN field names it (a claim, be the unit whole or not), or
  // end().
  Result<Lsn> find_claim(Lsn from);

 private:
  Result<const char*> view(Lsn position, std::size_t size_bytes);

  base::File* file_;
  Lsn start_;
  Lsn end_;
  std::uint64_t database_id_;
  std::unique_ptr<char[]> window_;
  Lsn window_start_{};
  Lsn window_end_{};
};

}  // namespace isolith::wal
