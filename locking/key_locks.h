// KeyLocks: who has read which keys with a lock, and who stands in line for a key.
//
// A write lock is the writer's number in the row and is not here. A mark is: "this transaction has read this
// key, there or not, and it must stay so". Requests that have to wait stand in line here, first come first
// served, those before everybody else who hold a mark there already (an upgrade).
//
// Invariants:
//   1. A mark is entered before its key is read; a writer latches the leaf and then looks for marks. So
//   either
//      the reader sees the writer's row, or the writer sees the mark (README.md).
//   2. Nobody enters a mark past a write that stands in line, unless he holds one there or may pass.
//   3. A request is in line from its first wait until it has what it wanted or gives up.
//
// Threads: any; each bucket has a mutex, taken with a leaf latched or not, and under it no other but the
// table's (table_locks.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "locking/owner.h"
#include "locking/wait_graph.h"

namespace isolith::locking {

class TableLocks;

// Where a key is.
struct KeyPlace {
  TableLocks& locks;
  TableId table;
  std::string_view key;
  std::uint64_t hash;
};

std::uint64_t hash_of(TableId table, std::string_view key) noexcept;

struct KeyMark {
  KeyMark* next_in_bucket = nullptr;
  KeyMark* next_of_owner = nullptr;
  Owner* owner = nullptr;
  TableLocks* locks = nullptr;
  TableId table{};
  std::uint64_t hash = 0;
  std::string key;
};

class KeyLocks {
 public:
  KeyLocks();
  ~KeyLocks();
  KeyLocks(const KeyLocks&) = delete;
  KeyLocks& operator=(const KeyLocks&) = delete;

  enum class Entered : std::uint8_t { already, now, behind_a_write };
  // Enters a mark, unless a write of somebody else's stands in line and `may_pass` is false. Takes the
  // request out of line, if there is one, when the mark is in.
  Entered enter(Owner& owner, const KeyPlace& place, bool may_pass, Request* request);

  // Takes a mark back that was entered a moment ago and whose key was not read.
  void take_back(Owner& owner, const KeyPlace& place);

  [[nodiscard]] bool has_mark(const Owner& owner, const KeyPlace& place);

  // Whether nobody else has a mark and nobody stands before the owner: before `request`, where he is in line.
  // The last commit on the key was at `newest`: whoever stands there only to fail for it stands before
  // nobody.
  [[nodiscard]] bool may_write(const Owner& owner, const KeyPlace& place, bool may_pass,
                               const Request* request, std::uint64_t newest);

  // Puts the request in line; those that hold something there go before those that do not.
  void stand_in_line(Request& request, const KeyPlace& place);
  void leave_line(Request& request);

  // Adds to the request's blockers: who has marks (of a write), and who came first.
  void find_blockers(Request& request, const KeyPlace& place);

  // Takes out all marks of the owner.
  void release(Owner& owner);

  // Frees what an owner keeps to use again.
  static void free_spare(Owner& owner) noexcept;

  // Calls `visit(const KeyMark&)` for all marks, a bucket at a time.
  template <typename Visit>
  void visit_marks(const Visit& visit) {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      const std::lock_guard lock(buckets_[i].mutex);
      for (const KeyMark* mark = buckets_[i].marks; mark != nullptr; mark = mark->next_in_bucket)
        visit(*mark);
    }
  }

 private:
  static constexpr std::size_t kBuckets = 4096;
  static constexpr std::size_t kSpareMarksMax = 256;  // of one owner

  struct alignas(64) Bucket {
    std::mutex mutex;
    KeyMark* marks = nullptr;
    Request* line = nullptr;  // for any key of the bucket, in order
  };

  [[nodiscard]] Bucket& bucket_of(std::uint64_t hash) const noexcept { return buckets_[hash % kBuckets]; }
  static bool is_for(const Request& request, const KeyPlace& place) noexcept;
  static bool is_at(const KeyMark& mark, const KeyPlace& place) noexcept;
  static bool has_mark_in(const Bucket& bucket, const Owner& owner, const KeyPlace& place) noexcept;
  void take_out(KeyMark& mark);
  void release_newest(Owner& owner);
  static bool is_blocked_in_line(const Bucket& bucket, const Owner& owner, const KeyPlace& place, bool passes,
                                 const Request* request, Mode mode, std::uint64_t newest);
  static void unlink(Bucket& bucket, Request& request);
  static KeyMark& make_mark(Owner& owner, const KeyPlace& place);

  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace isolith::locking
