// Node: reading. Everything here may run on a page that a writer is changing, or that has become another
// page.
//
// Invariants:
//   1. Whatever the bytes are, no read leaves the page: counts, offsets and sizes are loaded once and then
//      clamped.
//   2. Every loop is bounded by a clamped count.
//
// Threads: optimistic readers; what is returned means nothing until their validation.
#include "btree/node.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace isolith::btree {

using pages::kPageBytes;

unsigned Node::count() const noexcept { return std::min<unsigned>(load_once(count_), kSlotsMax); }

std::string_view Node::prefix() const noexcept {
  const std::size_t offset = std::min<std::size_t>(load_once(lower_.offset), kPageBytes);
  const std::size_t size = std::min<std::size_t>(load_once(prefix_bytes_), kPageBytes - offset);
  return {page() + offset, std::min(size, kKeyBytesMax)};
}

Suffix Node::suffix(unsigned slot) const noexcept {
  const std::size_t fixed = fixed_bytes();
  const Slot found = load_once(slots_[std::min(slot, kSlotsMax - 1)]);
  const std::size_t begin = std::min<std::size_t>(found.offset, kPageBytes - fixed) + fixed;
  const std::size_t size = std::min<std::size_t>(found.key_size, kHeadBytes + kPageBytes - begin);
  return {found.head, size, page() + begin};
}

// ---- searching ----

Position Node::lower_bound(std::string_view key) const noexcept {
  const unsigned count = this->count();
  if (const std::string_view prefix = this->prefix(); !prefix.empty()) {
    const int order = key.substr(0, prefix.size()).compare(prefix);
    if (order != 0) [[unlikely]]  // a stale pointer led here
      return {order < 0 ? 0 : count, false};
    key.remove_prefix(prefix.size());
  }
  const Suffix wanted = make_suffix(key);

  unsigned hint = 0;
  for (const std::uint32_t head : hints_) hint += head < wanted.head ? 1 : 0;
  unsigned low = hint == 0 ? 0 : hint_slot(hint - 1, count) + 1;
  if (low >= count) return {count, false};  // hints of a page in change may lie
  // What the hints leave is never more than this; that the number of steps hangs on the count alone saves a
  // mispredicted branch.
  unsigned size = std::min(count / (kHints + 1), count - low);
  for (; size > 1; size -= size / 2) {
    const unsigned half = size / 2;
    low += half * static_cast<unsigned>(slots_[low + half - 1].head < wanted.head);
  }
  if (size == 1) low += static_cast<unsigned>(slots_[low].head < wanted.head);

  if (low >= count) return {count, false};
  const Suffix first = suffix(low);
  if (first.head != wanted.head) return {low, false};
  if (const int order = compare_behind_head(first, wanted); order >= 0) return {low, order == 0};
  return lower_bound_among_equal_heads(low + 1, wanted);
}

