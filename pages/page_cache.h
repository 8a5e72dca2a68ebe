// PageCache: pages in memory. One arena of frames, backed by huge pages where the system has them; the page
// table says which page is in which frame; guards (pages/guards.h) are the only way to a page's bytes.
//
// Invariants:
//   1. The arena holds cache_bytes / kPageBytes frames and never grows.
//   2. A frame belongs to the page whose entry names it, and only the exclusive holder of that page changes
//      this.
//   3. A dirty frame's bytes are newer than the page's `current` image; a clean frame's are the same.
//   4. While a checkpoint is in progress, a dirty page whose version is an older interval has not been saved
//      for it yet: who changes it first keeps its image (`begin_change`), who writes it out saves it by that.
//
// Latches: a page's latch > the cache's mutexes > the page map's mutex. Evicting only tries for latches, so
// that a thread which holds some pages can always ask for another.
//
// Threads: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "isolith/status.h"
#include "pages/page_file.h"
#include "pages/page_table.h"

namespace isolith::pages {

inline constexpr std::size_t kCacheBytesMin = std::size_t{1} << 20;

// What came of a try to get at a page. `restart`: something changed meanwhile, begin again at the root.
enum class Step : std::uint8_t { ok, restart, failed };

struct CacheStats {
  std::uint64_t frames = 0;
  std::uint64_t cached_pages = 0;
  std::uint64_t dirty_pages = 0;
  std::uint64_t preserved_images = 0;  // that writers kept for checkpoints
};

class PageCache {
 public:
  static Result<std::unique_ptr<PageCache>> create(PageFile& file, std::size_t cache_bytes);
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  [[nodiscard]] std::uint64_t interval() const noexcept { return interval_.load(std::memory_order_relaxed); }

  // ---- checkpoints ----

  // The instant: no page is being changed (the gate is closed). Returns the checkpoint's number.
  std::uint32_t begin_checkpoint();
  // Ids given out up to the instant.
  [[nodiscard]] std::uint32_t checkpoint_id_count() const noexcept { return checkpoint_id_count_; }
  // Writes every page of the intervals before it.
  Status write_checkpoint_pages();
  // It is published, or given up.
  void end_checkpoint();

  [[nodiscard]] CacheStats stats() const;
  [[nodiscard]] std::uint32_t dirty_pages() const noexcept {
    return dirty_count_.load(std::memory_order_relaxed);
  }
  PageFile& file() noexcept { return file_; }

  // ---- for the guards ----

  [[nodiscard]] PageTable& table() noexcept { return table_; }
  // Where the page's bytes may be, to be prefetched and never read; null when it is not in memory.
  [[nodiscard]] const char* peek(PageId id) noexcept {
    if (raw(id) >= table_.size()) return nullptr;
    const std::uint32_t frame = table_[id].frame.load(std::memory_order_relaxed);
    return frame < frame_count_ ? frame_bytes(frame) : nullptr;
  }
  [[nodiscard]] char* frame_bytes(std::uint32_t frame) noexcept {
    return arena_ + std::size_t{frame} * kPageBytes;
  }

  // Brings an evicted page into a frame. `restart` when it has no image or somebody else was faster.
  Step load(PageId id, Status& failure);
  // Called by the exclusive holder before it changes a page that is clean or was last changed in an older
  // interval.
  void begin_change(std::uint32_t frame, PageId id) noexcept;
  // A page id with a zeroed frame, held exclusively, dirty.
  Status allocate(PageId& id, std::uint32_t& frame);
  // The exclusive holder gives page and id back; its latch is released.
  void free(PageId id, std::uint32_t frame);

 private:
  struct PreservedImage {
    PageId id;
    std::unique_ptr<char[]> bytes;
  };

  explicit PageCache(PageFile& file) : file_(file) {}
  Status map_arena(std::size_t cache_bytes);

  Status take_frame(std::uint32_t& frame);
  enum class Eviction : std::uint8_t { taken, skipped, write_failed };
  Eviction try_evict(std::uint32_t frame, bool dirty_too, Status& failure);
  // Writes a dirty frame out under a shared hold. False when it was not dirty, or is newer than
  // `before_interval`.
  bool clean(std::uint32_t frame, std::uint64_t before_interval, Status& failure);
  void mark_clean(PageEntry& entry);
  void keep_image(PageId id, const char* bytes) noexcept;
  Status write_preserved_images();
  void wake_writer();
  void run_writer();

  PageFile& file_;
  PageTable table_;
  void* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  char* arena_ = nullptr;                   // within the mapping, at a huge page
  std::uint32_t frame_count_ = 0;
  std::unique_ptr<std::atomic<std::uint32_t>[]> frames_;  // the page in each frame; 0: none
  std::mutex allocate_mutex_;               // growing the table

  std::mutex free_mutex_;
  std::vector<std::uint32_t> free_frames_;
  std::atomic<std::uint32_t> hand_{0};
  std::atomic<std::uint32_t> dirty_count_{0};

  std::atomic<std::uint64_t> interval_{1};
  std::atomic<bool> checkpoint_active_{false};
  std::uint32_t checkpoint_id_count_ = 0;
  std::mutex images_mutex_;
  std::vector<PreservedImage> images_;      // kept, not yet written
  std::atomic<std::uint64_t> images_kept_{0};
  Status images_failure_;                   // a kept image that could not be written: the checkpoint fails

  std::mutex writer_mutex_;
  std::condition_variable writer_wake_;
  bool writer_wanted_ = false;
  bool writer_stop_ = false;
  std::thread writer_;
};

}  // namespace isolith::pages
