// AccessSets: what is kept of one transaction for the next; and what else a place keeps.
#include "locking/access_sets.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "isolith/wait_hook.h"
#include "locking/conflict_tracker.h"
#include "locking/tracked_ranges.h"

namespace isolith::locking {
namespace {

TEST(AccessSetsTest, RoomForMuchDoesNotStay) {
  TrackedRanges table;
  SharedRoom room(1 << 30);
  AccessSets sets(room);
  for (std::uint64_t i = 0; i <= AccessSets::kOfEachMax; ++i) {
    sets.add_read(i);
    sets.add_write(i, table, TableId{1}, std::string(300, 'k'));
    sets.add_range(table, "a", "b");
  }
  ASSERT_TRUE(sets.is_large());
  EXPECT_FALSE(sets.may_be_kept());
  EXPECT_EQ(room.bytes(), 0);
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), 0U);
  EXPECT_EQ(sets.writes.capacity(), 0U);
  EXPECT_EQ(sets.ranges.capacity(), 0U);
  EXPECT_LT(sets.key_bytes.capacity(), 100U);
  EXPECT_FALSE(sets.has_rest);
}

void read(AccessSets& sets, std::uint64_t keys) {
  for (std::uint64_t i = 0; i < keys; ++i) sets.add_read(i);
}

TEST(AccessSetsTest, ALittleRoomIsForNothing) {
  SharedRoom none(0);
  AccessSets sets(none);
  read(sets, AccessSets::kRoomForNothing / sizeof(std::uint64_t));
  EXPECT_TRUE(sets.may_be_kept());
  const std::size_t room = sets.reads.capacity();
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), room) << "and stays";
  EXPECT_EQ(none.bytes(), 0);
}

// What a set has that reads as many keys, and no string.
std::int64_t room_of(std::uint64_t reads) {
  return static_cast<std::int64_t>(reads * sizeof(std::uint64_t) + std::string().capacity());
}

TEST(AccessSetsTest, MoreRoomIsSharedAndStaysAsLongAsItIsCounted) {
  SharedRoom room(room_of(4096));
  AccessSets sets(room);
  read(sets, 4096);
  EXPECT_TRUE(sets.may_be_kept());
  EXPECT_EQ(room.bytes(), room_of(4096));
  sets.clear();
  read(sets, 1);
  EXPECT_EQ(sets.reads.capacity(), 4096U);
  EXPECT_TRUE(sets.may_be_kept());
  EXPECT_EQ(room.bytes(), room_of(4096)) << "the same room, once";
}

TEST(AccessSetsTest, WithoutLeaveASetIsNotKeptAndGivesItsRoomBack) {
  SharedRoom room(room_of(512));
  AccessSets first(room);
  AccessSets second(room);
  read(first, 512);
  read(second, 512);
  EXPECT_TRUE(first.may_be_kept());
  EXPECT_FALSE(second.may_be_kept());
  EXPECT_EQ(room.bytes(), room_of(512));
  second.clear();
  EXPECT_EQ(second.reads.capacity(), 0U);
  read(first, 1024);
  EXPECT_FALSE(first.may_be_kept()) << "it has grown";
  first.clear();
  EXPECT_EQ(room.bytes(), 0);
  read(second, 512);
  EXPECT_TRUE(second.may_be_kept());
}

TEST(AccessSetsTest, APlacesLongListsDoNotStayEither) {
  const std::atomic<std::uint64_t> published{1};
  ConflictTracker tracker(LockOptions(), default_wait_hook(), published);
  Tracked& place = tracker.make_place();
  tracker.begin(place, false);
  place.written.resize(5000);
  place.overwriters.resize(5000);
  place.sets->has_rest = true;
  tracker.end(place, false);
  EXPECT_LT(place.written.capacity(), 20U);
  EXPECT_LT(place.overwriters.capacity(), 20U);
}

TEST(AccessSetsTest, WhatHasReadAllThatAnotherOneHasIsToldByEnds) {
  TrackedRanges table;
  TrackedRanges other;
  SharedRoom room(0);
  const auto has_read_all = [&](const char* lo, const char* hi, TrackedRanges& of) {
    AccessSets a(room);
    a.add_range(table, "b", "f");
    AccessSets b(room);
    b.add_range(of, lo, hi == nullptr ? std::nullopt : std::optional<std::string_view>(hi));
    return has_read_all_of(a, b);
  };
  EXPECT_TRUE(has_read_all("b", "f", table));
  EXPECT_TRUE(has_read_all("c", "e", table));
  EXPECT_FALSE(has_read_all("a", "f", table));
  EXPECT_FALSE(has_read_all("b", "g", table));
  EXPECT_FALSE(has_read_all("b", nullptr, table));
  EXPECT_FALSE(has_read_all("c", "e", other));
  AccessSets a(room);
  a.add_range(table, "", std::nullopt);
  AccessSets b(room);
  b.add_range(table, "b", std::nullopt);
  EXPECT_TRUE(has_read_all_of(a, b));
  EXPECT_FALSE(has_read_all_of(b, a));
  b.add_read(1);
  EXPECT_FALSE(has_read_all_of(a, b)) << "keys are not compared";
}

}  // namespace
}  // namespace isolith::locking
