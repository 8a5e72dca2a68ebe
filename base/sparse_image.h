// SparseImage: the bytes of a file in memory. Copying one is cheap: the copies share their blocks until one
// changes.
//
// Invariants:
//   1. Every byte from size() on is zero in its block, so that a file that grows again shows zeros.
//   2. A block that was never written is absent and reads as zeros.
//
// Threads: one thread at a time for one image; copies are independent of each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/copy_on_write.h"

namespace isolith::base {

class SparseImage {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  // Up to `size` bytes, fewer at the end; returns how many.
  std::size_t read(std::uint64_t offset, void* buffer, std::size_t size) const noexcept;

  // Grows the image; the caller keeps offsets within kMaxBytes.
  void write(std::uint64_t offset, const void* data, std::size_t size);

  // Cuts or grows.
  void resize(std::uint64_t size);

  // Zeros a range; gives back the blocks that lie wholly in it. The size stays.
  void zero(std::uint64_t offset, std::uint64_t size);

  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;

 private:
  static constexpr std::size_t kBlockBytes = 4096;
  static constexpr std::size_t kExtentBlocks = 32;
  static constexpr std::uint64_t kExtentBytes = kBlockBytes * kExtentBlocks;

  using Block = std::array<char, kBlockBytes>;
  // Two levels, so that a copy of a large image copies one pointer for 128 KiB.
  using Extent = std::array<CowPtr<Block>, kExtentBlocks>;

  [[nodiscard]] const Block* find(std::uint64_t block) const noexcept;
  Block& own(std::uint64_t block);
  void drop(std::uint64_t block);

  std::uint64_t size_ = 0;
  std::vector<CowPtr<Extent>> extents_;
};

}  // namespace isolith::base
