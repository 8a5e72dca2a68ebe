// CursorState: a scan. It copies rows out of one leaf at a time, in batches that grow, optimistically and
// validated; between calls it holds no latch, and it finds its place again by the leaf's version or by key.
//
// What it sees is one statement snapshot, taken when it was opened, plus the transaction's own writes at any
// time: a batch is thrown away when the transaction has written since it was copied. A row whose newest
// version is not for this reader ends a batch and is looked up by itself, with the leaf held.
//
// At a level that locks what it reads (cursor_locked.cc) it sees what is committed, one row at a time: a row
// is given out once it, and what lies before it, is locked and the leaf is still as it was copied.
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
  CursorState(Core& core, TransactionState& state, const TableInfo& table, const KeyRange& range,
              const CursorOptions& options);
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
  static constexpr std::size_t kLockedBatchMax = 64;
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
  // What stands behind the rows in the buffer is one more.
  void add_row(std::size_t key_size, std::size_t value_size, bool large) {
    const auto at = static_cast<std::uint32_t>(bytes_used_);
    rows_.push_back({at, static_cast<std::uint32_t>(key_size), at + static_cast<std::uint32_t>(key_size),
                     static_cast<std::uint32_t>(value_size), large});
    bytes_used_ += key_size + value_size;
  }
  Status take_unseen(const std::string& key);
  char* make_room(std::size_t size) {
    if (bytes_used_ + size > bytes_size_) [[unlikely]]
      grow_room(size);
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

  // observe.cc
  void tell_rows();
  void tell_row(std::size_t at) const;
  void tell_scan();

  void begin_reading();
  void stop_reading();

  // cursor_locked.cc
  [[nodiscard]] bool is_locked() const noexcept {
    return state_.read_locks != ReadLocks::none || options_.lock != CursorOptions::Lock::by_level;
  }
  enum class RowLock : std::uint8_t { held, passed, failed };
  RowLock lock_row(const std::string& key);
  void cover_from_place();
  [[nodiscard]] std::string edge_of(const Place& place) const;
  void step_locked();
  bool give_out_row();
  bool pass_batch();
  bool pass_unseen();
  void copy_batch();
  void copy_again();
  bool lock_up_to(std::string_view key);
  bool lock_gap(const Place& until);
  bool is_copy_current();

  Core& core_;
  TransactionState& state_;
  const std::uint64_t serial_;
  const TableInfo& table_;
  const CursorOptions options_;
  std::string lo_;
  std::optional<std::string> hi_;
  mvcc::ReadRule rule_;
  TransactionId horizon_{};
  TransactionState* announcer_ = nullptr;  // the slot that announces its snapshot

  Place place_;
  Leaf leaf_;
  Leaf copied_;  // where the batch came from
  // At a level that locks: what is read and locked in this direction reaches to `covered_`: forward before
  // it, backward from it on, absent at the table's end.
  std::optional<std::string> covered_;
  std::size_t next_row_ = 0;  // of the batch
  Place after_;               // behind the batch
  bool is_unseen_ = false;    // there is a row that is not committed, `unseen_`
  std::string unseen_;
  std::string locked_value_;  // of a row that `options_` lock
  btree::LeafParent parent_;
  const char* ahead_ = nullptr;  // what is left to prefetch of the next leaf
  const char* ahead_end_ = nullptr;
  std::size_t batch_limit_ = 0;
  std::vector<Row> rows_;
  std::vector<TransactionId> writers_;        // of the rows, while somebody is to be told
  std::optional<Place> told_from_;            // where it was sought, likewise
  std::optional<std::size_t> tracked_range_;  // the range that is entered as read, from where it was sought
  std::unique_ptr<char[]> buffer_;
  std::size_t bytes_size_ = 0;
  std::size_t bytes_used_ = 0;
  std::string large_value_;
  std::string scratch_;
  Status status_;
};

}  // namespace isolith::txn
