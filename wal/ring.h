// Ring: the bytes of the log that were appended and not written yet. AppendPoint: how far the log has been
// appended.
//
// The byte with LSN x lies at x modulo the ring's size. Segment headers have their place in it too, and stay
// unused.
//
// Invariants:
//   1. Only the appender writes, and only bytes in [appended, written + size); everyone else reads [written,
//      appended).
//   2. What an AppendPoint tells was true of one instant: `timestamp` is that of the newest commit that ends
//      at or before `end`.
//
// Threads: one appender; any thread that holds the writer's write mutex reads the ring; any thread reads the
// point.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "base/ids.h"

namespace isolith::wal {

class Ring {
 public:
  explicit Ring(std::size_t size_bytes)
      : mask_(size_bytes - 1), bytes_(std::make_unique_for_overwrite<char[]>(size_bytes)) {
    CHECK(std::has_single_bit(size_bytes), "a ring's size is a power of two");
  }

  [[nodiscard]] std::size_t size_bytes() const noexcept { return mask_ + 1; }

  void put(Lsn at, std::string_view bytes) noexcept {
    const std::string_view first = bytes.substr(0, contiguous(at));
    if (!first.empty()) std::memcpy(bytes_.get() + index(at), first.data(), first.size());
    const std::string_view rest = bytes.substr(first.size());
    if (!rest.empty()) std::memcpy(bytes_.get(), rest.data(), rest.size());
  }

  // How many bytes from `at` on lie one behind the other, and where.
  [[nodiscard]] std::size_t contiguous(Lsn at) const noexcept { return mask_ + 1 - index(at); }
  [[nodiscard]] const char* data(Lsn at) const noexcept { return bytes_.get() + index(at); }

 private:
  [[nodiscard]] std::size_t index(Lsn at) const noexcept { return static_cast<std::size_t>(raw(at)) & mask_; }

  const std::size_t mask_;
  const std::unique_ptr<char[]> bytes_;
};

// Two slots, written in turn: a reader tries again only if the appender came round twice meanwhile, and never
// waits for it. Every access is ordered, so no fence is needed: who sees a slot of turn n + 2 also sees that
// `turn_` is past n.
class AppendPoint {
 public:
  struct Value {
    Lsn end{};
    Timestamp timestamp{};
  };

  void store(Value value) noexcept {  // the appender
    const std::uint64_t turn = turn_.load(std::memory_order_relaxed) + 1;
    Slot& slot = slots_[turn & 1];
    slot.end.store(raw(value.end), std::memory_order_release);
    slot.timestamp.store(raw(value.timestamp), std::memory_order_release);
    turn_.store(turn, std::memory_order_release);
  }

  [[nodiscard]] Value load() const noexcept {
    for (;;) {
      const std::uint64_t turn = turn_.load(std::memory_order_acquire);
      const Slot& slot = slots_[turn & 1];
      const Value value{static_cast<Lsn>(slot.end.load(std::memory_order_acquire)),
                        static_cast<Timestamp>(slot.timestamp.load(std::memory_order_acquire))};
      if (turn_.load(std::memory_order_relaxed) == turn) return value;
    }
  }

 private:
  struct Slot {
    std::atomic<std::uint64_t> end{0};
    std::atomic<std::uint64_t> timestamp{0};
  };

  std::atomic<std::uint64_t> turn_{0};
  Slot slots_[2];
};

}  // namespace isolith::wal
