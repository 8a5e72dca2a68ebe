// The latch word of a page: 48 bits of version, 16 bits of state. It is the page's latch and its optimistic
// version at once, and it stays with the logical page id for as long as the database is open, also while the
// page is evicted.
//
//   state 0            resident, nobody holds it
//   1 .. kSharedMax    resident, that many shared holders
//   kWanted + those    as those, and somebody waits to hold it exclusively: who would share it now lets him
//                      go first, for a while
//   kMarked            as 0, and the clock hand came by: the next one to touch it clears the mark, else it
//                      is evicted
//   kEvicted           not in a frame
//   kExclusive         one holder, who may change the bytes, the frame, or load and evict
//
// Memory order (Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?", 2012):
//   1. `lock`: CAS to kExclusive (acquire; sequentially consistent, which locking/README.md needs), then a
//      release fence: whoever sees a byte that the holder wrote, and then loads the word behind an acquire
//      fence, sees kExclusive or a later version.
//   2. `unlock`: version + 1 stored with release: whoever loads that version with acquire sees all bytes.
//   3. An optimistic reader loads the word (acquire), reads bytes, `validate`s: acquire fence, load the word
//      again. The same version and not kExclusive means that no holder began and ended, and none had begun,
//      in between: the bytes are those of one moment. The version is never reset: eviction and loading pass
//      through kExclusive and raise it, so a reader of a frame that was given to another page fails.
//   4. Writing a page out needs no more than a shared hold: readers go on, holders of kExclusive do not.
//
// Under ThreadSanitizer optimistic readers hold the page shared, because the tool takes reads that are thrown
// away for races; the fences, which it does not know, are not needed then.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace isolith::pages {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kOptimisticHoldsShared = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool kOptimisticHoldsShared = true;
#else
inline constexpr bool kOptimisticHoldsShared = false;
#endif
#else
inline constexpr bool kOptimisticHoldsShared = false;
#endif

class LatchWord {
 public:
  static constexpr std::uint64_t kStateMask = 0xFFFF;
  static constexpr std::uint64_t kSharedMax = 0x3FFF;
  static constexpr std::uint64_t kWanted = 0x4000;  // a bit
  static constexpr std::uint64_t kMarked = 0xFFFD;
  static constexpr std::uint64_t kEvicted = 0xFFFE;
  static constexpr std::uint64_t kExclusive = 0xFFFF;

  static constexpr std::uint64_t state(std::uint64_t word) noexcept { return word & kStateMask; }
  static constexpr std::uint64_t version(std::uint64_t word) noexcept { return word >> 16; }
  static constexpr std::uint64_t make(std::uint64_t version, std::uint64_t state) noexcept {
    return version << 16 | state;
  }

  // Of a page in a frame.
  static constexpr bool is_free(std::uint64_t state) noexcept {
    return (state & ~kWanted) == 0 || state == kMarked;
  }

  // Whether one more may share the page. Not past somebody who waits to hold it exclusively: as long as
  // holders come before the last one has gone he would wait for ever. But nobody lets him go first for long:
  // those whom he waits for may themselves wait for who stands here.
  static constexpr bool admits_shared(std::uint64_t state, bool is_impatient) noexcept {
    if (state == kMarked) return true;
    return is_impatient ? (state & ~kWanted) < kSharedMax : state < kSharedMax;
  }

  [[nodiscard]] std::uint64_t load() const noexcept { return word_.load(std::memory_order_acquire); }

  // True when the bytes read since `seen` was loaded are those of one moment.
  [[nodiscard]] bool validate(std::uint64_t seen_version) const noexcept {
    if constexpr (!kOptimisticHoldsShared) std::atomic_thread_fence(std::memory_order_acquire);
    const std::uint64_t now = word_.load(std::memory_order_relaxed);
    return version(now) == seen_version && state(now) != kExclusive;
  }

  bool try_lock(std::uint64_t seen) noexcept {
    if (!word_.compare_exchange_strong(seen, make(version(seen), kExclusive), std::memory_order_seq_cst,
                                       std::memory_order_relaxed)) {
      return false;
    }
    if constexpr (!kOptimisticHoldsShared) std::atomic_thread_fence(std::memory_order_release);
    return true;
  }

  // From a state that admits it to one holder more. Who waits to hold it exclusively has to say so again.
  bool try_lock_shared(std::uint64_t seen) noexcept {
    const std::uint64_t holders = state(seen) == kMarked ? 0 : state(seen) & ~kWanted;
    return word_.compare_exchange_strong(seen, make(version(seen), holders + 1), std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  void unlock_shared() noexcept { word_.fetch_sub(1, std::memory_order_release); }

  // Changed bytes: the version goes up. `to` is 0 or kEvicted.
  void unlock(std::uint64_t to = 0) noexcept {
    const std::uint64_t held = word_.load(std::memory_order_relaxed);
    word_.store(make(version(held) + 1, to), std::memory_order_release);
  }

  // Nothing was changed: optimistic readers from before stay valid.
  void unlock_unchanged() noexcept {
    word_.store(make(version(word_.load(std::memory_order_relaxed)), 0), std::memory_order_release);
  }

  // The page could not be loaded: evicted as before.
  void unlock_evicted_unchanged() noexcept {
    word_.store(make(version(word_.load(std::memory_order_relaxed)), kEvicted), std::memory_order_release);
  }

  // Says that somebody waits for the shared holders of `seen` to go.
  void want(std::uint64_t seen) noexcept {
    if ((state(seen) & kWanted) == 0) exchange_state(seen, state(seen) | kWanted);
  }

  bool try_mark(std::uint64_t seen) noexcept { return exchange_state(seen, kMarked); }
  bool try_unmark(std::uint64_t seen) noexcept { return exchange_state(seen, 0); }

  // Before the page is in use at all (new memory is all zeros).
  void set_evicted() noexcept { word_.store(make(1, kEvicted), std::memory_order_release); }

 private:
  bool exchange_state(std::uint64_t seen, std::uint64_t to) noexcept {
    return word_.compare_exchange_strong(seen, make(version(seen), to), std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> word_{0};
};

// How to wait for a page latch: holders are gone in nanoseconds, or in the time of one page read.
class Backoff {
 public:
  void pause() noexcept {
    if (++rounds_ < 32) {
      __builtin_ia32_pause();
    } else {
      std::this_thread::yield();
    }
  }

  // Others have had time enough to go, also where there are many more threads than processors.
  [[nodiscard]] bool is_impatient() const noexcept { return rounds_ >= 128; }

 private:
  unsigned rounds_ = 0;
};

}  // namespace isolith::pages
