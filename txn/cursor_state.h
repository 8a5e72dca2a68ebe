// CursorState: a scan. It copies rows out of one leaf at a time, in batches that grow, optimistically and
// validated; between calls it holds no latch, and it finds its place again by the leaf's version or by key.
//
// What it sees is one statement snapshot, taken when it was opened, plus the transaction's own writes at any
// time: a batch is thrown away when the transaction has written since it was copied. A row whose newest
// version is not for this reader ends a batch and is looked up by itself, with the leaf held.
//
// Threads: its transaction's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "txn/core.h"

namespace isolith::txn {

class CursorState : public CursorBatch {
 public:
  CursorState(Core& core, TransactionState& state, const TableInfo& table, const KeyRange& range);
  ~CursorState();
  CursorState(const CursorState&) = delete;
  CursorState& operator=(const CursorState&) = delete;

  [[nodiscard]] bool has_snapshot() const noexcept { return !rule_.bounded || announcer_ != nullptr; }

  // `at` absent: the end of the range in that direction.
  void seek_forward(std::optional<std::string_view> at);
  void seek_backward(std::optional<std::string_view> at);
  void next();
  void prev();

  [[nodiscard]] bool valid() const noexcept { return row != end; }
  // Of the row where the cursor stands.
  std::string_view large_value();
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  static constexpr std::size_t kLineBytes = 64;  // of the CPU's caches

  // Where the next batch begins: forward `key` (or behind it), backward before it (or at it).
  struct Place {
    std::string key;
    bool inclusive = true;
    bool unbounded = false;  // backward: from the table's end
    bool at_end = false;     // nothing is left in this direction
  };
  // The leaf that the last batch came from, where it can go on without a descent.
  struct Leaf {
    PageId id = kNoPage;
    std::uint64_t version = 0;
    unsigned slot = 0;
  };

  bool ready();
  bool transaction_goes_on();
  void start(bool is_forward);
  void fill();
  pages::Step fill_from_leaf(Place& after, std::string& unseen, bool& is_unseen, Status& failure);
  pages::Step find_slot(btree::OptimisticGuard& leaf, unsigned& slot, Status& failure);
  enum class Taken : std::uint8_t { row, nothing, unseen, out_of_range };
  struct Judge;  // what is the same for all rows of a leaf
  Taken take(const Judge& judge, unsigned slot, std::string& unseen);
  void add_row(std::size_t key_size, std::size_t value_size, bool large);
  Status take_unseen(const std::string& key);
  char* make_room(std::size_t size) {
    if (bytes_used_ + size > bytes_size_) [[unlikely]] grow_room(size);
    return buffer_.get() + bytes_used_;
  }
  // Nothing is copied; the cursor stands nowhere.
  void clear() noexcept {
    rows_.clear();
    row = end = nullptr;
  }
  void grow_room(std::size_t size);
  // As much of the next leaf as was just copied of this one: more at once would queue up before the rows.
  void prefetch_ahead(std::size_t copied_bytes) noexcept {
    const char* const until = std::min(ahead_ + copied_bytes, ahead_end_);
    for (; ahead_ < until; ahead_ += kLineBytes) __builtin_prefetch(ahead_);
  }
  void prefetch_right() noexcept;
  // The next batch is found by its key.
  void forget_place() noexcept {
    leaf_ = Leaf();
    parent_ = btree::LeafParent();
  }
  void restart_behind(bool is_forward);

  Core& core_;
  TransactionState& state_;
  const std::uint64_t serial_;
  const TableInfo& table_;
  std::string lo_;
  std::optional<std::string> hi_;
  mvcc::ReadRule rule_;
  TransactionId horizon_{};
  TransactionState* announcer_ = nullptr;  // the slot that announces its snapshot

  Place place_;
  Leaf leaf_;
  btree::LeafParent parent_;
  const char* ahead_ = nullptr;      // what is left to prefetch of the next leaf
  const char* ahead_end_ = nullptr;
  std::size_t batch_limit_ = 0;
  std::vector<Row> rows_;
  std::unique_ptr<char[]> buffer_;
  std::size_t bytes_size_ = 0;
  std::size_t bytes_used_ = 0;
  std::string large_value_;
  std::string scratch_;
  Status status_;
};

}  // namespace isolith::txn
