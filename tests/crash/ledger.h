// Ledger: what a database must hold after a crash, for every number of commits that may have survived.
//
// Commits are numbered from 1 in commit order: a transaction's last write, under its lock, is the number in
// the row `order` of table `meta`. Rows are divided among workers (a worker's rows are written by it alone),
// so the contents after n commits are one part for each worker.
//
// Invariants:
//   1. state(n) differs from state(n - 1) in the part of one worker.
//   2. acknowledged() <= N <= issued() for the number N of commits that any crash leaves.
//
// Threads: any (one mutex).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace isolith::crash {

// A value by its size and hash.
struct Fingerprint {
  std::uint64_t size = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

inline Fingerprint fingerprint_of(std::string_view value) {
  return {value.size(), std::hash<std::string_view>()(value)};
}

using Rows = std::map<std::string, Fingerprint, std::less<>>;
using Part = std::map<std::string, Rows, std::less<>>;  // by table; a table without rows is there, too

class Ledger {
 public:
  explicit Ledger(unsigned workers) : parts_(1), states_(1, std::vector<std::size_t>(workers, 0)) {}

  // Commit `number` is about to happen and gives `worker` this part. One that was never made is replaced.
  void issue(std::uint64_t number, unsigned worker, const Part& part) {
    const std::lock_guard lock(mutex_);
    states_.resize(number);
    parts_.push_back(part);
    states_.push_back(states_.back());
    states_.back()[worker] = parts_.size() - 1;
  }

  // The same for all workers at once.
  void issue_all(std::uint64_t number, const Part& part) {
    const std::lock_guard lock(mutex_);
    states_.resize(number);
    parts_.push_back(part);
    states_.emplace_back(states_.front().size(), parts_.size() - 1);
  }

  // Commit `number` certainly did not happen.
  void withdraw(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (states_.size() > number) states_.resize(number);
  }

  // It must survive from now on.
  void acknowledge(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    acknowledged_ = std::max(acknowledged_, number);
  }

  // A crash left `number` commits: the later ones are gone.
  void survive(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    states_.resize(number + 1);
    acknowledged_ = number;
  }

  [[nodiscard]] std::uint64_t acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }

  [[nodiscard]] std::uint64_t issued() const {
    const std::lock_guard lock(mutex_);
    return states_.size() - 1;
  }

  // The parts after `number` commits, by worker. They stay where they are.
  [[nodiscard]] std::vector<const Part*> state(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    std::vector<const Part*> parts;
    for (const std::size_t at : states_[number]) parts.push_back(&parts_[at]);
    return parts;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Part> parts_;                        // 0: nothing
  std::vector<std::vector<std::size_t>> states_;  // by number of commits and worker: index into parts_
  std::uint64_t acknowledged_ = 0;
};

}  // namespace isolith::crash
