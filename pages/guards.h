// Guards: the latch mode of a page as a type, and the only way to its bytes.
//
//   OptimisticGuard  no latch: what was read means nothing until `validate()` said so
//   SharedGuard      the bytes do not change while it lives
//   ExclusiveGuard   the holder may change them, through `edit()`
//
// Rules: nobody waits for a page latch while holding one, but for a parent whose child is taken (top down)
// and for a leaf whose chain pages are read; everything else tries, and restarts. No latch is held while
// waiting for a transaction.
//
// Threads: a guard belongs to the thread that made it.
#pragma once

#include <utility>

#include "base/check.h"
#include "pages/page_cache.h"

namespace isolith::pages {

class OptimisticGuard {
 public:
  OptimisticGuard() = default;
  OptimisticGuard(OptimisticGuard&& other) noexcept { swap(other); }
  OptimisticGuard& operator=(OptimisticGuard&& other) noexcept {
    swap(other);
    return *this;
  }
  ~OptimisticGuard() { release(); }

  // `restart` when `id` names no page that could be there: a number read optimistically.
  static Step acquire(PageCache& cache, PageId id, OptimisticGuard& guard, Status& failure) noexcept {
    guard.release();
    if (raw(id) >= cache.table().size() || id == kNoPage) [[unlikely]] return Step::restart;
    PageEntry& entry = cache.table()[id];
    for (Backoff backoff;; backoff.pause()) {
      const std::uint64_t word = entry.latch.load();
      switch (LatchWord::state(word)) {
        case LatchWord::kExclusive: continue;
        case LatchWord::kEvicted: return acquire_evicted(cache, id, failure);
        case LatchWord::kMarked:
          if (!kOptimisticHoldsShared && !entry.latch.try_unmark(word)) continue;
          break;
        default: break;
      }
      if (kOptimisticHoldsShared &&
          !(LatchWord::admits_shared(LatchWord::state(word), backoff.is_impatient()) &&
            entry.latch.try_lock_shared(word))) {
        continue;
      }
      const std::uint32_t frame = entry.frame.load(std::memory_order_relaxed);
      if (frame == kNoFrame) [[unlikely]] continue;  // evicted since the word was loaded
      guard.cache_ = &cache;
      guard.entry_ = &entry;
      guard.version_ = LatchWord::version(word);
      guard.bytes_ = cache.frame_bytes(frame);
      guard.id_ = id;
      return Step::ok;
    }
  }

  [[nodiscard]] const char* bytes() const noexcept { return bytes_; }
  [[nodiscard]] PageId id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] bool held() const noexcept { return entry_ != nullptr; }

  // Whether a page that was read is as it was then.
  static bool is_unchanged(PageCache& cache, PageId id, std::uint64_t version) noexcept {
    return cache.table()[id].latch.validate(version);
  }
  // True when everything read so far is of one moment.
  [[nodiscard]] bool validate() const noexcept { return entry_->latch.validate(version_); }

  void release() noexcept {
    if constexpr (kOptimisticHoldsShared) {
      if (entry_ != nullptr) entry_->latch.unlock_shared();
    }
    entry_ = nullptr;
  }

 private:
  friend class ExclusiveGuard;
  friend class SharedGuard;
  static Step acquire_evicted(PageCache& cache, PageId id, Status& failure) noexcept {
    return cache.load(id, failure) == Step::failed ? Step::failed : Step::restart;
  }
  void swap(OptimisticGuard& other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(entry_, other.entry_);
    std::swap(bytes_, other.bytes_);
    std::swap(version_, other.version_);
    std::swap(id_, other.id_);
  }

  PageCache* cache_ = nullptr;
  PageEntry* entry_ = nullptr;
  const char* bytes_ = nullptr;
  std::uint64_t version_ = 0;
  PageId id_ = kNoPage;
};

class SharedGuard {
 public:
  SharedGuard() = default;
  SharedGuard(SharedGuard&& other) noexcept
      : entry_(std::exchange(other.entry_, nullptr)), bytes_(other.bytes_) {}
  SharedGuard& operator=(SharedGuard&& other) noexcept {
    std::swap(entry_, other.entry_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedGuard() { release(); }

  // From an optimistic read to the latch: ok only when the page did not change since. `from` is released.
  static Step upgrade(OptimisticGuard& from, SharedGuard& guard) noexcept;
  // Waits for an exclusive holder. `restart`: the page is not there.
  static Step acquire(PageCache& cache, PageId id, SharedGuard& guard, Status& failure) noexcept;

  [[nodiscard]] const char* bytes() const noexcept { return bytes_; }
  void release() noexcept {
    if (entry_ != nullptr) std::exchange(entry_, nullptr)->latch.unlock_shared();
  }

 private:
  PageEntry* entry_ = nullptr;
  const char* bytes_ = nullptr;
};

class ExclusiveGuard {
 public:
  ExclusiveGuard() = default;
  ExclusiveGuard(ExclusiveGuard&& other) noexcept { swap(other); }
  ExclusiveGuard& operator=(ExclusiveGuard&& other) noexcept {
    swap(other);
    return *this;
  }
  ~ExclusiveGuard() { release(); }

  // From an optimistic read to the latch: ok only when the page did not change since. `from` is released.
  // Waits a little for shared holders, and not for an exclusive one.
  static Step upgrade(OptimisticGuard& from, ExclusiveGuard& guard) noexcept;
  // Waits for other holders.
  static Step acquire(PageCache& cache, PageId id, ExclusiveGuard& guard, Status& failure) noexcept;
  // A new page, zeroed but for its header.
  static Status allocate(PageCache& cache, PageKind kind, ExclusiveGuard& guard) noexcept;

  [[nodiscard]] const char* bytes() const noexcept { return bytes_; }
  [[nodiscard]] PageId id() const noexcept { return id_; }
  [[nodiscard]] bool held() const noexcept { return entry_ != nullptr; }

  // The bytes to change. The page counts as changed from here on.
  [[nodiscard]] char* edit() noexcept {
    edited_ = true;
    // A page may be written out, and so be clean, several times in one interval.
    if (reinterpret_cast<const PageHeader*>(bytes_)->version != cache_->interval() ||
        entry_->state.load(std::memory_order_relaxed) != FrameState::dirty) [[unlikely]] {
      cache_->begin_change(frame_, id_);
    }
    return bytes_;
  }

  // Gives the page back to the file.
  void free_page() noexcept;

  void release() noexcept {
    if (entry_ == nullptr) return;
    // Where nothing changed, optimistic readers need not notice.
    if (edited_) {
      entry_->latch.unlock();
    } else {
      entry_->latch.unlock_unchanged();
    }
    entry_ = nullptr;
  }

 private:
  void swap(ExclusiveGuard& other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(entry_, other.entry_);
    std::swap(bytes_, other.bytes_);
    std::swap(frame_, other.frame_);
    std::swap(id_, other.id_);
    std::swap(edited_, other.edited_);
  }
  void take(PageCache& cache, PageEntry& entry, PageId id) noexcept;

  PageCache* cache_ = nullptr;
  PageEntry* entry_ = nullptr;
  char* bytes_ = nullptr;
  std::uint32_t frame_ = kNoFrame;
  PageId id_ = kNoPage;
  bool edited_ = false;
};

}  // namespace isolith::pages
