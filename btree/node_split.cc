// Node: splitting in two and merging with the left neighbour.
//
// Why splitting ends. Let r be the bytes of slot and record of a row, P the prefix's size, L and U the
// fences' sizes, |s| the separator's. A cut is a place between two neighbours among the rows, the new one
// counted in.
//   1. Between rows a < b that are both there: |s| <= |b| < r(b) + P <= right half + U, so the left half,
//      whose upper fence changes from U to s, fits; |s| <= |a| + 1 < r(a) + P <= left half + L, so the right
//      half fits too. (Prefixes only grow by a split, and records shrink by that; it is not counted on.
//      Without U, P is 0.)
//   2. Beside the new row s may be longer than what goes away on the other side; such a cut counts only when
//      the rows that are there fit. With one row in the node each cut leaves at most one row a page, which
//      always fits.
//   3. So some cut is possible. The half that covers the key has fewer rows than the node had, the new one
//      not counted; a node with none has room for the new row (see the static_asserts in node_change.cc).
// For inner nodes the separator that moves up is in the sums of both halves in 1, and is not in them
// afterwards.
//
// Threads: the exclusive latches of both pages are held.
#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "btree/node.h"

namespace isolith::btree {

using pages::kPageBytes;

// The places where a node could be split, with the new row counted in at its place. Rows are numbered with
// it: `row`.
class Node::Cuts {
 public:
  Cuts(const Node& node, std::string_view key, std::size_t row_bytes) noexcept
      : node_(node), key_(key), count_(node.count()), place_(node.lower_bound(key)) {
    const std::size_t prefix = node.prefix().size();
    suffix_ = make_suffix(key.substr(std::min(key.size(), prefix)));
    for (unsigned slot = 0; slot < count_; ++slot) old_sum_ += slot_bytes(slot);
    if (key.empty() && row_bytes == 0) {
      place_ = {count_ + 1, false};  // no new row
    } else {
      const std::size_t kept = std::min(key.size(), prefix + kHeadBytes);
      new_bytes_ = kSlotBytes + node.fixed_bytes() + std::max(row_bytes, key.size()) - kept;
      replaced_bytes_ = place_.found ? slot_bytes(place_.slot) : 0;
    }
    sum_ = old_sum_ + new_bytes_ - replaced_bytes_;
  }

  struct Cut {
    unsigned row;         // the first row on the right; inner: the one that moves up
    unsigned left_count;  // slots on the left
    std::size_t separator_bytes;
  };

  [[nodiscard]] std::optional<Cut> at_end() const noexcept {
    if (place_.found || place_.slot != count_ || count_ == 0) return std::nullopt;
    if (!node_.is_leaf()) return Cut{count_ - 1, count_ - 1, node_.key_bytes(count_ - 1)};
    const std::size_t lower = node_.lower_fence().size();
    const Cut cut = cut_at(count_);
    if (fits(old_sum_, cut, lower)) return cut;
    // No room for the separator beside all the rows: the last one goes along with the new one.
    if (count_ < 2) return std::nullopt;
    const Cut before = cut_at(count_ - 1);
    return fits(old_sum_ - slot_bytes(count_ - 1), before, lower) ? std::optional{before} : std::nullopt;
  }

  [[nodiscard]] std::optional<Cut> in_middle() const noexcept {
    const std::optional<Cut> near = best(sum_ / 16, true);
    return near ? near : best(kPageBytes, false);
  }

  [[nodiscard]] std::string separator(const Cut& cut) const {
    std::string result;
    if (node_.is_leaf() && is_new(cut.row)) {
      result = key_;
    } else {
      node_.append_key(slot_of(cut.row), result);
    }
    result.resize(std::min(result.size(), cut.separator_bytes));
    return result;
  }

 private:
  [[nodiscard]] bool inserts() const noexcept { return !place_.found && place_.slot <= count_; }
  [[nodiscard]] bool is_new(unsigned row) const noexcept { return inserts() && row == place_.slot; }
  [[nodiscard]] unsigned slot_of(unsigned row) const noexcept {
    return inserts() && row > place_.slot ? row - 1 : row;
  }
  [[nodiscard]] std::size_t slot_bytes(unsigned slot) const noexcept {
    return kSlotBytes + node_.record_bytes(slot);
  }
  [[nodiscard]] std::size_t row_bytes(unsigned row) const noexcept {
    return row == place_.slot ? new_bytes_ : slot_bytes(slot_of(row));
  }
  [[nodiscard]] Suffix suffix_of(unsigned row) const noexcept {
    return is_new(row) ? suffix_ : node_.suffix(slot_of(row));
  }

