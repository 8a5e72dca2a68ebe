// Tracked: a transaction of the level serializable_ssi, as those see it that write what it has read. A place
// for one transaction after another, never freed while the database lives.
//
// Invariants:
//   1. `word` has the number of transactions that ended here, those without marks not counted, and a bit from
//      the commit of this one on.
//   2. A mark of a transaction (key_reads.h, tracked_ranges.h) is taken out, or made one of committed
//      transactions, before its number is raised.
//   3. `leaves` is set before `kCommitted`.
//
// Threads: the first part by any, the rest by the transaction's own.
#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/ids.h"
#include "locking/recent_commits.h"

namespace isolith::locking {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// Who wrote over what a transaction has read, as that one met it when it read.
struct Overwriter {
  TransactionId id{};
  std::uint64_t commit_ts = 0;  // 0: in progress
};

// What a place tells of its transaction: what it reads from, or a little less, and whether it may write.
struct Active {
  std::uint64_t snapshot = 0;
  bool may_write = false;

  [[nodiscard]] std::uint64_t encode() const noexcept { return (snapshot + 1) * 2 + (may_write ? 1 : 0); }
  static Active decode(std::uint64_t word) noexcept { return {word / 2 - 1, word % 2 != 0}; }
};

struct alignas(64) Tracked {
  static constexpr std::uint64_t kCommitted = 1;
  static constexpr std::uint64_t kOne = 2;  // of the number of transactions

  explicit Tracked(SharedRoom& room) : recent(room) {}

  std::atomic<std::uint64_t> word{0};
  std::atomic<std::uint64_t> active{0};  // 0: nobody; otherwise as `Active` has it
  std::atomic<std::uint64_t> out_ts{
      kNever};                           // the first commit that wrote over what it read, as told by others
  std::atomic<std::uint64_t> leaves{0};  // its commit as its marks name it
  std::atomic<std::uint64_t> number{0};  // as reports name it; 0: it has not written

  alignas(64) RecentCommits recent;
  AccessSets* sets = &recent.current();
  boost::container::small_vector<Overwriter, 2> overwriters;
  bool overwriters_lost = false;        // there were too many to list
  bool is_widened = false;              // what it read became tables: of those nothing is taken back
  std::uint64_t first_out_ts = kNever;  // as found at its commit
  std::uint64_t bound_ts = kNever;      // the first commit of circles that it may be part of, as found then
  std::vector<TrackedRanges*> tables;   // of the keys that it read
  std::int64_t bytes = 0;               // of its marks and what it keeps of reads, until it ends
  std::int64_t range_bytes = 0;         // that tables' ranges grew by when it entered its own
  std::int64_t bytes_untold = 0;        // not yet counted in the sum of all
  // Of the keys that it read and then wrote, once it commits; in order. Nobody else writes them until it
  // ends, and whoever does so later began after that: their marks are gone.
  boost::container::small_vector<std::uint64_t, 8> written;
  std::uint32_t ends = 0;
  // Of one that only reads: how much it has read, and when it is to look whether its snapshot is safe by now.
  std::uint64_t reads = 0;
  std::uint64_t look_at = 0;

  [[nodiscard]] static std::uint64_t number_of(std::uint64_t word) noexcept { return word / kOne; }
};

// Somebody met, as of then.
struct MetReader {
  Tracked* reader = nullptr;
  std::uint64_t word = 0;
};
using MetReaders = boost::container::small_vector<MetReader, 8>;

}  // namespace isolith::locking
