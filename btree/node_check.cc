// Node: checking a page against every invariant in node.h, for verify, for tests, and for pages read from a
// file.
//
// Threads: a latch of the page is held. The bytes are not trusted: nothing outside of the page is read.
#include <algorithm>
#include <bitset>
#include <cstring>

#include "btree/node.h"

namespace isolith::btree {

using pages::kPageBytes;
using pages::PageKind;

// The parts of check(). Each answers null or what is wrong, and relies on those before it.
struct Node::Checker {
  const Node& node;
  std::bitset<kPageBytes> used{};

  bool take(std::size_t begin, std::size_t bytes) noexcept {
    for (std::size_t at = begin; at < begin + bytes; ++at) {
      if (used[at]) return false;
      used[at] = true;
    }
    return true;
  }

  [[nodiscard]] bool in_heap(std::size_t begin, std::size_t bytes) const noexcept {
    return begin >= node.heap_begin_ && begin + bytes <= kPageBytes;
  }

  const char* header() const noexcept {
    const bool leaf = node.header_.kind == PageKind::leaf;
    if (!leaf && node.header_.kind != PageKind::inner) return "the page is not a node";
    if (leaf != (node.header_.level == 0)) return "the level does not go with the kind";
    if (node.header_.zero != 0 || node.zero_ != 0) return "a field that must be zero is not";
    if (leaf && node.upper_child_ != kNoPage) return "a leaf has a child";
    if (!leaf && node.upper_child_ == kNoPage) return "an inner node has no upper child";
    if (!leaf && node.newest_writer_ != kNoTransaction) return "an inner node has a writer";
    if (node.count_ > kSlotsMax) return "the count is too large";
    if (node.heap_begin_ > kPageBytes) return "the heap begins behind the page";
    if (kNodeHeaderBytes + node.count_ * kSlotBytes > node.heap_begin_) return "the slots run into the heap";
    return nullptr;
  }

  const char* fences() noexcept {
    const Fence lower = node.lower_;
    const Fence upper = node.upper_;
    const bool bounded = upper.size != kNoFence;
    if (lower.size > kKeyBytesMax || (bounded && upper.size > kKeyBytesMax)) return "a fence is too long";
    if (!in_heap(lower.offset, lower.size)) return "the lower fence is not in the heap";
    if (bounded && !in_heap(upper.offset, upper.size)) return "the upper fence is not in the heap";
    if (!take(lower.offset, lower.size)) return "the lower fence overlaps";
    if (bounded && !take(upper.offset, upper.size)) return "the fences overlap";
    if (bounded && node.lower_fence() >= node.upper_fence()) return "the fences leave no range";
    const std::size_t shared = bounded ? shared_bytes(node.lower_fence(), node.upper_fence()) : 0;
    if (node.prefix_bytes_ != shared) return "the prefix is not what the fences share";
    return nullptr;
  }

  const char* record(unsigned index) noexcept {
    const Slot slot = node.slots_[index];
    if (node.prefix_bytes_ + slot.key_size > kKeyBytesMax) return "a key is too long";
    if (slot.key_size < kHeadBytes && (slot.head << (8 * slot.key_size)) != 0)
      return "a short head is not padded";
    const std::size_t kept = node.fixed_bytes() + rest_bytes(slot.key_size);
    if (!in_heap(slot.offset, kept)) return "a record is not in the heap";
    if (!node.is_leaf()) {
      if (node.child(index) == kNoPage) return "a separator has no child";
      return take(slot.offset, kept) ? nullptr : "records overlap";
    }
    const RowView row = node.row(index);
    const std::size_t value_bytes =
        base::load<std::uint16_t>(node.page() + slot.offset + sizeof(std::uint64_t));
    if (!in_heap(slot.offset, kept + value_bytes)) return "a value is not in the heap";
    if (!take(slot.offset, kept + value_bytes)) return "records overlap";
    if (row.writer > node.newest_writer_) return "a writer is newer than the newest";
    if (static_cast<unsigned>(row.flags) >
        static_cast<unsigned>(RowFlags::erased | RowFlags::large | RowFlags::locked))
      return "a flag is not known";
    if (has(row.flags, RowFlags::erased) && value_bytes != 0) return "a tombstone has a value";
    if (has(row.flags, RowFlags::large) && value_bytes != kLargeReferenceBytes)
      return "a reference has a wrong size";
    return nullptr;
  }

  // The prefix of all keys is one, so that fences and order are about what is behind it.
  const char* order() const noexcept {
    const std::size_t prefix = node.prefix_bytes_;
    const Suffix lower = make_suffix(node.lower_fence().substr(prefix));
    if (node.count_ > 0 && compare(node.suffix(0), lower) < 0) return "a key is below the lower fence";
    for (unsigned slot = 1; slot < node.count_; ++slot)
      if (compare(node.suffix(slot - 1), node.suffix(slot)) >= 0) return "the keys are not in order";
    if (node.count_ > 0 && node.has_upper_fence() &&
        compare(node.suffix(node.count_ - 1U), make_suffix(node.upper_fence().substr(prefix))) >= 0)
      return "a key is not below the upper fence";
    return nullptr;
  }

  const char* space_and_hints() const noexcept {
    if (kPageBytes - node.heap_begin_ - used.count() != node.dead_bytes_)
      return "the dead bytes are miscounted";
    for (unsigned hint = 0; hint < kHints; ++hint) {
      const std::uint32_t head = node.count_ == 0 ? 0 : node.slots_[hint_slot(hint, node.count_)].head;
      if (node.hints_[hint] != head) return "a hint is not the head of its slot";
    }
    return nullptr;
  }
};

const char* Node::check() const noexcept {
  Checker checker{*this};
  if (const char* wrong = checker.header()) return wrong;
  if (const char* wrong = checker.fences()) return wrong;
  for (unsigned slot = 0; slot < count_; ++slot)
    if (const char* wrong = checker.record(slot)) return wrong;
  if (const char* wrong = checker.order()) return wrong;
  return checker.space_and_hints();
}

}  // namespace isolith::btree
