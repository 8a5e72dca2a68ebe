// LiveSnapshots: which snapshots transactions read from at one moment, oldest first.
//
// A version that was committed at b and replaced at e is needed while a snapshot s with b <= s < e lives. New
// snapshots are never older than `now`, so what nobody needs once nobody will ever need.
//
// Threads: a value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace isolith::mvcc {

class LiveSnapshots {
 public:
  void reset(Timestamp now) noexcept {
    now_ = now;
    times_.clear();
    has_writing_ = false;
  }
  // `may_write`: its transaction may write, so it must find the tombstones of what was erased since.
  void add(Timestamp ts, bool may_write) {
    times_.push_back(ts);
    if (!may_write) return;
    oldest_writing_ = has_writing_ ? std::min(oldest_writing_, ts) : ts;
    has_writing_ = true;
  }
  // After the last `add`.
  void sort() {
    std::sort(times_.begin(), times_.end());
    times_.erase(std::unique(times_.begin(), times_.end()), times_.end());
  }

  // Every later snapshot is at or after it.
  [[nodiscard]] Timestamp now() const noexcept { return now_; }
  [[nodiscard]] Timestamp oldest() const noexcept {
    return times_.empty() ? now_ : std::min(times_.front(), now_);
  }
  [[nodiscard]] const std::vector<Timestamp>& times() const noexcept { return times_; }
  [[nodiscard]] bool contains(Timestamp ts) const noexcept {
    return std::binary_search(times_.begin(), times_.end(), ts);
  }

  // The newest snapshot before `ts`; null: there is none.
  [[nodiscard]] const Timestamp* newest_before(Timestamp ts) const noexcept {
    const auto at = std::lower_bound(times_.begin(), times_.end(), ts);
    return at == times_.begin() ? nullptr : &*(at - 1);
  }
  // Whether a snapshot whose transaction may write is before `ts`.
  [[nodiscard]] bool writing_before(Timestamp ts) const noexcept {
    return has_writing_ && oldest_writing_ < ts;
  }
  // Whether commits between both, each at or before `now`, are the same to every snapshot.
  [[nodiscard]] bool same_to_all(Timestamp first, Timestamp last) const noexcept {
    const Timestamp* const before = newest_before(last);
    return before == nullptr || *before < first;
  }

 private:
  Timestamp now_{};
  std::vector<Timestamp> times_;
  Timestamp oldest_writing_{};
  bool has_writing_ = false;
};

}  // namespace isolith::mvcc
