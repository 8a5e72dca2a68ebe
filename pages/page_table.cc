#include "pages/page_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace isolith::pages {
namespace {

constexpr std::size_t kReserveBytesMax = (std::size_t{1} << 32) * sizeof(PageEntry);
constexpr std::size_t kReserveBytesMin = std::size_t{64} << 20;
constexpr std::size_t kBackStepBytes = std::size_t{1} << 18;

}  // namespace

PageTable::~PageTable() {
  if (entries_ != nullptr) munmap(entries_, reserved_bytes_);
}

Status PageTable::reserve() {
  for (std::size_t bytes = kReserveBytesMax; bytes >= kReserveBytesMin; bytes /= 4) {
    void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) continue;
    entries_ = static_cast<PageEntry*>(memory);
    reserved_bytes_ = bytes;
    return {};
  }
  return {StatusCode::no_space, "no address space for the page table", ENOMEM};
}

Status PageTable::grow(std::uint32_t size) {
  const std::uint32_t old_size = this->size();
  if (size <= old_size) return {};
  const std::size_t needed = std::size_t{size} * sizeof(PageEntry);
  if (needed > reserved_bytes_) {
    return {StatusCode::no_space, "the page table's address space is used up", ENOMEM};
  }
  if (needed > backed_bytes_) {
    const std::size_t backed =
        std::min(reserved_bytes_, (needed + kBackStepBytes - 1) / kBackStepBytes * kBackStepBytes);
    char* from = reinterpret_cast<char*>(entries_) + backed_bytes_;
    if (mprotect(from, backed - backed_bytes_, PROT_READ | PROT_WRITE) != 0) {
      return {StatusCode::no_space, "no memory for the page table", errno};
    }
    backed_bytes_ = backed;
  }
  for (std::uint32_t id = old_size; id < size; ++id) {
    entries_[id].frame.store(kNoFrame, std::memory_order_relaxed);
    entries_[id].state.store(FrameState::clean, std::memory_order_relaxed);
    entries_[id].latch.set_evicted();
  }
  size_.store(size, std::memory_order_release);
  return {};
}

}  // namespace isolith::pages
