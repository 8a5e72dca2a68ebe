// full_fence(): what this thread wrote before it is seen by whoever passes a fence later, before anything
// that this one reads behind it (Dekker's pattern: each says so, fences, and then looks).
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace isolith::base {

inline void full_fence() noexcept {
#ifdef ISOLITH_TSAN
  // ThreadSanitizer knows no fences. A change of one word orders those who make it as well.
  static std::atomic<std::uint32_t> word{0};
  word.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace isolith::base
