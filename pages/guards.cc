#include "pages/guards.h"

namespace isolith::pages {

Step SharedGuard::upgrade(OptimisticGuard& from, SharedGuard& guard) noexcept {
  guard.release();
  PageEntry& entry = *from.entry_;
  const std::uint64_t version = from.version_;
  from.release();
  for (Backoff backoff;; backoff.pause()) {
    const std::uint64_t word = entry.latch.load();
    const std::uint64_t state = LatchWord::state(word);
    if (LatchWord::version(word) != version || state == LatchWord::kExclusive) return Step::restart;
    if (!LatchWord::admits_shared(state, backoff.is_impatient())) continue;
    if (!entry.latch.try_lock_shared(word)) continue;
    guard.entry_ = &entry;
    guard.bytes_ = from.cache_->frame_bytes(entry.frame.load(std::memory_order_relaxed));
    return Step::ok;
  }
}

Step SharedGuard::acquire(PageCache& cache, PageId id, SharedGuard& guard, Status& failure) noexcept {
  guard.release();
  if (raw(id) >= cache.table().size() || id == kNoPage) return Step::restart;
  PageEntry& entry = cache.table()[id];
  for (Backoff backoff;; backoff.pause()) {
    const std::uint64_t word = entry.latch.load();
    const std::uint64_t state = LatchWord::state(word);
    if (state == LatchWord::kEvicted) {
      const Step step = cache.load(id, failure);
      if (step == Step::failed) return step;
      if (step == Step::restart && !cache.file().map().is_allocated(id)) return step;
      continue;
    }
    if (!LatchWord::admits_shared(state, backoff.is_impatient())) continue;
    if (!entry.latch.try_lock_shared(word)) continue;
    guard.entry_ = &entry;
    guard.bytes_ = cache.frame_bytes(entry.frame.load(std::memory_order_relaxed));
    return Step::ok;
  }
}

void ExclusiveGuard::take(PageCache& cache, PageEntry& entry, PageId id) noexcept {
  cache_ = &cache;
  entry_ = &entry;
  id_ = id;
  frame_ = entry.frame.load(std::memory_order_relaxed);
  bytes_ = cache.frame_bytes(frame_);
  edited_ = false;
}

Step ExclusiveGuard::upgrade(OptimisticGuard& from, ExclusiveGuard& guard) noexcept {
  guard.release();
  PageEntry& entry = *from.entry_;
  const std::uint64_t version = from.version_;
  from.release();
  for (Backoff backoff;; backoff.pause()) {
    const std::uint64_t word = entry.latch.load();
    if (LatchWord::version(word) != version) return Step::restart;
    const std::uint64_t state = LatchWord::state(word);
    if (state == LatchWord::kExclusive) return Step::restart;
    if (!LatchWord::is_free(state)) {
      // Shared holders go on their own. Whoever holds a parent exclusively must not wait for them for long.
      if (backoff.is_impatient()) return Step::restart;
      entry.latch.want(word);
      continue;
    }
    if (!entry.latch.try_lock(word)) continue;
    guard.take(*from.cache_, entry, from.id_);
    return Step::ok;
  }
}

Step ExclusiveGuard::acquire(PageCache& cache, PageId id, ExclusiveGuard& guard, Status& failure) noexcept {
  guard.release();
  if (raw(id) >= cache.table().size() || id == kNoPage) return Step::restart;
  PageEntry& entry = cache.table()[id];
  for (Backoff backoff;; backoff.pause()) {
    const std::uint64_t word = entry.latch.load();
    const std::uint64_t state = LatchWord::state(word);
    if (state == LatchWord::kEvicted) {
      const Step step = cache.load(id, failure);
      if (step == Step::failed) return step;
      if (step == Step::restart && !cache.file().map().is_allocated(id)) return step;
      continue;
    }
    if (!LatchWord::is_free(state)) {
      if (state != LatchWord::kExclusive) entry.latch.want(word);
      continue;
    }
    if (!entry.latch.try_lock(word)) continue;
    guard.take(cache, entry, id);
    return Step::ok;
  }
}

Status ExclusiveGuard::allocate(PageCache& cache, PageKind kind, ExclusiveGuard& guard) noexcept {
  guard.release();
  PageId id = kNoPage;
  std::uint32_t frame = kNoFrame;
  TRY(cache.allocate(id, frame));
  guard.take(cache, cache.table()[id], id);
  guard.edited_ = true;
  reinterpret_cast<PageHeader*>(guard.bytes_)->kind = kind;
  return {};
}

void ExclusiveGuard::free_page() noexcept {
  (void)edit();
  entry_ = nullptr;
  cache_->free(id_, frame_);
}

}  // namespace isolith::pages
