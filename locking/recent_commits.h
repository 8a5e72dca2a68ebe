// RecentCommits: what the last transactions that committed have read and written, and whether one more would
// close a circle among them.
//
// The last kSize ones are kept, each with at most kAccessesMax reads, ranges and writes. What is older, or
// had more, is not known: `complete_after` is the newest commit among those. A circle all of whose members
// committed later is found if there is one. (Circles are looked for among the transactions themselves, and no
// edges are kept: access_sets.h.)
//
// Threads: any; a mutex of its own, under which nothing is taken.
#pragma once

#include <array>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "locking/access_sets.h"

namespace isolith::locking {

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

class RecentCommits {
 public:
  static constexpr std::size_t kSize = 128;
  static constexpr std::size_t kAccessesMax = 4096;

  // Keeps what the transaction has read and written, as `finish` left it. Returns others, to be used again if
  // nobody else holds them; and a name for `take_back`.
  boost::intrusive_ptr<AccessSets> add(const boost::intrusive_ptr<AccessSets>& sets, std::uint64_t& name);
  // It has not committed after all.
  void take_back(std::uint64_t name);
  // Something committed then that is not told here.
  void note_unknown(std::uint64_t commit_ts);

  // Whether the transaction, which would commit next, closes a circle; then it is in `circle`.
  bool closes_circle(const AccessSets& sets, Circle& circle);
  [[nodiscard]] std::uint64_t complete_after();

 private:
  struct Visit {
    const AccessSets* at = nullptr;
    std::size_t from = 0;  // the visit that led here
    WayBefore way;
  };
  static void tell(const std::vector<Visit>& visits, std::size_t last, const WayBefore& back, Circle& circle);

  std::mutex mutex_;
  std::array<boost::intrusive_ptr<AccessSets>, kSize> ring_;
  std::uint64_t added_ = 0;
  std::uint64_t complete_after_ = 0;
};

}  // namespace isolith::locking
