// A segment: one file that holds the log's bytes from `start` on, named "<start, 16 hexadecimal digits>.log".
//
// The LSN of a byte is the segment's start plus its offset in the file: the header's bytes count too.
//
//   OFFSET  SIZE  DESCRIPTION
//        0     8  "isolith" and 'L'
//        8     4  format version: 1
//       12     4  CRC-32C of bytes 0-11 and 16-63
//       16     8  database id
//       24     8  LSN of byte 0
//       32     8  size of the segment in bytes
//       40    24  zeros
//       64     -  units (unit.h)
//
// Invariants:
//   1. A file gets a segment's name only when its header and its whole length are on stable storage.
//   2. A new segment's bytes behind the header are zeros, a recycled one's are units of lower LSNs, or parts
//      of them.
//
// Threads: a Segment is fixed once it is made, apart from `unsynced` (the writer's write mutex).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/ids.h"

namespace isolith::wal {

inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kSegmentBytesLimit = std::uint64_t{1} << 40;

// What a segment file's first bytes turn out to be.
enum class SegmentHeaderState : std::uint8_t {
  valid,
  damaged,      // too short, no magic, or the checksum differs
  other_start,  // of a segment that was about to be recycled when the process ended
  other_database,
  other_version,
};

struct SegmentHeader {
  Lsn start{};
  std::uint64_t size_bytes = 0;
  std::uint64_t database_id = 0;
  std::uint32_t version = kFormatVersion;
};

struct Segment {
  Lsn start{};
  std::uint64_t size_bytes = 0;
  std::string path;
  std::unique_ptr<base::File> file;
  bool unsynced = false;  // bytes were written that no sync has begun for

  [[nodiscard]] Lsn end() const noexcept { return static_cast<Lsn>(raw(start) + size_bytes); }
  [[nodiscard]] bool holds(Lsn lsn) const noexcept { return start <= lsn && lsn < end(); }
};

inline constexpr Lsn advance(Lsn lsn, std::uint64_t bytes) noexcept {
  return static_cast<Lsn>(raw(lsn) + bytes);
}
inline constexpr std::uint64_t distance(Lsn from, Lsn to) noexcept { return raw(to) - raw(from); }

std::string segment_name(Lsn start);
std::optional<Lsn> parse_segment_name(std::string_view name) noexcept;
std::string segment_path(const std::string& directory, Lsn start);

// Writes kSegmentHeaderBytes bytes.
void encode_segment_header(char* out, const SegmentHeader& header) noexcept;

// `header` is filled in unless it is damaged.
Result<SegmentHeaderState> read_segment_header(base::File& file, Lsn start, std::uint64_t database_id,
                                               SegmentHeader& header);

// The error for a header that is not damaged and yet can not be read on: another database's, another
// version's.
Status foreign_segment(const std::string& path, SegmentHeaderState state, const SegmentHeader& header,
                       std::uint64_t database_id);

// Makes a segment of zeros: written, synced, named and the directory synced. After a
// failure the file is removed where that can be done.
Result<std::unique_ptr<Segment>> create_segment(base::FileSystem& file_system, const std::string& directory,
                                                const SegmentHeader& header);

// Makes `spare`, of the size that `header` says, that segment: its header is synced before it gets the name.
// After a failure the file is removed where that can be done.
Result<std::unique_ptr<Segment>> recycle_segment(base::FileSystem& file_system, const std::string& directory,
                                                 std::unique_ptr<Segment> spare, const SegmentHeader& header);

}  // namespace isolith::wal