  [[nodiscard]] Cut cut_at(unsigned row) const noexcept {
    if (!node_.is_leaf()) return {row, slot_of(row), node_.key_bytes(slot_of(row))};
    const unsigned left_count = row - (inserts() && row > place_.slot ? 1 : 0);
    return {row, left_count, node_.prefix().size() + shared_bytes(suffix_of(row - 1), suffix_of(row)) + 1};
  }

  static bool fits(std::size_t rows_bytes, const Cut& cut, std::size_t fence_bytes) noexcept {
    return kNodeHeaderBytes + rows_bytes + cut.separator_bytes + fence_bytes <= kPageBytes;
  }

  // Among the cuts no more than `window` bytes off the middle: with `must_fit_new` the one with the shortest
  // separator, else the nearest, but one where the new row fits at once goes before.
  [[nodiscard]] std::optional<Cut> best(std::size_t window, bool must_fit_new) const noexcept;

  const Node& node_;
  std::string_view key_;
  unsigned count_;
  Position place_;
  Suffix suffix_;                   // of the new key
  std::size_t new_bytes_ = 0;       // of the new row
  std::size_t replaced_bytes_ = 0;  // of the row it replaces
  std::size_t old_sum_ = 0;
  std::size_t sum_ = 0;
};

std::optional<Node::Cuts::Cut> Node::Cuts::best(std::size_t window, bool must_fit_new) const noexcept {
  const bool leaf = node_.is_leaf();
  const std::size_t lower = node_.lower_fence().size();
  const std::size_t upper = node_.upper_fence().size();
  const unsigned rows = count_ + (inserts() ? 1 : 0);
  using Rank = std::tuple<bool, std::size_t, std::size_t>;
  Rank best_rank{true, SIZE_MAX, SIZE_MAX};
  std::optional<Cut> best;
  std::size_t left = 0;
  for (unsigned row = 0; row < rows; left += row_bytes(row++)) {
    if (leaf ? row == 0 : is_new(row)) continue;
    const std::size_t right = sum_ - left - (leaf ? 0 : row_bytes(row));
    const std::size_t distance = (left > right ? left - right : right - left) / 2;
    if (distance > window) continue;

    const Cut cut = cut_at(row);
    const bool fits_new = fits(left, cut, lower) && fits(right, cut, upper);
    if (!fits_new) {
      if (must_fit_new) continue;
      const bool new_is_left = place_.slot < row;
      const std::size_t added = new_bytes_ - replaced_bytes_;
      if (!fits(left - (new_is_left ? added : 0), cut, lower)) continue;
      if (!fits(right - (new_is_left ? 0 : added), cut, upper)) continue;
    }
    const Rank rank =
        must_fit_new ? Rank{false, cut.separator_bytes, distance} : Rank{!fits_new, distance, 0};
    if (rank >= best_rank) continue;
    best_rank = rank;
    best = cut;
  }
  return best;
}

Node::Split Node::choose_split(std::string_view key, bool appending, std::size_t row_bytes) const {
  const Cuts cuts(*this, key, row_bytes);
  std::optional<Cuts::Cut> cut;
  if (appending) cut = cuts.at_end();
  if (!cut) cut = cuts.in_middle();
  if (!cut) return {};  // a node without slots, which never needs it, or garbage
  return {cut->left_count, cuts.separator(*cut)};
}

// Appends the slots [first, last) of another page with their records, which then lie in key order. The hints
// are left to the caller.
void Node::take_slots(const Node& from, unsigned first, unsigned last) noexcept {
  const std::size_t fixed = fixed_bytes();
  const bool same_prefix = prefix_bytes_ == from.prefix_bytes_;
  const unsigned taken = last - first;
  for (unsigned slot = last; slot-- > first;) {
    Suffix suffix = from.suffix(slot);
    const char* record = from.page() + from.slots_[slot].offset;
    const std::size_t old_key_bytes = fixed + rest_bytes(suffix.size);
    const std::size_t value_bytes = from.record_bytes(slot) - old_key_bytes;
    char key[kKeyBytesMax];
    if (!same_prefix)
      suffix = make_suffix(std::string_view{key, from.copy_key(slot, key)}.substr(prefix_bytes_));
    const std::size_t rest = rest_bytes(suffix.size);
    const std::size_t bytes = fixed + rest + value_bytes;
    CHECK(heap_begin_ >= kNodeHeaderBytes + (count_ + taken) * kSlotBytes + bytes, "what was planned fits");

    heap_begin_ = static_cast<std::uint16_t>(heap_begin_ - bytes);
    char* to = page() + heap_begin_;
    std::memcpy(to, record, fixed);
    std::memcpy(to + fixed, suffix.rest, rest);
    std::memcpy(to + fixed + rest, record + old_key_bytes, value_bytes);
    slots_[count_ + slot - first] = {heap_begin_, static_cast<std::uint16_t>(suffix.size), suffix.head};
  }
  count_ = static_cast<std::uint16_t>(count_ + taken);
}

void Node::split_left_into(Node& left, const Split& split) noexcept {
  const Node old = *this;
  CHECK(split.left_count <= old.count_, "the cut is in the node");
  const std::string_view separator = split.separator;
  const std::string_view upper = old.upper_fence();
  const unsigned moved_up = is_leaf() ? 0 : 1;

  left.format(level(), old.lower_fence(), &separator);
  left.take_slots(old, 0, split.left_count);
  left.rebuild_hints();
  format(level(), separator, old.has_upper_fence() ? &upper : nullptr);
  take_slots(old, split.left_count + moved_up, old.count_);
  rebuild_hints();

  left.newest_writer_ = newest_writer_ = old.newest_writer_;
  if (moved_up == 0) return;
  left.upper_child_ = old.child(split.left_count);
  upper_child_ = old.upper_child_;
}

// What slots and records would take if the prefix were that long, which is at most what it is now. Touches no
// records.
std::size_t Node::slot_and_record_bytes(std::size_t with_prefix_bytes) const noexcept {
  const std::size_t shorter = prefix().size() - std::min(prefix().size(), with_prefix_bytes);
  const std::size_t other_bytes = kNodeHeaderBytes + fence_bytes();
  std::size_t bytes = used_bytes() - std::min(used_bytes(), other_bytes);
  if (shorter == 0) return bytes;
  for (unsigned slot = 0, end = count(); slot < end; ++slot) {
    const std::size_t size = load_once(slots_[slot]).key_size;
    bytes += rest_bytes(size + shorter) - rest_bytes(size);
  }
  return bytes;
}

bool Node::can_merge_left(const Node& left, std::string_view separator) const noexcept {
  const std::string_view lower = left.lower_fence();
  const std::string_view upper = upper_fence();
  const std::size_t prefix = has_upper_fence() ? shared_bytes(lower, upper) : 0;
  std::size_t bytes = kNodeHeaderBytes + lower.size() + upper.size();
  bytes += left.slot_and_record_bytes(prefix) + slot_and_record_bytes(prefix);
  if (!is_leaf())
    bytes +=
        kSlotBytes + kInnerRecordBytes + rest_bytes(separator.size() - std::min(separator.size(), prefix));
  return bytes <= kPageBytes - kPageBytes / 8;
}

void Node::merge_left(const Node& left, std::string_view separator) noexcept {
  CHECK(left.level() == level(), "neighbours are of one level");
  DCHECK(left.upper_fence() == separator && lower_fence() == separator, "the separator is between them");
  const Node old = *this;
  const std::string_view upper = old.upper_fence();
  format(old.level(), left.lower_fence(), old.has_upper_fence() ? &upper : nullptr);
  take_slots(left, 0, left.count_);
  if (!is_leaf()) {
    char* record = add_record(count_, separator, 0);
    CHECK(record != nullptr, "can_merge_left said so");
    base::store(record, left.upper_child_);
    upper_child_ = old.upper_child_;
  }
  take_slots(old, 0, old.count_);
  rebuild_hints();
  newest_writer_ = std::max(left.newest_writer_, old.newest_writer_);
}

}  // namespace isolith::btree
