// PageFile: the data file. Reads and writes page images with their checksums, writes and reads the page map,
// publishes checkpoints.
//
// Invariants:
//   1. No image that the last published header refers to, directly or through the map, is overwritten.
//   2. A header is written only after everything it refers to was synced.
//   3. After a failed sync nothing is written any more (`health`).
//
// Threads: `read`, `write`, `write_preserved` from any thread, one at a time for one page (the page's latch);
// the rest by the checkpointer alone.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file.h"
#include "isolith/status.h"
#include "pages/header_block.h"
#include "pages/page.h"
#include "pages/page_map.h"

namespace isolith::pages {

enum class ReadOutcome : std::uint8_t { ok, missing, failed };

class PageFile {
 public:
  // Makes an empty file with a first header, number 1.
  static Result<std::unique_ptr<PageFile>> create(base::FileSystem& file_system, const std::string& path,
                                                  std::uint64_t database_id);
  // Reads the newest good header and its whole map.
  static Result<std::unique_ptr<PageFile>> open(base::FileSystem& file_system, const std::string& path,
                                                bool read_only);

  // ---- pages ----

  // `missing`: the page has no image. `failure` says why it failed: corruption names file, offset and
  // checksums.
  ReadOutcome read(PageId id, void* page, Status& failure);
  // Writes the newest image to a free slot.
  Status write(PageId id, const void* page);
  // Writes the image that was announced for the checkpoint in progress.
  Status write_preserved(PageId id, const void* page);

  PageMap& map() noexcept { return map_; }

  // ---- checkpoints: map().begin_checkpoint first ----

  // Writes the changed map pages and syncs: everything is durable but the header. Fills id_count, slot_count
  // and the map fields of `header`.
  Status prepare_checkpoint(CheckpointHeader& header, std::uint32_t id_count);
  // Writes and syncs the header; frees what only the last checkpoint needed.
  Status publish_checkpoint(const CheckpointHeader& header);
  void abandon_checkpoint();

  // Moves up to `count_max` images, and the map pages, from the end of the file to free slots in front, so
  // that it can be cut off later.
  Status move_tail(std::size_t count_max);
  // Cuts off free slots at the end.
  Status shrink();

  [[nodiscard]] const CheckpointHeader& header() const noexcept { return header_; }
  [[nodiscard]] Status health() const;

  // Reads every image of the last checkpoint and of now and checks it; what is wrong goes to `problems`.
  void verify_images(std::vector<std::string>& problems);

  [[nodiscard]] std::uint64_t file_bytes();
  [[nodiscard]] std::uint64_t reads() const noexcept { return reads_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t writes() const noexcept { return writes_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  // One level of the map: where its pages are in the last checkpoint, and in the one that is being prepared.
  struct Level {
    std::vector<Location> published;
    std::vector<Location> prepared;
  };

  PageFile(base::FileSystem& file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}

  Status read_headers(std::uint64_t file_bytes);
  Status read_map(std::uint64_t file_bytes);
  Status write_header_again();
  Status restore_map_page(unsigned level, std::uint32_t index, const char* page);
  Status read_image(const Location& location, PageId id, void* page);
  Result<Location> write_image(const void* page);
  Status write_map_page(unsigned level, std::uint32_t index, const std::vector<Location>& below);
  Status sync();
  Status fail(Status status);

  base::FileSystem& file_system_;
  std::string path_;
  std::unique_ptr<base::File> file_;
  CheckpointHeader header_;
  std::uint32_t header_slot_ = 1;            // where `header_` is; the next one goes to the other
  PageMap map_;
  std::vector<Level> levels_;
  std::vector<SlotId> map_slots_written_;   // by the checkpoint in progress
  std::vector<SlotId> map_slots_retired_;   // by it, to be freed when it is published
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint64_t> writes_{0};
  mutable std::mutex health_mutex_;
  Status health_;
};

}  // namespace isolith::pages
