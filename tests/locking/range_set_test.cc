// RangeSet against a brute-force model: which owners cover which of a few keys.
#include "locking/range_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "locking/owner.h"
#include "tests/support/seed.h"

namespace isolith::locking {
namespace {

using Hi = std::optional<std::string>;

// In order; what lies between two of them is covered as the lower one, where ends are taken from here.
std::vector<std::string> model_keys() {
  std::vector<std::string> keys = {
      "", std::string(1, '\0'), "a", std::string("a\0", 2), "aa", "b", "ba", "c", "\xff", "\xff\xff"};
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::set<const Owner*> owners_of(const RangeSet<Owner>& set, std::string_view key) {
  const RangeSet<Owner>::Readers& owners = set.readers_at(key);
  return {owners.begin(), owners.end()};
}

class RangeSetModel {
 public:
  void change(bool adds, std::size_t owner, std::size_t lo, std::size_t hi) {
    const Hi end = hi == keys_.size() ? std::nullopt : Hi(keys_[hi]);
    if (adds) {
      set_.add(owners_[owner], keys_[lo], end);
    } else {
      set_.remove(owners_[owner], keys_[lo], end);
    }
    for (std::size_t i = lo; i < hi; ++i) {
      if (adds) {
        covered_[i].insert(&owners_[owner]);
      } else {
        covered_[i].erase(&owners_[owner]);
      }
    }
  }

  void expect_same() const {
    for (std::size_t i = 0; i < keys_.size(); ++i) EXPECT_EQ(owners_of(set_, keys_[i]), covered_[i]) << i;
    std::size_t segments = 1;
    for (std::size_t i = 1; i < keys_.size(); ++i) segments += covered_[i] != covered_[i - 1] ? 1 : 0;
    EXPECT_EQ(set_.segments(), segments) << "no two neighbours are alike";
    EXPECT_EQ(set_.empty(), segments == 1 && covered_[0].empty());
    std::string reached;
    set_.visit([&](const Owner&, const std::string& lo, const Hi& hi) {
      EXPECT_GE(lo, reached);
      EXPECT_TRUE(!hi || lo < *hi);
      reached = lo;
    });
  }

  [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }
  [[nodiscard]] std::size_t owners() const noexcept { return owners_.size(); }

 private:
  const std::vector<std::string> keys_ = model_keys();
  std::array<Owner, 4> owners_;
  std::vector<std::set<const Owner*>> covered_ = std::vector<std::set<const Owner*>>(keys_.size());
  RangeSet<Owner> set_;
};

TEST(RangeSetTest, IsAsTheModelAfterAnyChange) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 50; ++round) {
    RangeSetModel model;
    for (int i = 0; i < 200 && !HasFailure(); ++i) {
      const std::size_t lo = random.below(model.keys());
      const std::size_t hi = random.below(4) == 0 ? model.keys() : random.below(model.keys() + 1);
      model.change(random.below(2) == 0, random.below(model.owners()), lo, hi);
      model.expect_same();
    }
    // All of it goes again, and the set is as new.
    for (std::size_t owner = 0; owner < model.owners(); ++owner) model.change(false, owner, 0, model.keys());
    model.expect_same();
  }
}

TEST(RangeSetTest, RangesThatTouchDoNotMeet) {
  Owner left;
  Owner right;
  RangeSet<Owner> set;
  set.add(left, "a", "m");
  set.add(right, "m", std::nullopt);
  EXPECT_EQ(owners_of(set, "lzzz"), (std::set<const Owner*>{&left}));
  EXPECT_EQ(owners_of(set, "m"), (std::set<const Owner*>{&right}));
  EXPECT_TRUE(set.readers_at("").empty());
  EXPECT_TRUE(set.readers_at("Z").empty());
}

TEST(RangeSetTest, RangesOfOneOwnerThatTouchAreOne) {
  Owner owner;
  RangeSet<Owner> set;
  set.add(owner, "", "b");
  set.add(owner, "b", std::nullopt);
  EXPECT_EQ(set.segments(), 1U);
  EXPECT_FALSE(set.empty());
  set.remove(owner, "", std::nullopt);
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace isolith::locking
