// AccessSets: what is kept of one transaction for the next.
#include "locking/access_sets.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "locking/tracked_ranges.h"

namespace isolith::locking {
namespace {

TEST(AccessSetsTest, RoomForMuchDoesNotStay) {
  TrackedRanges table;
  AccessSets sets;
  for (std::uint64_t i = 0; i <= AccessSets::kOfEachMax; ++i) {
    sets.add_read(i);
    sets.add_write(i, table, TableId{1}, std::string(300, 'k'));
    sets.add_range(table, "a", "b");
  }
  ASSERT_TRUE(sets.is_large());
  sets.has_rest = true;
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), 0U);
  EXPECT_EQ(sets.writes.capacity(), 0U);
  EXPECT_EQ(sets.ranges.capacity(), 0U);
  EXPECT_LT(sets.key_bytes.capacity(), 100U);
  EXPECT_FALSE(sets.has_rest);
}

TEST(AccessSetsTest, WhatHasReadAllThatAnotherOneHasIsToldByEnds) {
  TrackedRanges table;
  TrackedRanges other;
  const auto has_read_all = [&](const char* lo, const char* hi, TrackedRanges& of) {
    AccessSets a;
    a.add_range(table, "b", "f");
    AccessSets b;
    b.add_range(of, lo, hi == nullptr ? std::nullopt : std::optional<std::string_view>(hi));
    return has_read_all_of(a, b);
  };
  EXPECT_TRUE(has_read_all("b", "f", table));
  EXPECT_TRUE(has_read_all("c", "e", table));
  EXPECT_FALSE(has_read_all("a", "f", table));
  EXPECT_FALSE(has_read_all("b", "g", table));
  EXPECT_FALSE(has_read_all("b", nullptr, table));
  EXPECT_FALSE(has_read_all("c", "e", other));
  AccessSets a;
  a.add_range(table, "", std::nullopt);
  AccessSets b;
  b.add_range(table, "b", std::nullopt);
  EXPECT_TRUE(has_read_all_of(a, b));
  EXPECT_FALSE(has_read_all_of(b, a));
  b.add_read(1);
  EXPECT_FALSE(has_read_all_of(a, b)) << "keys are not compared";
}

}  // namespace
}  // namespace isolith::locking
