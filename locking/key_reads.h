// KeyReads: which transactions of the level serializable_ssi have read which keys.
//
// A mark says that an active transaction has read a key, there or not, or when the last of those committed
// that have: one mark for all of them. A key is known by 64 bits of its hash (access_sets.h).
//
// Invariants:
//   1. A reader enters its mark, then a fence, then it reads; a writer writes the row, then a fence, then it
//      looks for marks: one of the two sees the other (README.md). Where there are no marks the writer writes
//      nothing that others have in their caches, and takes no latch.
//   2. When a transaction commits, its marks become those of committed ones in the same hold of the bucket's
//      latch, but for those of keys that it has written itself, which go (tracked.h). They are dropped once
//      everybody active that may write has a snapshot that is as new.
//
// A bucket is one cache line, as long as it has no more than three marks.
//
// Threads: any. Nothing is taken under a bucket's latch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "locking/spin_latch.h"
#include "locking/tracked.h"

namespace isolith::locking {

class KeyReads {
 public:
  static constexpr std::size_t kMarkBytes = 16;

  KeyReads();

  // All return how many marks there are more (or, below zero, fewer).

  // Enters a mark, if the reader has none there; `is_new` says so. Marks of those that committed up to
  // `oldest` are dropped.
  std::int64_t enter(Tracked& reader, std::uint64_t hash, std::uint64_t oldest, bool& is_new);
  // The reader is gone and leaves nothing.
  std::int64_t give_up(const Tracked& reader, std::uint64_t hash);
  // The reader, or one that had no mark (null), has committed at `ts`.
  std::int64_t leave(const Tracked* reader, std::uint64_t hash, std::uint64_t ts, std::uint64_t oldest);
  // Drops the marks of those that committed up to `oldest`.
  std::int64_t drop(std::uint64_t oldest);

  // Who is about to commit has written the key: calls `visit(Tracked&)` for each other one that has read it
  // and is active, and raises `newest` to the last commit of the rest. Its own mark is taken out, if it is
  // of that key alone; whether it was is returned. Under the bucket's latch, if there are marks.
  template <typename Visit>
  bool visit(std::uint64_t hash, const Tracked& writer, std::uint64_t& newest, const Visit& visit) {
    Bucket& bucket = bucket_of(hash);
    if (bucket.is_empty()) return false;
    const std::lock_guard lock(bucket.latch);
    std::size_t own = bucket.size();
    for (std::size_t i = 0; i < bucket.size(); ++i) {
      const Mark& mark = bucket.at(i);
      if (mark.hash != hash) continue;
      if (mark.is_committed()) {
        if (mark.ts() > newest) newest = mark.ts();
      } else if (mark.reader() == &writer) {
        if (!mark.is_repeated()) own = i;
      } else {
        visit(*mark.reader());
      }
    }
    if (own == bucket.size()) return false;
    bucket.erase(own);
    return true;
  }

 private:
  static constexpr std::size_t kBuckets = std::size_t{1} << 14;

  // Of an active reader its address; of committed ones the last commit, and a bit that no address has.
  class Mark {
   public:
    Mark() = default;
    Mark(std::uint64_t of, Tracked& by) : hash(of), word_(reinterpret_cast<std::uint64_t>(&by)) {}
    Mark(std::uint64_t of, std::uint64_t ts) : hash(of), word_(ts << 1 | 1) {}
    [[nodiscard]] bool is_committed() const noexcept { return (word_ & 1) != 0; }
    [[nodiscard]] std::uint64_t ts() const noexcept { return word_ >> 1; }
    [[nodiscard]] Tracked* reader() const noexcept { return reinterpret_cast<Tracked*>(word_ & ~kRepeated); }
    // Read once more: the same key, or another one that has its hash.
    [[nodiscard]] bool is_repeated() const noexcept { return (word_ & kRepeated) != 0; }
    void set_repeated() noexcept { word_ |= kRepeated; }
    [[nodiscard]] bool is_over(std::uint64_t oldest) const noexcept {
      return is_committed() && ts() <= oldest;
    }

    std::uint64_t hash = 0;

   private:
    static constexpr std::uint64_t kRepeated = 2;  // no address has it either
    std::uint64_t word_ = 0;
  };

  class alignas(64) Bucket {
   public:
    SpinLatch latch;

    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    // Without the latch. Who gives its marks up for a range, having entered that first, is met in the one or
    // in the other.
    [[nodiscard]] bool is_empty() const noexcept { return size_.load(std::memory_order_seq_cst) == 0; }
    [[nodiscard]] Mark& at(std::size_t i) noexcept { return i < kInline ? marks_[i] : (*more_)[i - kInline]; }
    void add(const Mark& mark) {
      if (size() < kInline) [[likely]] {
        marks_[size()] = mark;
        set_size(size() + 1);
      } else {
        add_more(mark);
      }
    }
    void erase(std::size_t i) noexcept {
      set_size(size() - 1);
      at(i) = at(size());
      if (more_ != nullptr) [[unlikely]]
        erase_more();
    }
    // Returns how many marks there are more.
    std::int64_t drop(std::uint64_t oldest) noexcept;

   private:
    void add_more(const Mark& mark);
    void erase_more() noexcept;
    void set_size(std::size_t size) noexcept {
      size_.store(static_cast<std::uint32_t>(size), std::memory_order_release);
    }

    static constexpr std::size_t kInline = 3;
    std::atomic<std::uint32_t> size_{0};
    std::unique_ptr<std::vector<Mark>> more_;
    std::array<Mark, kInline> marks_;
  };

  [[nodiscard]] Bucket& bucket_of(std::uint64_t hash) const noexcept { return buckets_[hash % kBuckets]; }

  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace isolith::locking
