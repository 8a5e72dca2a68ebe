#include "pages/page_cache.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace isolith::pages {
namespace {

// Images that writers may keep for a checkpoint before they have to write them out themselves.
constexpr std::size_t kImagesMax = 64;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

}  // namespace

Result<std::unique_ptr<PageCache>> PageCache::create(PageFile& file, std::size_t cache_bytes) {
  std::unique_ptr<PageCache> self(new PageCache(file));
  TRY(self->table_.reserve());
  TRY(self->table_.grow(file.map().id_count()));
  TRY(self->map_arena(cache_bytes));
  self->interval_ = file.header().number;
  self->writer_ = std::thread([cache = self.get()] { cache->run_writer(); });
  return self;
}

Status PageCache::map_arena(std::size_t cache_bytes) {
  frame_count_ = static_cast<std::uint32_t>(cache_bytes / kPageBytes);
  mapping_bytes_ = std::size_t{frame_count_} * kPageBytes + kHugePageBytes;
  void* memory = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return {StatusCode::no_space, "no memory for a cache of " + std::to_string(cache_bytes) + " bytes",
            errno};
  }
  mapping_ = memory;
  // The frames begin at a huge page; what lies before stays untouched and takes no memory.
  const auto begin =
      (reinterpret_cast<std::uintptr_t>(memory) + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  arena_ = reinterpret_cast<char*>(begin);
  madvise(arena_, std::size_t{frame_count_} * kPageBytes / kHugePageBytes * kHugePageBytes, MADV_HUGEPAGE);
  frames_ = std::make_unique<std::atomic<std::uint32_t>[]>(frame_count_);
  free_frames_.reserve(frame_count_);
  for (std::uint32_t i = frame_count_; i-- > 0;) free_frames_.push_back(i);
  return {};
}

PageCache::~PageCache() {
  if (writer_.joinable()) {
    {
      const std::lock_guard lock(writer_mutex_);
      writer_stop_ = true;
    }
    writer_wake_.notify_all();
    writer_.join();
  }
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

Step PageCache::load(PageId id, Status& failure) {
  PageEntry& entry = table_[id];
  const std::uint64_t word = entry.latch.load();
  if (LatchWord::state(word) != LatchWord::kEvicted || !entry.latch.try_lock(word)) return Step::restart;
  std::uint32_t frame = kNoFrame;
  ReadOutcome outcome = ReadOutcome::missing;
  if (file_.map().current(id).slot != kNoSlot) {
    failure = take_frame(frame);
    outcome = failure.ok() ? file_.read(id, frame_bytes(frame), failure) : ReadOutcome::failed;
  }
  if (outcome != ReadOutcome::ok) {
    if (frame != kNoFrame) {
      const std::lock_guard lock(free_mutex_);
      free_frames_.push_back(frame);
    }
    entry.latch.unlock_evicted_unchanged();
    return outcome == ReadOutcome::failed ? Step::failed : Step::restart;
  }
  frames_[frame].store(raw(id), std::memory_order_relaxed);
  entry.frame.store(frame, std::memory_order_relaxed);
  entry.latch.unlock();
  return Step::ok;
}

void PageCache::begin_change(std::uint32_t frame, PageId id) noexcept {
  char* bytes = frame_bytes(frame);
  auto* header = reinterpret_cast<PageHeader*>(bytes);
  PageEntry& entry = table_[id];
  if (entry.state.load(std::memory_order_relaxed) == FrameState::clean) {
    entry.state.store(FrameState::dirty, std::memory_order_relaxed);
    dirty_count_.fetch_add(1, std::memory_order_relaxed);
  } else if (checkpoint_active_.load(std::memory_order_relaxed)) {
    keep_image(id, bytes);
  }
  header->version = interval();
}

void PageCache::keep_image(PageId id, const char* bytes) noexcept {
  std::unique_lock lock(images_mutex_);
  if (!checkpoint_active_.load(std::memory_order_relaxed)) return;  // given up a moment ago
  file_.map().announce_preserved(id);
  images_kept_.fetch_add(1, std::memory_order_relaxed);
  if (images_.size() < kImagesMax) {
    images_.push_back({id, std::make_unique_for_overwrite<char[]>(kPageBytes)});
    std::memcpy(images_.back().bytes.get(), bytes, kPageBytes);
    return;
  }
  const std::uint64_t number = interval();
  lock.unlock();
  Status status = file_.write_preserved(id, bytes);
  lock.lock();
  if (!status.ok() && checkpoint_active_.load(std::memory_order_relaxed) && interval() == number) {
    images_failure_ = std::move(status);
  }
}

Status PageCache::allocate(PageId& id, std::uint32_t& frame) {
  TRY(take_frame(frame));
  id = file_.map().allocate_id();
  Status grown;
  if (raw(id) >= table_.size()) {
    const std::lock_guard lock(allocate_mutex_);
    grown = table_.grow(raw(id) + 1);
  }
  if (!grown.ok()) {
    file_.map().free_id(id);
    const std::lock_guard lock(free_mutex_);
    free_frames_.push_back(frame);
    return grown;
  }
  PageEntry& entry = table_[id];
  // A stale optimistic reader may be trying to load the page that had this id: it gives up at once, there is
  // no image.
  for (Backoff backoff;; backoff.pause()) {
    const std::uint64_t word = entry.latch.load();
    if (LatchWord::state(word) == LatchWord::kEvicted && entry.latch.try_lock(word)) break;
  }
  char* bytes = frame_bytes(frame);
  std::memset(bytes, 0, kPageBytes);
  auto* header = reinterpret_cast<PageHeader*>(bytes);
  header->version = interval();
  header->id = id;
  entry.state.store(FrameState::dirty, std::memory_order_relaxed);
  frames_[frame].store(raw(id), std::memory_order_relaxed);
  dirty_count_.fetch_add(1, std::memory_order_relaxed);
  entry.frame.store(frame, std::memory_order_relaxed);
  return {};
}

void PageCache::free(PageId id, std::uint32_t frame) {
  PageEntry& entry = table_[id];
  mark_clean(entry);
  frames_[frame].store(0, std::memory_order_relaxed);
  entry.frame.store(kNoFrame, std::memory_order_relaxed);
  file_.map().free_id(id);
  entry.latch.unlock(LatchWord::kEvicted);
  const std::lock_guard lock(free_mutex_);
  free_frames_.push_back(frame);
}

void PageCache::mark_clean(PageEntry& entry) {
  if (entry.state.exchange(FrameState::clean, std::memory_order_relaxed) != FrameState::clean) {
    dirty_count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

CacheStats PageCache::stats() const {
  CacheStats stats;
  stats.frames = frame_count_;
  for (std::uint32_t i = 0; i < frame_count_; ++i) {
    stats.cached_pages += frames_[i].load(std::memory_order_relaxed) != 0 ? 1 : 0;
  }
  stats.dirty_pages = dirty_count_.load(std::memory_order_relaxed);
  stats.preserved_images = images_kept_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace isolith::pages
