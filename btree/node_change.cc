// Node: changing one page. Records are written below the heap's begin; what is replaced or removed is dead
// until the page is compacted, which happens only when a record needs the room.
//
// Invariant: a function that answers false has changed nothing.
//
// Threads: the exclusive latch of the page is held.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "btree/node.h"

namespace isolith::btree {

using pages::kPageBytes;

// Splitting ends because this room is there in every node without slots (and, for updates, with the one row
// updated).
static_assert(kNodeHeaderBytes + 2 * kKeyBytesMax + kSlotBytes + kLeafRecordBytes +
                  std::max(kInlineRowBytesMax, kKeyBytesMax + kLargeReferenceBytes) <=
              kPageBytes);
static_assert(kNodeHeaderBytes + 2 * kKeyBytesMax + kSlotBytes + kInnerRecordBytes + kKeyBytesMax <=
              kPageBytes);

namespace {

constexpr unsigned kNoSlot = ~0U;

constexpr std::uint16_t u16(std::size_t value) noexcept { return static_cast<std::uint16_t>(value); }

void write_row(char* record, std::size_t rest, TransactionId writer, RowFlags flags,
               std::string_view value) noexcept {
  base::store(record, raw(writer) << 8 | static_cast<std::uint64_t>(flags));
  base::store(record + sizeof(std::uint64_t), u16(value.size()));
  // An update may shorten a value from itself.
  if (!value.empty()) std::memmove(record + kLeafRecordBytes + rest, value.data(), value.size());
}

}  // namespace

void Node::format(unsigned level, std::string_view lower, const std::string_view* upper) noexcept {
  CHECK(lower.size() <= kKeyBytesMax && (upper == nullptr || upper->size() <= kKeyBytesMax),
        "a fence is a key");
  DCHECK(upper == nullptr || lower < *upper, "a node has a range");
  header_.kind = level == 0 ? pages::PageKind::leaf : pages::PageKind::inner;
  header_.level = static_cast<std::uint8_t>(level);
  header_.zero = 0;
  count_ = 0;
  heap_begin_ = u16(kPageBytes);
  dead_bytes_ = 0;
  prefix_bytes_ = upper == nullptr ? std::uint16_t{0} : u16(shared_bytes(lower, *upper));
  lower_ = add_fence(lower);
  upper_ = upper == nullptr ? Fence{u16(kPageBytes), kNoFence} : add_fence(*upper);
  upper_child_ = kNoPage;
  zero_ = 0;
  newest_writer_ = kNoTransaction;
  rebuild_hints();
}

Node::Fence Node::add_fence(std::string_view key) noexcept {
  heap_begin_ = u16(heap_begin_ - key.size());
  if (!key.empty()) std::memcpy(page() + heap_begin_, key.data(), key.size());
  return {heap_begin_, u16(key.size())};
}

void Node::rebuild_hints() noexcept {
  if (count_ == 0) {
    std::fill(std::begin(hints_), std::end(hints_), 0U);
    return;
  }
  for (unsigned hint = 0; hint < kHints; ++hint) hints_[hint] = slots_[hint_slot(hint, count_)].head;
}

// ---- records ----

// Makes slot and record for the key, value bytes left to be filled in. Returns the record, null when there is
// no room.
char* Node::add_record(unsigned slot, std::string_view key, std::size_t value_bytes) noexcept {
  DCHECK(slot <= count_ && key.size() <= kKeyBytesMax, "arguments come from lower_bound");
  const Suffix suffix = make_suffix(key.substr(prefix_bytes_));
  const std::size_t fixed = fixed_bytes();
  const std::size_t rest = rest_bytes(suffix.size);
  const std::size_t bytes = fixed + rest + value_bytes;
  if (gap_bytes() < bytes + kSlotBytes) [[unlikely]] {
    if (free_bytes() < bytes + kSlotBytes) return nullptr;
    compact(kNoSlot, 0);
  }
  heap_begin_ = u16(heap_begin_ - bytes);
  std::memmove(slots_ + slot + 1, slots_ + slot, (count_ - slot) * kSlotBytes);
  slots_[slot] = {heap_begin_, u16(suffix.size), suffix.head};
  ++count_;
  rebuild_hints();
  char* record = page() + heap_begin_;
  std::memcpy(record + fixed, suffix.rest, rest);
  return record;
}

void Node::remove_record(unsigned slot) noexcept {
  CHECK(slot < count_, "the slot is there");
  const std::size_t bytes = record_bytes(slot);
  if (slots_[slot].offset == heap_begin_) {
    heap_begin_ = u16(heap_begin_ + bytes);
  } else {
    dead_bytes_ = u16(dead_bytes_ + bytes);
  }
  --count_;
  std::memmove(slots_ + slot, slots_ + slot + 1, (count_ - slot) * kSlotBytes);
  rebuild_hints();
}

// Packs the heap, in key order. The record of `grown_slot` gets room for a value of that size; its value is
// not kept.
void Node::compact(unsigned grown_slot, std::size_t grown_value_bytes) noexcept {
  const Node old = *this;
  const std::string_view upper = old.upper_fence();
  heap_begin_ = u16(kPageBytes);
  dead_bytes_ = 0;
  lower_ = add_fence(old.lower_fence());
  if (old.has_upper_fence()) upper_ = add_fence(upper);
  for (unsigned slot = count_; slot-- > 0;) {
    std::size_t kept = old.record_bytes(slot);
    std::size_t bytes = kept;
    if (slot == grown_slot) {
      kept -= old.row(slot).value.size();
      bytes = kept + grown_value_bytes;
    }
    heap_begin_ = u16(heap_begin_ - bytes);
    std::memcpy(page() + heap_begin_, old.page() + old.slots_[slot].offset, kept);
    slots_[slot].offset = heap_begin_;
  }
  CHECK(heap_begin_ >= kNodeHeaderBytes + count_ * kSlotBytes, "the records fit");
}

// ---- leaves ----

bool Node::insert_row(unsigned slot, std::string_view key, TransactionId writer, RowFlags flags,
                      std::string_view value) noexcept {
  DCHECK(is_leaf() && covers(key), "the key belongs here");
  char* record = add_record(slot, key, value.size());
  if (record == nullptr) return false;
  write_row(record, rest_bytes(key.size() - prefix_bytes_), writer, flags, value);
  newest_writer_ = std::max(newest_writer_, writer);
  return true;
}

bool Node::update_row(unsigned slot, TransactionId writer, RowFlags flags, std::string_view value) noexcept {
  CHECK(is_leaf() && slot < count_, "the row is there");
  const std::size_t rest = rest_bytes(slots_[slot].key_size);
  const std::size_t kept = kLeafRecordBytes + rest;
  const std::size_t old_value_bytes = row(slot).value.size();
  if (value.size() <= old_value_bytes) {
    dead_bytes_ = u16(dead_bytes_ + old_value_bytes - value.size());
  } else if (gap_bytes() >= kept + value.size()) {
    const char* old = page() + slots_[slot].offset;
    heap_begin_ = u16(heap_begin_ - kept - value.size());
    std::memcpy(page() + heap_begin_, old, kept);
    slots_[slot].offset = heap_begin_;
    dead_bytes_ = u16(dead_bytes_ + kept + old_value_bytes);
  } else if (free_bytes() + old_value_bytes >= value.size()) {
    compact(slot, value.size());
  } else {
    return false;
  }
  write_row(page() + slots_[slot].offset, rest, writer, flags, value);
  newest_writer_ = std::max(newest_writer_, writer);
  return true;
}

void Node::remove_row(unsigned slot) noexcept {
  DCHECK(is_leaf(), "rows are in leaves");
  remove_record(slot);
}

// ---- inner nodes ----

void Node::set_upper_child(PageId child) noexcept {
  DCHECK(!is_leaf(), "children are in inner nodes");
  upper_child_ = child;
}

void Node::set_child(unsigned slot, PageId child) noexcept {
  CHECK(!is_leaf() && slot <= count_, "the child is there");
  if (slot == count_) {
    upper_child_ = child;
  } else {
    base::store(page() + slots_[slot].offset, child);
  }
}

bool Node::insert_separator(std::string_view separator, PageId left) noexcept {
  DCHECK(!is_leaf() && covers(separator), "the separator belongs here");
  const Position position = lower_bound(separator);
  CHECK(!position.found, "separators differ");
  char* record = add_record(position.slot, separator, 0);
  if (record == nullptr) return false;
  base::store(record, left);
  return true;
}

void Node::remove_separator(unsigned slot) noexcept {
  DCHECK(!is_leaf(), "separators are in inner nodes");
  remove_record(slot);
}

}  // namespace isolith::btree
