#include "wal/segment.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace isolith::wal {
namespace {

constexpr char kMagic[8] = {'i', 's', 'o', 'l', 'i', 't', 'h', 'L'};
constexpr std::size_t kNameDigits = 16;
constexpr std::string_view kNameSuffix = ".log";
constexpr std::size_t kZeroPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kHeaderPageBytes = 4096;

std::uint32_t header_crc(const char* bytes) noexcept {
  return base::crc32c(bytes + 16, kSegmentHeaderBytes - 16, base::crc32c(bytes, 12));
}

std::string hex(std::uint64_t value) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// Writes the whole length once, so that a later sync has no block to allocate and no length to record.
Status fill(base::File& file, const SegmentHeader& header) {
  std::string piece(std::min<std::uint64_t>(header.size_bytes, kZeroPieceBytes), '\0');
  for (std::uint64_t offset = 0; offset < header.size_bytes; offset += piece.size()) {
    if (offset == 0) encode_segment_header(piece.data(), header);
    TRY(file.write_at(offset, piece.data(),
                      std::min<std::uint64_t>(piece.size(), header.size_bytes - offset)));
    if (offset == 0) std::memset(piece.data(), 0, kSegmentHeaderBytes);
  }
  return file.sync();
}

}  // namespace

std::string segment_name(Lsn start) {
  char text[kNameDigits + 1];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(raw(start)));
  return std::string(text) + std::string(kNameSuffix);
}

std::optional<Lsn> parse_segment_name(std::string_view name) noexcept {
  if (name.size() != kNameDigits + kNameSuffix.size() || !name.ends_with(kNameSuffix)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char digit : name.substr(0, kNameDigits)) {
    if (digit >= '0' && digit <= '9') {
      value = value << 4 | static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value = value << 4 | static_cast<std::uint64_t>(digit - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return static_cast<Lsn>(value);
}

std::string segment_path(const std::string& directory, Lsn start) {
  return directory + "/" + segment_name(start);
}

void encode_segment_header(char* out, const SegmentHeader& header) noexcept {
  std::memset(out, 0, kSegmentHeaderBytes);
  std::memcpy(out, kMagic, sizeof kMagic);
  base::store(out + 8, header.version);
  base::store(out + 16, header.database_id);
  base::store(out + 24, raw(header.start));
  base::store(out + 32, header.size_bytes);
  base::store(out + 12, header_crc(out));
}

Result<SegmentHeaderState> read_segment_header(base::File& file, Lsn start, std::uint64_t database_id,
                                               SegmentHeader& header) {
  char bytes[kSegmentHeaderBytes];
  const Result<std::size_t> size = file.read_at(0, bytes, sizeof bytes);
  if (!size.ok()) return size.status();
  if (*size < sizeof bytes || std::memcmp(bytes, kMagic, sizeof kMagic) != 0 ||
      base::load<std::uint32_t>(bytes + 12) != header_crc(bytes)) {
    return SegmentHeaderState::damaged;
  }
  header.version = base::load<std::uint32_t>(bytes + 8);
  header.database_id = base::load<std::uint64_t>(bytes + 16);
  header.start = static_cast<Lsn>(base::load<std::uint64_t>(bytes + 24));
  header.size_bytes = base::load<std::uint64_t>(bytes + 32);
  if (header.version != kFormatVersion) return SegmentHeaderState::other_version;
  if (header.database_id != database_id) return SegmentHeaderState::other_database;
  if (header.size_bytes <= kSegmentHeaderBytes || header.size_bytes > kSegmentBytesLimit ||
      raw(header.start) > UINT64_MAX - 2 * kSegmentBytesLimit) {
    return SegmentHeaderState::damaged;
  }
  return header.start == start ? SegmentHeaderState::valid : SegmentHeaderState::other_start;
}

Status foreign_segment(const std::string& path, SegmentHeaderState state, const SegmentHeader& header,
                       std::uint64_t database_id) {
  if (state == SegmentHeaderState::other_version) {
    return Status(StatusCode::corruption, path + " at offset 8: expected format version " +
                                              std::to_string(kFormatVersion) + ", found " +
                                              std::to_string(header.version));
  }
  return Status(StatusCode::corruption, path + " at offset 16: expected database id " + hex(database_id) +
                                            ", found " + hex(header.database_id) +
                                            ": a segment of another database");
}

Result<std::unique_ptr<Segment>> create_segment(base::FileSystem& file_system, const std::string& directory,
                                                const SegmentHeader& header) {
  auto segment = std::make_unique<Segment>();
  segment->start = header.start;
  segment->size_bytes = header.size_bytes;
  segment->path = segment_path(directory, header.start);
  const std::string temporary = segment->path + ".tmp";

  Result<std::unique_ptr<base::File>> file = file_system.open(temporary, base::OpenMode::create);
  if (!file.ok()) return std::move(file).status();
  segment->file = std::move(*file);
  Status status = fill(*segment->file, header);
  if (status.ok()) status = file_system.rename(temporary, segment->path);
  if (!status.ok()) {
    segment->file.reset();
    (void)file_system.remove(temporary);  // the first error is the one to tell
    return status;
  }
  status = file_system.sync_directory(directory);
  if (!status.ok()) {
    segment->file.reset();
    (void)file_system.remove(segment->path);
    return status;
  }
  return segment;
}

Result<std::unique_ptr<Segment>> recycle_segment(base::FileSystem& file_system, const std::string& directory,
                                                 std::unique_ptr<Segment> spare,
                                                 const SegmentHeader& header) {
  DCHECK(spare->size_bytes == header.size_bytes && spare->start < header.start,
         "stale units have lower LSNs");
  // A whole page: nothing has to be read from the disk for it, and no stale unit stands first.
  std::string page(std::min<std::uint64_t>(kHeaderPageBytes, header.size_bytes), '\0');
  encode_segment_header(page.data(), header);
  const std::string path = segment_path(directory, header.start);
  Status status = spare->file->write_at(0, page.data(), page.size());
  if (status.ok()) status = spare->file->sync();
  if (status.ok()) status = file_system.rename(spare->path, path);
  if (status.ok()) {
    spare->path = path;
    status = file_system.sync_directory(directory);
  }
  if (!status.ok()) {
    spare->file.reset();
    (void)file_system.remove(spare->path);  // the first error is the one to tell
    return status;
  }
  spare->start = header.start;
  spare->unsynced = false;
  return spare;
}

}  // namespace isolith::wal
