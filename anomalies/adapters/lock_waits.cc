// The waits, and the search for a deadlock among them.
#include "anomalies/adapters/lock_waits.h"

#include <algorithm>
#include <utility>

namespace isolith::anomalies {

void LockWaits::begun(std::uint64_t transaction) { active_.push_back(transaction); }

void LockWaits::ended(std::uint64_t transaction) {
  std::erase(active_, transaction);
  released(transaction);
}

void LockWaits::released(std::uint64_t transaction) {
  for (Waiting* waiting : waiting_) {
    const std::vector<std::uint64_t>& holders = waiting->holders;
    if (!holders.empty() && std::find(holders.begin(), holders.end(), transaction) == holders.end()) continue;
    waiting->word.fetch_add(1, std::memory_order_release);
    runner_.wake_all(waiting->word);
  }
}

const LockWaits::Waiting* LockWaits::waiting(std::uint64_t transaction) const {
  for (const Waiting* waiting : waiting_) {
    if (waiting->transaction == transaction) return waiting;
  }
  return nullptr;
}

// Grows the set of those that can go on until it grows no more: who does not wait, whose holders all can go
// on, and who knows no holder if any other one can. What is left over waits for itself, or for one that is
// not active and will release nothing.
bool LockWaits::can_get_on(std::uint64_t transaction) const {
  std::vector<std::uint64_t> stuck = active_;
  const auto has = [](const std::vector<std::uint64_t>& some, std::uint64_t one) {
    return std::find(some.begin(), some.end(), one) != some.end();
  };
  const auto is_stuck = [&](std::uint64_t other) { return has(stuck, other) || !has(active_, other); };
  const auto goes_on = [&](std::uint64_t other) {
    const Waiting* waits = waiting(other);
    if (waits == nullptr) return true;
    if (!waits->holders.empty()) return std::none_of(waits->holders.begin(), waits->holders.end(), is_stuck);
    return std::any_of(active_.begin(), active_.end(),
                       [&](std::uint64_t one) { return one != other && !is_stuck(one); });
  };
  while (std::erase_if(stuck, goes_on) > 0) {
  }
  return !is_stuck(transaction);
}

LockWaits::Outcome LockWaits::wait(std::uint64_t waiter, std::vector<std::uint64_t> holders,
                                   std::string_view table, std::string_view key) {
  if (holders.empty() && active_.size() == 2) {
    holders.push_back(active_.front() == waiter ? active_.back() : active_.front());
  }
  Waiting self{waiter, std::move(holders)};
  waiting_.push_back(&self);
  Outcome outcome = Outcome::deadlock;
  if (can_get_on(waiter)) {
    const std::uint64_t holder = self.holders.size() == 1 ? self.holders.front() : 0;
    const WaitInfo info{WaitKind::write_lock, waiter, holder, table, key};
    outcome = runner_.wait(self.word, 0, info, 0) ? Outcome::again : Outcome::timed_out;
  }
  std::erase(waiting_, &self);
  return outcome;
}

}  // namespace isolith::anomalies
