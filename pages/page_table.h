// PageTable: one entry a logical page, indexed by its id, in one reserved piece of address space that is
// backed as ids come into use. A hit in the cache costs one load here, no hash.
//
// Invariants:
//   1. An entry below size() is readable for as long as the table lives, whatever becomes of its page.
//   2. `frame` is meaningful while the latch is held, or while the word's version stays what it was.
//
// Threads: entries by their latch; `grow` by one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/ids.h"
#include "isolith/status.h"
#include "pages/latch.h"

namespace isolith::pages {

inline constexpr std::uint32_t kNoFrame = 0xFFFFFFFF;

// Whether the frame's bytes are the page's current image.
enum class FrameState : std::uint32_t { clean, dirty, writing };

struct PageEntry {
  LatchWord latch;
  std::atomic<std::uint32_t> frame;
  std::atomic<FrameState> state;
};
static_assert(sizeof(PageEntry) == 16);

class PageTable {
 public:
  PageTable() = default;
  ~PageTable();
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  // Reserves address space. `no_space` when not even a small table can be had.
  Status reserve();

  // Ids below `size` have entries. `no_space` past the reserved space or when memory is out.
  Status grow(std::uint32_t size);

  [[nodiscard]] std::uint32_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] PageEntry& operator[](PageId id) noexcept { return entries_[raw(id)]; }

 private:
  PageEntry* entries_ = nullptr;
  std::size_t reserved_bytes_ = 0;
  std::size_t backed_bytes_ = 0;
  std::atomic<std::uint32_t> size_{0};
};

}  // namespace isolith::pages
