// Opening a data file: which header counts, and the page map behind it.
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "pages/page_file.h"

namespace isolith::pages {
namespace {

Status corrupt(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {StatusCode::corruption, path + ", offset " + std::to_string(offset) + ": " + what};
}

}  // namespace

Result<std::unique_ptr<PageFile>> PageFile::create(base::FileSystem& file_system, const std::string& path,
                                                   std::uint64_t database_id) {
  std::unique_ptr<PageFile> self(new PageFile(file_system, path));
  Result<std::unique_ptr<base::File>> file = file_system.open(path, base::OpenMode::create);
  TRY(file);
  self->file_ = *std::move(file);
  TRY(self->file_->truncate(std::uint64_t{kReservedSlots} * kPageBytes));
  self->header_.database_id = database_id;
  self->header_.number = 1;
  self->header_.clean = true;
  const std::string block = encode_header(self->header_);
  TRY(self->file_->write_at(std::uint64_t{1} * kPageBytes, block.data(), block.size()));
  TRY(self->sync());
  self->map_.restore_done(1);
  return self;
}

Result<std::unique_ptr<PageFile>> PageFile::open(base::FileSystem& file_system, const std::string& path,
                                                 bool read_only) {
  std::unique_ptr<PageFile> self(new PageFile(file_system, path));
  Result<std::unique_ptr<base::File>> file =
      file_system.open(path, read_only ? base::OpenMode::read_only : base::OpenMode::read_write);
  TRY(file);
  self->file_ = *std::move(file);
  const Result<std::uint64_t> size = self->file_->size();
  TRY(size);
  TRY(self->read_headers(*size));
  TRY(self->read_map(*size));
  if (!read_only) TRY(self->write_header_again());
  return self;
}

// A process that was killed, or whose sync failed, may have left the header in the system's cache alone. It
// is made durable before anything is written over that only the header before it refers to; a sync counts
// for bytes that this process has written.
Status PageFile::write_header_again() {
  const std::string block = encode_header(header_);
  TRY(file_->write_at(std::uint64_t{header_slot_} * kPageBytes, block.data(), block.size()));
  return sync();
}

Status PageFile::read_headers(std::uint64_t file_bytes) {
  bool found = false;
  HeaderState states[kReservedSlots] = {};
  std::uint32_t version = 0;
  for (std::uint32_t i = 0; i < kReservedSlots; ++i) {
    std::array<char, kHeaderBlockBytes> bytes{};
    const Result<std::size_t> read =
        file_->read_at(std::uint64_t{i} * kPageBytes, bytes.data(), bytes.size());
    TRY(read);
    CheckpointHeader header;
    states[i] = decode_header(std::string_view(bytes.data(), *read), header, version);
    if (states[i] != HeaderState::good) continue;
    if (found && header.number < header_.number) continue;
    header_ = header;
    header_slot_ = i;
    found = true;
  }
  if (found) return {};
  for (std::uint32_t i = 0; i < kReservedSlots; ++i) {
    if (states[i] == HeaderState::wrong_version) {
      return {StatusCode::invalid_argument, path_ + " has format version " + std::to_string(version) +
                                                "; this isolith reads version " +
                                                std::to_string(kFormatVersion)};
    }
    if (states[i] == HeaderState::foreign) {
      return {StatusCode::invalid_argument, path_ + " is not an isolith data file"};
    }
  }
  if (states[0] == HeaderState::blank && states[1] == HeaderState::blank &&
      file_bytes <= kReservedSlots * kPageBytes) {
    return {StatusCode::not_found, path_ + " was never finished being made"};
  }
  return corrupt(path_, 0, "expected a header with a good checksum in one of two places, found none");
}

Status PageFile::restore_map_page(unsigned level, std::uint32_t index, const char* page) {
  const auto header = base::load<PageHeader>(page);
  if (header.kind != PageKind::map || header.level != level || raw(header.id) != index) {
    return corrupt(path_, 0, "page map, level " + std::to_string(level) + ", page " + std::to_string(index) +
                                 ": another page is in its place");
  }
  for (std::uint32_t i = 0; i < kMapFanout; ++i) {
    const auto location = base::load<Location>(page + kPageHeaderBytes + i * kLocationBytes);
    const std::uint64_t child = std::uint64_t{index} * kMapFanout + i;
    if (location.slot == kNoSlot) continue;
    if (level > 0) {
      auto& below = levels_[level - 1].published;
      if (below.size() <= child) below.resize(child + 1);
      below[child] = location;
    } else if (child == 0 || child >= header_.id_count) {
      return corrupt(path_, 0, "page map: an image of page " + std::to_string(child) + " of " +
                                   std::to_string(header_.id_count));
    }
    const bool fits =
        level > 0 ? map_.restore_map_slot(location.slot, header_.slot_count)
                  : map_.restore(PageId{static_cast<std::uint32_t>(child)}, location, header_.slot_count);
    if (!fits) {
      return corrupt(path_, std::uint64_t{raw(location.slot)} * kPageBytes,
                     "page map: the slot is used twice, or lies behind the file's end");
    }
  }
  return {};
}

Status PageFile::read_map(std::uint64_t file_bytes) {
  if (header_.map_levels > 4) return corrupt(path_, 0, "page map: too many levels");
  levels_.resize(header_.map_levels);
  if (header_.map_levels > 0) {
    if (!map_.restore_map_slot(header_.map_root.slot, header_.slot_count)) {
      return corrupt(path_, 0, "page map: its root lies behind the file's end");
    }
    levels_.back().published.assign(1, header_.map_root);
  }
  std::array<char, kPageBytes> page;
  for (unsigned level = header_.map_levels; level-- > 0;) {
    for (std::uint32_t index = 0; index < levels_[level].published.size(); ++index) {
      const Location location = levels_[level].published[index];
      if (location.slot == kNoSlot) continue;
      TRY(read_image(location, PageId{index}, page.data()));
      TRY(restore_map_page(level, index, page.data()));
    }
  }
  const std::uint64_t needed = std::uint64_t{map_.slot_end()} * kPageBytes;
  if (file_bytes < needed) {
    return corrupt(path_, file_bytes,
                   "the file was cut short: expected at least " + std::to_string(needed) + " bytes");
  }
  map_.restore_done(header_.id_count);
  return {};
}

}  // namespace isolith::pages
