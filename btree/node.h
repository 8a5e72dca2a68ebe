// Node: the slotted page of the B+tree, leaf or inner, and everything that can be done within one page.
//
//   OFFSET  SIZE  DESCRIPTION
//        0    16  page header (pages/page.h); kind and level tell leaf from inner
//       16     2  count: slots in use
//       18     2  heap_begin: lowest byte of the heap, which grows down from the end of the page
//       20     2  dead_bytes: bytes of the heap that no slot and no fence refers to
//       22     2  prefix_bytes: common prefix of both fences, cut off every key
//       24     4  lower fence: offset, size           keys of the node are >= it
//       28     4  upper fence: offset, size           and < it; size kNoFence: no bound above
//       32     4  inner: the child right of the last separator; leaf: zero
//       36     4  zero
//       40     8  leaf: newest_writer, an upper bound of the writers' ids on it; inner: zero
//       48    64  hints: the heads of 16 evenly spaced slots
//      112     -  slots of 8 bytes, in key order: record offset, key size (without the prefix), head
//        -     -  free space, then the heap of records and fences
//
// A head is the first four bytes of the key behind the prefix, big-endian, padded with zeros; the record does
// not hold them again.
//   leaf record:   writer u64 (transaction id << 8 | RowFlags), value size u16, key behind the head, value
//   inner record:  child u32, key behind the head; the child has the keys < this separator, >= the one before
//
// Invariants:
//   1. Slots are in strictly ascending key order; every key k has lower <= k < upper (inner separators: lower
//      < k < upper, but the lower bound may be met by a separator of a page that was emptied from the left).
//   2. Records and fences lie within [heap_begin, kPageBytes) and do not overlap; dead_bytes is exact.
//   3. Hint i is the head of slot (i + 1) * count / (kHints + 1) whenever no latch is held; 0 without slots.
//
// Latches: members that are not const need the exclusive latch. Const members may be called by optimistic
// readers: they never read outside the page whatever bytes they meet, and end; what they return means nothing
// until validated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "btree/node_layout.h"
#include "pages/page.h"

