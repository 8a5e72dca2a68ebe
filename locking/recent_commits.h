// RecentCommits: what the last transactions of one place have read and written; and the search for a circle
// among those of all places.
//
// The last kSize that committed are kept, but for those that are refused (access_sets.h). What is older, or
// refused, is not known: `complete_after` is the newest commit among those. A circle all of whose members
// committed later is found if there is one, and if no more than kVisitsMax have to be looked at. Circles are
// looked for among the transactions themselves, and no edges are kept.
//
// The sets are used in turn, and by this place alone, so that committing touches no memory of other places.
//
// Threads: the place's own but for the search, which takes the latches of all.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "locking/access_sets.h"
#include "locking/spin_latch.h"

namespace isolith::locking {

class RecentCommits {
 public:
  explicit RecentCommits(SharedRoom& room) : room_(room) {
    current_ = (places_[0] = std::make_unique<AccessSets>(room)).get();
  }

  static constexpr std::size_t kSize = 32;
  static constexpr std::size_t kVisitsMax = 256;

  // Of the transaction that is active, or committed and not over yet.
  [[nodiscard]] AccessSets& current() const noexcept { return *current_; }
  // It is about to commit. The one that it takes the place of is not known any more. What is dropped is known
  // to be so before it is: whoever does not see it looks at `complete_after` later.
  void prepare() {
    if (next_ == nullptr) [[unlikely]] {
      make_next();
    } else if (next_->is_kept.load(std::memory_order_relaxed)) {
      raise_complete_after(next_->commit_ts);
      next_->is_kept.store(false, std::memory_order_release);
    }
  }
  // It has committed: others look at it from here on. With the latch, or the mutex that all searches hold.
  void keep() noexcept {
    if (!current_->is_refused) {
      current_->is_kept.store(true, std::memory_order_release);
    } else {
      raise_complete_after(current_->commit_ts);
    }
  }
  // The one that `prepare` drops; null: none.
  [[nodiscard]] const AccessSets* victim() const noexcept {
    return next_ != nullptr && next_->is_kept.load(std::memory_order_relaxed) ? next_ : nullptr;
  }
  // The one that was kept last; null: none is.
  [[nodiscard]] const AccessSets* newest() const noexcept {
    const AccessSets* const last = places_[at_ == 0 ? places_.size() - 1 : at_ - 1].get();
    return last != nullptr && last->is_kept.load(std::memory_order_relaxed) ? last : nullptr;
  }
  // The oldest other one that has shared room, kept or not; null: none.
  [[nodiscard]] AccessSets* oldest_with_room() noexcept;
  [[nodiscard]] std::int64_t room_of_others() const noexcept;
  // It is not known any more, and has no room. Takes the latch, which whoever looks at it has.
  void drop(AccessSets& sets) noexcept;
  // It has not, after all. With the latch.
  void take_back() noexcept { current_->is_kept.store(false, std::memory_order_release); }
  // The next transaction begins. What it clears is not kept, so nobody looks at it.
  AccessSets& next() noexcept {
    if (current_->is_kept.load(std::memory_order_relaxed)) {
      at_ = place_behind(at_);
      current_ = next_;
      next_ = places_[place_behind(at_)].get();
      CHECK(!current_->is_kept.load(std::memory_order_relaxed), "it was prepared");
    } else if (current_->is_roomy()) [[unlikely]] {
      current_->claim_room();
    }
    current_->clear();
    return *current_;
  }

  [[nodiscard]] std::uint64_t complete_after() const noexcept {
    return complete_after_.load(std::memory_order_relaxed);
  }
  // Calls `visit(const AccessSets&)` for those that are kept, before a look at `complete_after`. With the
  // latch and the mutex of searches, which are held for as long as somebody looks at them: who has committed
  // takes one of the two before what was dropped for it is used again.
  [[nodiscard]] SpinLatch& latch() noexcept { return latch_; }
  template <typename Visit>
  void visit(const Visit& visit) const {
    for (const std::unique_ptr<AccessSets>& sets : places_) {
      if (sets != nullptr && sets->is_kept.load(std::memory_order_acquire)) visit(*sets);
    }
  }

 private:
  void make_next();
  [[nodiscard]] std::size_t place_behind(std::size_t at) const noexcept {
    return at + 1 == places_.size() ? 0 : at + 1;
  }
  void raise_complete_after(std::uint64_t ts) noexcept {
    if (ts > complete_after()) complete_after_.store(ts, std::memory_order_relaxed);
  }

  SharedRoom& room_;
  SpinLatch latch_;
  std::size_t at_ = 0;  // of the current one
  AccessSets* current_ = nullptr;
  AccessSets* next_ = nullptr;  // null: not made yet
  std::array<std::unique_ptr<AccessSets>, kSize + 1> places_;
  std::atomic<std::uint64_t> complete_after_{0};
};

// A circle of transactions, each before the next one, the last before the first; or the beginning of one.
struct Circle {
  struct Member {
    std::uint64_t number = 0;
    std::string level;
    std::string label;
    std::uint64_t commit_ts = 0;
    bool is_known = true;
  };
  struct Way {  // from the member at the same place to the next one
    Dependency kind = Dependency::rw;
    TableId table{};
    std::string key;
    bool is_known = true;
  };
  std::vector<Member> members;  // the one that fails first
  std::vector<Way> ways;
  std::string rule;
};

Circle::Member member_of(const AccessSets& sets);

// `before_nobody`: no circle, and it comes before none of them.
enum class Search : std::uint8_t { before_nobody, no_circle, circle, too_many };

// Whether the transaction, which would commit next, closes a circle with these; then it is in `circle`.
Search find_circle(const AccessSets& sets, const std::vector<const AccessSets*>& others, Circle& circle);

}  // namespace isolith::locking
