#include "pages/page_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace isolith::pages {
namespace {

std::uint64_t offset_of(SlotId slot) { return std::uint64_t{raw(slot)} * kPageBytes; }

using PageBuffer = std::array<char, kPageBytes>;

}  // namespace

Status PageFile::health() const {
  const std::lock_guard lock(health_mutex_);
  return health_;
}

Status PageFile::fail(Status status) {
  const std::lock_guard lock(health_mutex_);
  if (health_.ok()) {
    health_ = Status(StatusCode::read_only, "no more writes after a failed sync: " + status.to_string());
  }
  return status;
}

Status PageFile::sync() {
  TRY(health());
  Status status = file_->sync();
  return status.ok() ? Status() : fail(std::move(status));
}

Status PageFile::read_image(const Location& location, PageId id, void* page) {
  const std::uint64_t offset = offset_of(location.slot);
  Result<std::size_t> read = file_->read_at(offset, page, kPageBytes);
  TRY(read);
  reads_.fetch_add(1, std::memory_order_relaxed);
  const std::string where =
      path_ + ", offset " + std::to_string(offset) + ", page " + std::to_string(raw(id));
  if (*read != kPageBytes) {
    return {StatusCode::corruption, where + ": the file ends after " + std::to_string(*read) + " of " +
                                        std::to_string(kPageBytes) + " bytes"};
  }
  const std::uint32_t crc = base::crc32c(page, kPageBytes);
  if (crc != location.crc) {
    return {StatusCode::corruption,
            where + ": checksum expected " + std::to_string(location.crc) + ", found " + std::to_string(crc)};
  }
  return {};
}

ReadOutcome PageFile::read(PageId id, void* page, Status& failure) {
  Location location = map_.current(id);
  for (;;) {
    if (location.slot == kNoSlot) return ReadOutcome::missing;
    failure = read_image(location, id, page);
    if (failure.ok()) break;
    // The checkpointer moves images: the old place may have been used again while this was on its way to it.
    const Location now = map_.current(id);
    if (now == location) return ReadOutcome::failed;
    location = now;
  }
  if (base::load<PageHeader>(page).id != id) {
    failure = Status(StatusCode::corruption, path_ + ", offset " + std::to_string(offset_of(location.slot)) +
                                                 ": expected page " + std::to_string(raw(id)) + ", found " +
                                                 std::to_string(raw(base::load<PageHeader>(page).id)));
    return ReadOutcome::failed;
  }
  return ReadOutcome::ok;
}

Result<Location> PageFile::write_image(const void* page) {
  TRY(health());
  Location location;
  location.slot = map_.allocate_slot();
  location.crc = base::crc32c(page, kPageBytes);
  location.version = static_cast<std::uint32_t>(base::load<PageHeader>(page).version);
  Status status = file_->write_at(offset_of(location.slot), page, kPageBytes);
  if (!status.ok()) {
    map_.release_slot(location.slot);
    return status;
  }
  writes_.fetch_add(1, std::memory_order_relaxed);
  return location;
}

Status PageFile::write(PageId id, const void* page) {
  const Result<Location> location = write_image(page);
  TRY(location);
  map_.set_current(id, *location);
  return {};
}

Status PageFile::write_preserved(PageId id, const void* page) {
  const Result<Location> location = write_image(page);
  TRY(location);
  map_.set_preserved(id, *location);
  return {};
}

// Level 0 holds the locations of pages, level n + 1 those of the map pages of level n.
Status PageFile::write_map_page(unsigned level, std::uint32_t index, const std::vector<Location>& below) {
  PageBuffer page{};
  const PageHeader header{header_.number + std::uint64_t{1}, PageId{index}, PageKind::map,
                          static_cast<std::uint8_t>(level), 0};
  base::store(page.data(), header);
  std::memcpy(page.data() + kPageHeaderBytes, below.data(), below.size() * kLocationBytes);
  const Result<Location> location = write_image(page.data());
  TRY(location);
  map_slots_written_.push_back(location->slot);
  Level& l = levels_[level];
  if (l.prepared.size() <= index) l.prepared.resize(index + 1);
  if (index < l.published.size() && l.published[index].slot != kNoSlot) {
    map_slots_retired_.push_back(l.published[index].slot);
  }
  l.prepared[index] = *location;
  return {};
}

