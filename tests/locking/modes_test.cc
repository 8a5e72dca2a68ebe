// The tables of modes keep the rules that they follow from.
#include "locking/modes.h"

#include <gtest/gtest.h>

#include <vector>

namespace isolith::locking {
namespace {

const std::vector<Mode> kAll = {Mode::intend_read, Mode::intend_write, Mode::read, Mode::read_intend_write,
                                Mode::write};

// Everything that goes together with `a` goes together with `b`.
bool is_at_least(Mode a, Mode b) {
  for (const Mode other : kAll) {
    if (are_compatible(other, a) && !are_compatible(other, b)) return false;
  }
  return true;
}

TEST(ModesTest, WhatGoesTogetherDoesSoInEitherOrder) {
  for (const Mode a : kAll) {
    for (const Mode b : kAll) EXPECT_EQ(are_compatible(a, b), are_compatible(b, a));
  }
}

TEST(ModesTest, BothIsTheWeakestModeThatIsBoth) {
  for (const Mode a : kAll) {
    for (const Mode b : kAll) {
      const Mode sum = both(a, b);
      EXPECT_EQ(sum, both(b, a));
      EXPECT_TRUE(is_at_least(sum, a) && is_at_least(sum, b)) << to_string(a) << " " << to_string(b);
      for (const Mode other : kAll) {
        const bool is_both = is_at_least(other, a) && is_at_least(other, b);
        EXPECT_TRUE(!is_both || is_at_least(other, sum));
      }
    }
  }
}

TEST(ModesTest, WritersExcludeReadersOfTheWholeAndEachOtherOnlyThere) {
  EXPECT_TRUE(are_compatible(Mode::intend_write, Mode::intend_write));
  EXPECT_FALSE(are_compatible(Mode::read, Mode::intend_write));
  EXPECT_TRUE(are_compatible(Mode::read_intend_write, Mode::intend_read));
  EXPECT_FALSE(are_compatible(Mode::read_intend_write, Mode::read_intend_write));
  for (const Mode other : kAll) EXPECT_FALSE(are_compatible(Mode::write, other));
}

TEST(ModesTest, EachModeHasAName) {
  EXPECT_EQ(to_string(Mode::intend_read), "intend_read");
  EXPECT_EQ(to_string(Mode::read_intend_write), "read_intend_write");
  EXPECT_EQ(to_string(Mode::write), "write");
}

}  // namespace
}  // namespace isolith::locking
