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

class CursorState {
 public:
  CursorState(Core& core, TransactionState& state, const TableInfo& table, const KeyRange& range);
  ~CursorState();
  CursorState(const CursorState&) = delete;
  CursorState& operator=(const CursorState&) = delete;

  // `at` absent: the end of the range in that direction.
  void seek_forward(std::optional<std::string_view> at);
  void seek_backward(std::optional<std::string_view> at);
  void next() {
    if (forward_ && writes_seen_ == state_.writes && position_ + 1 < batch_.size()) [[likely]] {
      ++position_;
    } else {
      next_batch();
    }
  }
  void prev();

  [[nodiscard]] bool valid() const noexcept { return position_ < batch_.size(); }
  [[nodiscard]] std::string_view key() const noexcept {
    const Row& row = batch_[position_];
    return {bytes_.get() + row.key_at, row.key_size};
  }
  [[nodiscard]] std::string_view value() {
    const Row& row = batch_[position_];
    if (row.large) [[unlikely]] return large_value();
    return {bytes_.get() + row.value_at, row.value_size};
  }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  struct Row {
    std::uint32_t key_at;
    std::uint32_t key_size;
    std::uint32_t value_at;
    std::uint32_t value_size;
    bool large;
  };
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

  void next_batch();
  std::string_view large_value();
  bool ready();
  bool transaction_goes_on();
  void start(bool forward);
  void fill();
  pages::Step fill_from_leaf(Place& after, std::string& unseen, bool& is_unseen, Status& failure);
  pages::Step find_slot(btree::OptimisticGuard& leaf, unsigned& slot, Status& failure);
  enum class Taken : std::uint8_t { row, nothing, unseen, out_of_range };
  Taken take(const btree::Node& node, unsigned slot, bool all_visible, std::string& unseen);
  Status take_unseen(const std::string& key);
  char* make_room(std::size_t size) {
    if (bytes_used_ + size > bytes_size_) [[unlikely]] grow_room(size);
    return bytes_.get() + bytes_used_;
  }
  void grow_room(std::size_t size);
  // A few lines of the next leaf a row, so that they do not queue up before the rows.
  void prefetch_ahead() noexcept {
    for (int line = 0; line < 4 && ahead_ < ahead_end_; ++line, ahead_ += 64) __builtin_prefetch(ahead_);
  }
  void restart_behind(bool forward);

  Core& core_;
  TransactionState& state_;
  const std::uint64_t serial_;
  const TableInfo& table_;
  std::string lo_;
  std::optional<std::string> hi_;
  mvcc::ReadRule rule_;
  TransactionId horizon_{};
  Timestamp snapshot_{};

  bool forward_ = true;
  Place place_;
  Leaf leaf_;
  const char* ahead_ = nullptr;  // what is left to prefetch
  const char* ahead_end_ = nullptr;
  std::uint64_t writes_seen_ = 0;
  std::size_t batch_limit_ = 0;
  std::vector<Row> batch_;
  std::size_t position_ = 0;
  std::unique_ptr<char[]> bytes_;
  std::size_t bytes_size_ = 0;
  std::size_t bytes_used_ = 0;
  std::string large_value_;
  std::string scratch_;
  Status status_;
};

}  // namespace isolith::txn