Status PageFile::prepare_checkpoint(CheckpointHeader& header, std::uint32_t id_count) {
  static_assert(sizeof(Location) == kLocationBytes);
  for (Level& level : levels_) level.prepared = level.published;
  std::vector<std::uint32_t> changed = map_.changed_chunks();
  std::uint32_t count = id_count <= 1 ? 0 : (id_count + kMapFanout - 1) / kMapFanout;
  // An id given out after the checkpoint's instant may lie in a chunk of its own: it is not in this
  // checkpoint.
  std::erase_if(changed, [count](std::uint32_t index) { return index >= count; });
  unsigned level = 0;
  for (; count > 0; ++level) {
    if (levels_.size() <= level) levels_.emplace_back();
    // A map page that the last checkpoint did not have is written in any case.
    for (auto i = static_cast<std::uint32_t>(levels_[level].published.size()); i < count; ++i)
      changed.push_back(i);
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    for (const std::uint32_t index : changed) {
      std::vector<Location> below(kMapFanout);
      for (std::uint32_t i = 0; i < kMapFanout; ++i) {
        const std::uint64_t child = std::uint64_t{index} * kMapFanout + i;
        if (level == 0) {
          if (child >= 1 && child < id_count)
            below[i] = map_.image_for_checkpoint(PageId{static_cast<std::uint32_t>(child)});
        } else if (child < levels_[level - 1].prepared.size()) {
          below[i] = levels_[level - 1].prepared[child];
        }
      }
      TRY(write_map_page(level, index, below));
    }
    if (count == 1) break;
    for (std::uint32_t& index : changed) index /= kMapFanout;
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    count = (count + kMapFanout - 1) / kMapFanout;
  }
  header.map_levels = count == 0 ? 0 : level + 1;
  header.map_root = count == 0 ? Location{} : levels_[level].prepared[0];
  header.id_count = id_count;
  header.slot_count = map_.slot_end();
  return sync();
}

Status PageFile::publish_checkpoint(const CheckpointHeader& header) {
  TRY(health());
  const std::string block = encode_header(header);
  Status status = file_->write_at(offset_of(SlotId{1 - header_slot_}), block.data(), block.size());
  // A header of which a part may be written counts as a failed sync: nobody knows which checkpoint a crash
  // would find.
  if (!status.ok()) return fail(std::move(status));
  TRY(sync());
  header_ = header;
  header_slot_ = 1 - header_slot_;
  for (Level& level : levels_) level.published = level.prepared;
  map_.publish_checkpoint(map_slots_retired_);
  map_slots_written_.clear();
  map_slots_retired_.clear();
  return {};
}

void PageFile::abandon_checkpoint() {
  map_.abandon_checkpoint(map_slots_written_);
  map_slots_written_.clear();
  map_slots_retired_.clear();
}

Status PageFile::move_tail(std::size_t count_max) {
  PageBuffer page;
  for (const PageId id : map_.pages_behind(SlotId{map_.slots_used()}, count_max)) {
    const Location from = map_.image_for_checkpoint(id);
    if (from.slot == kNoSlot) continue;
    // What cannot be read stays where it is: whoever asks for the page, or `verify`, reports it.
    if (!read_image(from, id, page.data()).ok()) continue;
    Result<Location> to = write_image(page.data());
    TRY(to);
    if (raw(to->slot) >= raw(from.slot)) {
      map_.release_slot(to->slot);
      break;
    }
    map_.move_checkpoint_image(id, from, *to);
  }
  // Map pages move by being written again, those above level 0 with the first of the pages below.
  std::uint64_t chunks_per_page = 1;
  for (const Level& level : levels_) {
    for (std::size_t i = 0; i < level.published.size(); ++i) {
      if (raw(level.published[i].slot) < map_.slots_used()) continue;
      map_.rewrite_chunk(static_cast<std::uint32_t>(i * chunks_per_page));
    }
    chunks_per_page *= kMapFanout;
  }
  return {};
}

Status PageFile::shrink() {
  // Nobody is given a slot meanwhile: one behind the cut would be lost.
  return map_.with_slot_end([this](std::uint32_t end) -> Status {
    const std::uint64_t needed = std::uint64_t{std::max(end, kReservedSlots)} * kPageBytes;
    const Result<std::uint64_t> size = file_->size();
    TRY(size);
    return *size > needed ? file_->truncate(needed) : Status();
  });
}

std::uint64_t PageFile::file_bytes() { return file_->size().value_or(0); }

void PageFile::verify_images(std::vector<std::string>& problems) {
  PageBuffer page;
  for (std::uint32_t i = 1; i < map_.id_count(); ++i) {
    if (!map_.is_allocated(PageId{i})) continue;
    Status failure;
    if (read(PageId{i}, page.data(), failure) == ReadOutcome::failed) problems.push_back(failure.to_string());
  }
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    for (std::uint32_t i = 0; i < levels_[level].published.size(); ++i) {
      const Location& location = levels_[level].published[i];
      if (location.slot == kNoSlot) continue;
      const Status status = read_image(location, PageId{i}, page.data());
      if (!status.ok())
        problems.push_back("page map, level " + std::to_string(level) + ": " + status.to_string());
    }
  }
}

}  // namespace isolith::pages
