// SlotAllocator: which slots of the data file are free. The lowest free one is given out first, so that the
// end of the file empties and can be cut off.
//
// Threads: one at a time (the page map's mutex).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/ids.h"

namespace isolith::pages {

class SlotAllocator {
 public:
  // The first `reserved` slots are never given out.
  explicit SlotAllocator(std::uint32_t reserved) : end_(reserved), used_(reserved) {
    words_.assign(reserved / 64 + 1, 0);
    words_[0] = (std::uint64_t{1} << reserved) - 1;
  }

  SlotId allocate() {
    while (first_word_ < words_.size() && words_[first_word_] == ~std::uint64_t{0}) ++first_word_;
    if (first_word_ == words_.size()) words_.push_back(0);
    const auto bit = static_cast<unsigned>(std::countr_one(words_[first_word_]));
    const auto slot = static_cast<std::uint32_t>(first_word_ * 64 + bit);
    mark(SlotId{slot});
    return SlotId{slot};
  }

  // A slot that the page map read from disk refers to. False if it is taken already.
  bool mark(SlotId slot) {
    const std::size_t word = raw(slot) / 64;
    if (word >= words_.size()) words_.resize(word + 1, 0);
    const std::uint64_t bit = std::uint64_t{1} << (raw(slot) % 64);
    if ((words_[word] & bit) != 0) return false;
    words_[word] |= bit;
    end_ = std::max(end_, raw(slot) + 1);
    ++used_;
    return true;
  }

  void release(SlotId slot) {
    const std::size_t word = raw(slot) / 64;
    const std::uint64_t bit = std::uint64_t{1} << (raw(slot) % 64);
    CHECK(word < words_.size() && (words_[word] & bit) != 0, "a slot is freed once");
    words_[word] &= ~bit;
    first_word_ = std::min(first_word_, word);
    --used_;
  }

  // One past the highest slot in use; how many are in use.
  std::uint32_t end() {
    while (end_ > 0 && (words_[(end_ - 1) / 64] >> ((end_ - 1) % 64) & 1) == 0) --end_;
    return end_;
  }
  [[nodiscard]] std::uint32_t used() const { return used_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t first_word_ = 0;
  std::uint32_t end_;
  std::uint32_t used_;
};

}  // namespace isolith::pages
