// TrackedRanges: which transactions of the level serializable_ssi have read which ranges of a table, exactly,
// and when the last of those committed that have read a key in a range. As KeyReads, for ranges.
//
// `is_used` says whether there is anything: a reader enters its range, then a fence, then it reads; a writer
// writes the row, then a fence, then it looks: one of the two sees the other.
//
// Threads: any. Nothing is taken under the latch.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "locking/range_map.h"
#include "locking/spin_latch.h"
#include "locking/tracked.h"

namespace isolith::locking {

class alignas(64) TrackedRanges {
 public:
  static constexpr std::int64_t kSegmentBytes = 160;  // about, but for the key and more readers than two

  // How much there is more (or, below zero, less) of all ranges together: one that has the ends of others
  // costs nothing.
  struct Growth {
    std::int64_t segments = 0;
    std::int64_t bytes = 0;  // about
  };

  Growth enter(Tracked& reader, std::string_view lo, std::optional<std::string_view> hi);
  Growth give_up(Tracked& reader, std::string_view lo, std::optional<std::string_view> hi);
  // The reader, or one that had none (null), has committed at `ts`; those up to `oldest` are dropped now and
  // then.
  Growth leave(Tracked* reader, std::string_view lo, std::optional<std::string_view> hi, std::uint64_t ts,
               std::uint64_t oldest);
  // As `KeyReads::drop`.
  Growth drop(std::uint64_t oldest);

  // Whether this is the first call.
  bool note_listed() noexcept {
    return !is_listed_.load(std::memory_order_relaxed) &&
           !is_listed_.exchange(true, std::memory_order_relaxed);
  }

  // As `KeyReads::visit`.
  template <typename Visit>
  void visit(std::string_view key, std::uint64_t& newest, const Visit& visit) {
    if (!is_used_.load(std::memory_order_seq_cst)) return;
    const std::lock_guard lock(latch_);
    const Segment& segment = map_.at(key);
    for (Tracked* reader : segment.readers) visit(*reader);
    newest = std::max(newest, segment.ts);
  }

 private:
  static constexpr std::size_t kReadersInline = 2;

  struct Segment {
    boost::container::small_vector<Tracked*, kReadersInline> readers;  // active ones, in order
    std::uint64_t ts = 0;                                              // the last commit of others

    [[nodiscard]] std::size_t heap_bytes() const noexcept {
      return readers.capacity() <= kReadersInline ? 0 : readers.capacity() * sizeof(readers[0]);
    }
    friend bool operator==(const Segment&, const Segment&) = default;
  };
  static void take_out(Segment& segment, const Tracked& reader);
  // Changes the map, and notes whether there is anything in it.
  template <typename Change>
  Growth grow(const Change& change);
  void drop_over(std::uint64_t oldest);

  SpinLatch latch_;
  std::atomic<bool> is_used_{false};
  std::atomic<bool> is_listed_{false};
  std::uint32_t dropped_at_ = 1;  // segments when those that are over were last dropped
  RangeMap<Segment> map_;
};

}  // namespace isolith::locking