namespace isolith::btree {

// A leaf row with more bytes than this (key + value) has its value moved out of the leaf.
inline constexpr std::size_t kInlineRowBytesMax = 3584;
// What stands in the leaf for a large value: total size u64, stamp u64, first page u32.
inline constexpr std::size_t kLargeReferenceBytes = 20;

// The most that copying out a row takes, whatever the bytes of the page are.
inline constexpr std::size_t kRowCopyBytesMax = kKeyBytesMax + pages::kPageBytes;

enum class RowFlags : std::uint8_t {
  none = 0,
  erased = 1,  // a tombstone: the key was erased (or only locked) by its writer; the value is empty
  large = 2,   // the value is a reference to a page chain
  locked = 4,  // the writer only took the write lock: value and chain are those of the version before
};
constexpr RowFlags operator|(RowFlags a, RowFlags b) noexcept {
  return static_cast<RowFlags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(RowFlags flags, RowFlags flag) noexcept {
  return (static_cast<unsigned>(flags) & static_cast<unsigned>(flag)) != 0;
}

// A row as it lies in a leaf. The views point into the page.
struct RowView {
  TransactionId writer{};
  RowFlags flags = RowFlags::none;
  std::string_view value;
};

// Where a key is, or would be.
struct Position {
  unsigned slot = 0;
  bool found = false;
};

class Node {
 public:
  // The node in the bytes of a page. No copy is made.
  static Node* at(void* page) noexcept { return static_cast<Node*>(page); }
  static const Node* at(const void* page) noexcept { return static_cast<const Node*>(page); }

  // Makes an empty node of the page's bytes; keeps the page header's version and id. `upper` null: no bound.
  // `level` 0: leaf. The fences lie outside of the page.
  void format(unsigned level, std::string_view lower, const std::string_view* upper) noexcept;

  [[nodiscard]] bool is_leaf() const noexcept { return header_.kind == pages::PageKind::leaf; }
  [[nodiscard]] unsigned level() const noexcept { return header_.level; }
  [[nodiscard]] unsigned count() const noexcept;  // clamped to what fits a page
  [[nodiscard]] TransactionId newest_writer() const noexcept { return newest_writer_; }

  // ---- reading (optimistic readers too) ----

  // The first slot whose key is >= `key`. Heads and hints decide nearly always.
  [[nodiscard]] Position lower_bound(std::string_view key) const noexcept;

  // Inner: the child that covers `key`, and its slot (count() for the upper child).
  [[nodiscard]] PageId child_for(std::string_view key, unsigned* slot) const noexcept;
  [[nodiscard]] PageId child(unsigned slot) const noexcept;  // slot <= count()

  [[nodiscard]] RowView row(unsigned slot) const noexcept;
  [[nodiscard]] std::size_t key_bytes(unsigned slot) const noexcept;  // prefix included
  std::size_t copy_key(unsigned slot, char* to) const noexcept;  // to: kKeyBytesMax bytes; returns the size
  void append_key(unsigned slot, std::string& to) const;

  [[nodiscard]] std::string_view lower_fence() const noexcept;
  [[nodiscard]] bool has_upper_fence() const noexcept;
  [[nodiscard]] std::string_view upper_fence() const noexcept;
  [[nodiscard]] bool covers(std::string_view key) const noexcept;  // lower <= key < upper

  // ---- space ----

  [[nodiscard]] std::size_t free_bytes() const noexcept;  // after compaction
  [[nodiscard]] std::size_t used_bytes() const noexcept;  // slots, records, fences and header
  [[nodiscard]] bool has_room_for_row(std::size_t key_size, std::size_t value_size) const noexcept;
  [[nodiscard]] bool has_room_for_separator(std::size_t key_size) const noexcept;

  // ---- changing a leaf (exclusive latch; compacts by itself when the room is there but scattered) ----

  // False when there is no room: nothing was changed. `slot` from lower_bound; key not there.
  bool insert_row(unsigned slot, std::string_view key, TransactionId writer, RowFlags flags,
                  std::string_view value) noexcept;
  // Replaces the row's writer, flags and value; in place where the size allows. False when there is no room.
  // Here and in insert_row, key and value lie outside of the page.
  bool update_row(unsigned slot, TransactionId writer, RowFlags flags, std::string_view value) noexcept;
  void remove_row(unsigned slot) noexcept;

  // ---- changing an inner node ----

  void set_upper_child(PageId child) noexcept;
  void set_child(unsigned slot, PageId child) noexcept;  // slot <= count()
  // `left` becomes the child below `separator`; what was the child there keeps the keys >= separator.
  // False: no room.
  bool insert_separator(std::string_view separator, PageId left) noexcept;
  // Takes out separator `slot` and the child left of it; the child right of it takes its range over.
  void remove_separator(unsigned slot) noexcept;

  // ---- splitting and merging ----

  // Where to split so that `key`, with a row of `row_bytes` (key and value; inner: 0), can be inserted, or
  // updated if it is there (empty key, no bytes: just in the middle). Splitting, then trying again on the
  // half that covers `key`, ends: that half has fewer slots than this node, and a node without slots has room
  // for any row (node_split.cc). The cut is in the middle by bytes, new row included, moved a little where
  // that makes a shorter separator; or, when `key` is behind the last row and previous inserts were too
  // (`appending`), at the end: loading in key order leaves full pages. Returns the number of slots that stay
  // left: 0 and count() are allowed for leaves, when the new row gets a page for itself. The separator is the
  // shortest string s with last left key < s <= first right key, `key` being one of those two when the cut is
  // beside it (inner: the separator at left_count itself, which moves up).
  struct Split {
    unsigned left_count = 0;
    std::string separator;
  };
  [[nodiscard]] Split choose_split(std::string_view key, bool appending, std::size_t row_bytes) const;

  // Moves everything below `split` into `left` (a page of its own, any contents; its header's version and id
  // are kept); this node keeps the rest and its upper fence. For inner nodes the separator at left_count
  // leaves both.
  void split_left_into(Node& left, const Split& split) noexcept;

  // Whether `left` and this node (its right neighbour, same parent, `separator` between them) fit one page,
  // leaving at least an eighth free; and doing it: this node takes over left's rows and lower fence.
  [[nodiscard]] bool can_merge_left(const Node& left, std::string_view separator) const noexcept;
  void merge_left(const Node& left, std::string_view separator) noexcept;

  // ---- checking ----

  // Every invariant of the layout; null when all hold, else what is wrong. Reads untrusted bytes safely.
  [[nodiscard]] const char* check() const noexcept;

 private:
  static constexpr unsigned kHints = 16;
  static constexpr std::uint16_t kNoFence = 0xFFFF;
  static constexpr unsigned kSlotsMax = (pages::kPageBytes - kNodeHeaderBytes) / kSlotBytes;
  struct alignas(kSlotBytes) Slot {
    std::uint16_t offset;
    std::uint16_t key_size;
    std::uint32_t head;
  };
  struct Fence {
    std::uint16_t offset;
    std::uint16_t size;
  };
  friend class RowCopier;
  class Cuts;      // of choose_split
  struct Checker;  // of check

  [[nodiscard]] const char* page() const noexcept { return reinterpret_cast<const char*>(this); }
  [[nodiscard]] char* page() noexcept { return reinterpret_cast<char*>(this); }
  static unsigned hint_slot(unsigned hint, unsigned count) noexcept {
    return (hint + 1) * count / (kHints + 1);
  }
  [[nodiscard]] std::size_t fixed_bytes() const noexcept {
    return is_leaf() ? kLeafRecordBytes : kInnerRecordBytes;
  }
  [[nodiscard]] std::string_view prefix() const noexcept;
  [[nodiscard]] Suffix suffix(unsigned slot) const noexcept;
  [[nodiscard]] Position lower_bound_among_equal_heads(unsigned low, const Suffix& wanted) const noexcept;
  [[nodiscard]] std::size_t record_bytes(unsigned slot) const noexcept;  // without the slot
  [[nodiscard]] std::size_t gap_bytes() const noexcept;                  // between slots and heap
  [[nodiscard]] std::size_t fence_bytes() const noexcept;
  [[nodiscard]] std::size_t slot_and_record_bytes(std::size_t with_prefix_bytes) const noexcept;
  void rebuild_hints() noexcept;
  Fence add_fence(std::string_view key) noexcept;
  char* add_record(unsigned slot, std::string_view key, std::size_t value_bytes) noexcept;
  void remove_record(unsigned slot) noexcept;
  void compact(unsigned grown_slot, std::size_t grown_value_bytes) noexcept;
  void take_slots(const Node& from, unsigned first, unsigned last) noexcept;

  pages::PageHeader header_;
  std::uint16_t count_;
  std::uint16_t heap_begin_;
  std::uint16_t dead_bytes_;
  std::uint16_t prefix_bytes_;
  Fence lower_;
  Fence upper_;
  PageId upper_child_;
  std::uint32_t zero_;
  TransactionId newest_writer_;
  std::uint32_t hints_[kHints];
  Slot slots_[kSlotsMax];
};
static_assert(sizeof(Node) == pages::kPageBytes);

// Copies rows out of a leaf, one after the other; the prefix is looked at once.
class RowCopier {
 public:
  explicit RowCopier(const Node& leaf) noexcept : leaf_(leaf), prefix_(leaf.prefix()) {
    if (prefix_.size() <= sizeof short_prefix_) std::memcpy(short_prefix_, prefix_.data(), prefix_.size());
  }

  // The key and right behind it the value go to `to` (kRowCopyBytesMax bytes), with one copy for most of
  // both. `row.value` is a view of the copy. Returns the key's size.
  std::size_t copy(unsigned slot, char* to, RowView& row) const noexcept {
    const Node::Slot found = load_once(leaf_.slots_[std::min(slot, Node::kSlotsMax - 1)]);
    const std::size_t begin = std::min<std::size_t>(found.offset, pages::kPageBytes - kLeafRecordBytes);
    const char* record = leaf_.page() + begin;
    const std::size_t room = pages::kPageBytes - kLeafRecordBytes - begin;
    const std::size_t rest = std::min(rest_bytes(found.key_size), room);
    const auto writer = base::load<std::uint64_t>(record);
    const auto wanted = load_once_unaligned<std::uint16_t>(record + sizeof writer);
    const std::size_t value = std::min<std::size_t>(wanted, room - rest);
    const std::size_t head = std::min<std::size_t>(found.key_size, kHeadBytes);
    if (prefix_.size() <= sizeof short_prefix_) [[likely]] {
      std::memcpy(to, short_prefix_, sizeof short_prefix_);
    } else {
      std::memcpy(to, prefix_.data(), prefix_.size());
    }
    // What is behind a short prefix or a head of less than four bytes is written over.
    base::store(to + prefix_.size(), swap_bytes(found.head));
    copy_short(to + prefix_.size() + head, record + kLeafRecordBytes, rest + value);
    const std::size_t key = prefix_.size() + head + rest;
    row = {TransactionId{writer >> 8}, static_cast<RowFlags>(writer & 0xFF), {to + key, value}};
    return key;
  }

 private:
  const Node& leaf_;
  const std::string_view prefix_;
  char short_prefix_[16] = {};
};

}  // namespace isolith::btree
