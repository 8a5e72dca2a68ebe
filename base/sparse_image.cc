// SparseImage: all loops go block by block.
#include "base/sparse_image.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace isolith::base {

const SparseImage::Block* SparseImage::find(std::uint64_t block) const noexcept {
  const std::uint64_t extent = block / kExtentBlocks;
  if (extent >= extents_.size() || extents_[extent].get() == nullptr) return nullptr;
  return (*extents_[extent].get())[block % kExtentBlocks].get();
}

SparseImage::Block& SparseImage::own(std::uint64_t block) {
  const std::uint64_t extent = block / kExtentBlocks;
  if (extent >= extents_.size()) extents_.resize(extent + 1);
  return extents_[extent].own()[block % kExtentBlocks].own();
}

void SparseImage::drop(std::uint64_t block) {
  if (find(block) != nullptr) extents_[block / kExtentBlocks].own()[block % kExtentBlocks] = {};
}

std::size_t SparseImage::read(std::uint64_t offset, void* buffer, std::size_t size) const noexcept {
  if (offset >= size_) return 0;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset));
  char* to = static_cast<char*>(buffer);
  for (std::size_t left = size; left > 0;) {
    const std::size_t within = offset % kBlockBytes;
    const std::size_t count = std::min(left, kBlockBytes - within);
    if (const Block* block = find(offset / kBlockBytes); block != nullptr) {
      std::memcpy(to, block->data() + within, count);
    } else {
      std::memset(to, 0, count);
    }
    to += count;
    offset += count;
    left -= count;
  }
  return size;
}

void SparseImage::write(std::uint64_t offset, const void* data, std::size_t size) {
  if (size == 0) return;
  CHECK(offset <= kMaxBytes && size <= kMaxBytes - offset, "a simulated file is within its limit");
  const char* from = static_cast<const char*>(data);
  size_ = std::max(size_, offset + size);
  while (size > 0) {
    const std::size_t within = offset % kBlockBytes;
    const std::size_t count = std::min(size, kBlockBytes - within);
    std::memcpy(own(offset / kBlockBytes).data() + within, from, count);
    from += count;
    offset += count;
    size -= count;
  }
}

void SparseImage::resize(std::uint64_t size) {
  CHECK(size <= kMaxBytes, "a simulated file is within its limit");
  if (size < size_) zero(size, size_ - size);
  size_ = size;
  const std::uint64_t extents = (size + kExtentBytes - 1) / kExtentBytes;
  if (extents < extents_.size()) extents_.resize(extents);
}

void SparseImage::zero(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t stored_end = std::min<std::uint64_t>(size_, extents_.size() * kExtentBytes);
  if (offset >= stored_end) return;
  const std::uint64_t end = offset + std::min(size, stored_end - offset);
  while (offset < end) {
    const std::uint64_t block = offset / kBlockBytes;
    const std::size_t within = offset % kBlockBytes;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, kBlockBytes - within));
    if (within == 0 && (count == kBlockBytes || offset + count == size_)) {
      drop(block);  // what follows the end is zero as well
    } else if (find(block) != nullptr) {
      std::memset(own(block).data() + within, 0, count);
    }
    offset += count;
  }
}

}  // namespace isolith::base