Position Node::lower_bound_among_equal_heads(unsigned low, const Suffix& wanted) const noexcept {
  const unsigned count = this->count();
  unsigned hint = 0;
  for (const std::uint32_t head : hints_) hint += head <= wanted.head ? 1 : 0;
  unsigned high = hint == kHints ? count : hint_slot(hint, count);
  while (low < high) {
    const unsigned middle = low + (high - low) / 2;
    const int order = compare(suffix(middle), wanted);
    if (order == 0) return {middle, true};
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // The slot at a bound was not compared: a hint with a greater head does not equal the key.
  return {std::min(low, count), false};
}

PageId Node::child_for(std::string_view key, unsigned* slot) const noexcept {
  const Position position = lower_bound(key);
  *slot = position.slot + (position.found ? 1 : 0);
  return child(*slot);
}

// ---- rows ----

PageId Node::child(unsigned slot) const noexcept {
  if (slot >= count()) return load_once(upper_child_);
  const Slot found = load_once(slots_[slot]);
  return base::load<PageId>(page() + std::min<std::size_t>(found.offset, kPageBytes - kInnerRecordBytes));
}

RowView Node::row(unsigned slot) const noexcept {
  const Slot found = load_once(slots_[std::min(slot, kSlotsMax - 1)]);
  const std::size_t begin = std::min<std::size_t>(found.offset, kPageBytes - kLeafRecordBytes);
  const std::size_t value = std::min(begin + kLeafRecordBytes + rest_bytes(found.key_size), kPageBytes);
  const char* record = page() + begin;
  const auto writer = base::load<std::uint64_t>(record);
  const auto size = load_once_unaligned<std::uint16_t>(record + sizeof writer);
  return {TransactionId{writer >> 8}, static_cast<RowFlags>(writer & 0xFF),
          std::string_view{page() + value, std::min<std::size_t>(size, kPageBytes - value)}};
}

std::size_t Node::record_bytes(unsigned slot) const noexcept {
  return fixed_bytes() + rest_bytes(suffix(slot).size) + (is_leaf() ? row(slot).value.size() : 0);
}

std::size_t Node::key_bytes(unsigned slot) const noexcept {
  return std::min(prefix().size() + suffix(slot).size, kKeyBytesMax);
}

std::size_t Node::copy_key(unsigned slot, char* to) const noexcept {
  const std::string_view prefix = this->prefix();
  const Suffix suffix = this->suffix(slot);
  const std::size_t size = std::min(suffix.size, kKeyBytesMax - prefix.size());
  std::memcpy(to, prefix.data(), prefix.size());
  copy_suffix(suffix, size, to + prefix.size());
  return prefix.size() + size;
}

void Node::append_key(unsigned slot, std::string& to) const {
  const std::string_view prefix = this->prefix();
  const Suffix suffix = this->suffix(slot);
  const std::size_t size = std::min(suffix.size, kKeyBytesMax - prefix.size());
  to.append(prefix);
  const std::size_t end = to.size();
  to.resize(end + size);
  copy_suffix(suffix, size, to.data() + end);
}

// ---- fences ----

std::string_view Node::lower_fence() const noexcept {
  const std::size_t offset = std::min<std::size_t>(load_once(lower_.offset), kPageBytes);
  return {page() + offset,
          std::min({std::size_t{load_once(lower_.size)}, kPageBytes - offset, kKeyBytesMax})};
}

bool Node::has_upper_fence() const noexcept { return load_once(upper_.size) != kNoFence; }

std::string_view Node::upper_fence() const noexcept {
  const std::size_t size = load_once(upper_.size);
  const std::size_t offset = std::min<std::size_t>(load_once(upper_.offset), kPageBytes);
  return {page() + offset, size == kNoFence ? 0 : std::min({size, kPageBytes - offset, kKeyBytesMax})};
}

bool Node::covers(std::string_view key) const noexcept {
  return lower_fence() <= key && (!has_upper_fence() || key < upper_fence());
}

// ---- space ----

std::size_t Node::gap_bytes() const noexcept {
  const std::size_t heap = std::min<std::size_t>(load_once(heap_begin_), kPageBytes);
  const std::size_t slots_end = kNodeHeaderBytes + count() * kSlotBytes;
  return heap > slots_end ? heap - slots_end : 0;
}

std::size_t Node::fence_bytes() const noexcept { return lower_fence().size() + upper_fence().size(); }

std::size_t Node::free_bytes() const noexcept {
  return std::min(gap_bytes() + load_once(dead_bytes_), kPageBytes - kNodeHeaderBytes);
}

std::size_t Node::used_bytes() const noexcept { return kPageBytes - free_bytes(); }

bool Node::has_room_for_row(std::size_t key_size, std::size_t value_size) const noexcept {
  const std::size_t behind_prefix = key_size - std::min(key_size, prefix().size());
  return kSlotBytes + kLeafRecordBytes + rest_bytes(behind_prefix) + value_size <= free_bytes();
}

bool Node::has_room_for_separator(std::size_t key_size) const noexcept {
  const std::size_t behind_prefix = key_size - std::min(key_size, prefix().size());
  return kSlotBytes + kInnerRecordBytes + rest_bytes(behind_prefix) <= free_bytes();
}

}  // namespace isolith::btree
