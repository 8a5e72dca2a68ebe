// The cache's ways to disk: eviction, the background writer, and the pages of a checkpoint.
#include <array>
#include <cstring>

#include "base/check.h"
#include "pages/page_cache.h"

namespace isolith::pages {
namespace {

constexpr std::uint32_t kCleanSearch =
    64;  // an eviction looks this long for a clean page before it takes a dirty one
constexpr std::uint32_t kWriterBatch =
    256;  // pages that the background writer looks at before it sleeps again

}  // namespace

Status PageCache::take_frame(std::uint32_t& frame) {
  Status failure;
  Backoff backoff;
  for (std::uint64_t looked = 0;; ++looked) {
    {
      const std::lock_guard lock(free_mutex_);
      if (!free_frames_.empty()) {
        frame = free_frames_.back();
        free_frames_.pop_back();
        return {};
      }
    }
    const std::uint32_t candidate = hand_.fetch_add(1, std::memory_order_relaxed) % frame_count_;
    if (try_evict(candidate, looked >= kCleanSearch, failure) == Eviction::taken) {
      frame = candidate;
      return {};
    }
    // Twice around without a page to be had, and the dirty ones cannot be written: say so.
    if (looked > std::uint64_t{4} * frame_count_ + kCleanSearch) {
      if (!failure.ok()) return failure;
      backoff.pause();
    }
  }
}

// The clock: a page that nobody touched since the hand marked it goes.
PageCache::Eviction PageCache::try_evict(std::uint32_t frame, bool dirty_too, Status& failure) {
  const PageId id{frames_[frame].load(std::memory_order_relaxed)};
  if (id == kNoPage) return Eviction::skipped;
  PageEntry& entry = table_[id];
  const std::uint64_t word = entry.latch.load();
  if (const std::uint64_t state = LatchWord::state(word); state != LatchWord::kMarked) {
    if (LatchWord::is_free(state)) entry.latch.try_mark(word);
    return Eviction::skipped;
  }
  if (entry.state.load(std::memory_order_relaxed) != FrameState::clean && !dirty_too) {
    wake_writer();
    return Eviction::skipped;
  }
  if (!entry.latch.try_lock(word)) return Eviction::skipped;
  if (entry.frame.load(std::memory_order_relaxed) != frame) {
    entry.latch.unlock_unchanged();
    return Eviction::skipped;
  }
  if (entry.state.load(std::memory_order_relaxed) != FrameState::clean) {
    if (Status status = file_.write(id, frame_bytes(frame)); !status.ok()) {
      failure = std::move(status);
      entry.latch.unlock_unchanged();
      return Eviction::write_failed;
    }
    mark_clean(entry);
  }
  frames_[frame].store(0, std::memory_order_relaxed);
  entry.frame.store(kNoFrame, std::memory_order_relaxed);
  entry.latch.unlock(LatchWord::kEvicted);
  return Eviction::taken;
}

bool PageCache::clean(std::uint32_t frame, std::uint64_t before_interval, Status& failure) {
  for (Backoff backoff;; backoff.pause()) {
    const PageId id{frames_[frame].load(std::memory_order_relaxed)};
    if (id == kNoPage) return false;
    PageEntry& entry = table_[id];
    if (entry.state.load(std::memory_order_relaxed) == FrameState::clean) return false;
    const std::uint64_t word = entry.latch.load();
    const std::uint64_t state = LatchWord::state(word);
    if (state == LatchWord::kEvicted) return false;
    if (!LatchWord::admits_shared(state, true)) continue;
    if (!entry.latch.try_lock_shared(word)) continue;
    if (entry.frame.load(std::memory_order_relaxed) != frame) {
      entry.latch.unlock_shared();
      return false;
    }
    const char* bytes = frame_bytes(frame);
    FrameState expected = FrameState::dirty;
    bool written = false;
    if (reinterpret_cast<const PageHeader*>(bytes)->version >= before_interval) {
      expected = FrameState::clean;  // newer: left alone
    } else if (entry.state.compare_exchange_strong(expected, FrameState::writing,
                                                   std::memory_order_relaxed)) {
      failure = file_.write(id, bytes);
      written = failure.ok();
      entry.state.store(written ? FrameState::clean : FrameState::dirty, std::memory_order_relaxed);
      if (written) dirty_count_.fetch_sub(1, std::memory_order_relaxed);
      expected = FrameState::clean;
    }
    entry.latch.unlock_shared();
    if (expected != FrameState::writing)
      return written;  // else another thread is writing it out: wait for that
  }
}

std::uint32_t PageCache::begin_checkpoint() {
  const std::uint64_t number = interval() + 1;
  checkpoint_id_count_ = file_.map().id_count();
  file_.map().begin_checkpoint(static_cast<std::uint32_t>(number));
  interval_.store(number, std::memory_order_relaxed);
  checkpoint_active_.store(true, std::memory_order_relaxed);
  return static_cast<std::uint32_t>(number);
}

Status PageCache::write_checkpoint_pages() {
  const std::uint64_t number = interval();
  for (std::uint32_t frame = 0; frame < frame_count_; ++frame) {
    Status failure;
    clean(frame, number, failure);
    TRY(failure);
    if (frame % kWriterBatch == 0) TRY(write_preserved_images());
  }
  return write_preserved_images();
}

Status PageCache::write_preserved_images() {
  std::vector<PreservedImage> images;
  {
    const std::lock_guard lock(images_mutex_);
    images.swap(images_);
    TRY(images_failure_);
  }
  for (const PreservedImage& image : images) TRY(file_.write_preserved(image.id, image.bytes.get()));
  return {};
}

void PageCache::end_checkpoint() {
  const std::lock_guard lock(images_mutex_);
  checkpoint_active_.store(false, std::memory_order_relaxed);
  images_.clear();
  images_failure_ = Status();
}

void PageCache::wake_writer() {
  {
    const std::lock_guard lock(writer_mutex_);
    if (writer_wanted_) return;
    writer_wanted_ = true;
  }
  writer_wake_.notify_one();
}

// Writes out the marked dirty pages that the clock hand comes to next. Sleeps until an eviction asks for it.
void PageCache::run_writer() {
  for (;;) {
    {
      std::unique_lock lock(writer_mutex_);
      writer_wake_.wait(lock, [this] { return writer_wanted_ || writer_stop_; });
      if (writer_stop_) return;
      writer_wanted_ = false;
    }
    const std::uint32_t from = hand_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < std::min(kWriterBatch, frame_count_); ++i) {
      const std::uint32_t frame = (from + i) % frame_count_;
      const PageId id{frames_[frame].load(std::memory_order_relaxed)};
      if (id == kNoPage || LatchWord::state(table_[id].latch.load()) != LatchWord::kMarked) continue;
      Status failure;  // left to the eviction or checkpoint that meets it again
      clean(frame, ~std::uint64_t{0}, failure);
    }
  }
}

}  // namespace isolith::pages
