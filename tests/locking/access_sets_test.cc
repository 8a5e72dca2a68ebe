// AccessSets: what is kept of one transaction for the next; and what else a place keeps.
#include "locking/access_sets.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "isolith/wait_hook.h"
#include "locking/conflict_tracker.h"
#include "locking/tracked_ranges.h"

namespace isolith::locking {
namespace {

void read(AccessSets& sets, std::uint64_t keys) {
  for (std::uint64_t i = 0; i < keys; ++i) sets.add_read(i);
}

// What a set has that reads as many keys, and no string.
std::int64_t room_of(std::uint64_t reads) {
  return static_cast<std::int64_t>(reads * sizeof(std::uint64_t) + std::string().capacity());
}

bool is_claimed(AccessSets& sets) {
  if (sets.is_roomy()) sets.claim_room();
  return !sets.is_refused;
}

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
  EXPECT_FALSE(is_claimed(sets));
  EXPECT_EQ(room.bytes(), 0);
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), 0U);
  EXPECT_EQ(sets.writes.capacity(), 0U);
  EXPECT_EQ(sets.ranges.capacity(), 0U);
  EXPECT_LT(sets.key_bytes.capacity(), 100U);
  EXPECT_FALSE(sets.has_rest);
}

TEST(AccessSetsTest, ALittleRoomIsTheSetsOwn) {
  SharedRoom none(0);
  AccessSets sets(none);
  read(sets, AccessSets::kOwnRoom / sizeof(std::uint64_t));
  EXPECT_FALSE(sets.is_roomy());
  EXPECT_TRUE(is_claimed(sets));
  const std::size_t room = sets.reads.capacity();
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), room) << "and stays";
  EXPECT_EQ(none.bytes(), 0);
}

TEST(AccessSetsTest, MoreRoomIsSharedAndStaysAsLongAsItIsOfUse) {
  SharedRoom room(room_of(4096));
  AccessSets sets(room);
  read(sets, 4096);
  EXPECT_TRUE(is_claimed(sets));
  EXPECT_EQ(room.bytes(), room_of(4096));
  sets.clear();
  read(sets, 1100);
  EXPECT_EQ(sets.reads.capacity(), 4096U);
  EXPECT_TRUE(is_claimed(sets));
  EXPECT_EQ(room.bytes(), room_of(4096)) << "the same room, once";
  sets.clear();
  read(sets, 1);
  EXPECT_TRUE(is_claimed(sets));
  sets.clear();
  EXPECT_EQ(sets.reads.capacity(), 0U);
  EXPECT_EQ(room.bytes(), 0);
}

TEST(AccessSetsTest, ASetThatIsRefusedGivesItsRoomBack) {
  SharedRoom room(room_of(512));
  AccessSets first(room);
  AccessSets second(room);
  read(first, 512);
  read(second, 512);
  EXPECT_TRUE(is_claimed(first));
  EXPECT_FALSE(is_claimed(second));
  EXPECT_EQ(room.bytes(), room_of(512));
  second.clear();
  EXPECT_EQ(second.reads.capacity(), 0U);
  read(first, 1024);
  EXPECT_FALSE(is_claimed(first)) << "it has grown";
  first.clear();
  EXPECT_EQ(room.bytes(), 0);
  read(second, 512);
  EXPECT_TRUE(is_claimed(second));
}

// As by widening.
TEST(AccessSetsTest, RoomThatASetDoesNotHaveAnyMoreIsGivenBack) {
  SharedRoom room(room_of(512));
  AccessSets sets(room);
  read(sets, 512);
  EXPECT_TRUE(is_claimed(sets));
  sets.clear();
  (void)std::exchange(sets.reads, {});
  EXPECT_TRUE(is_claimed(sets));
  EXPECT_EQ(room.bytes(), 0);
  read(sets, 512);
  EXPECT_TRUE(is_claimed(sets));
  (void)std::exchange(sets.reads, {});
  sets.clear();
  EXPECT_EQ(room.bytes(), 0);
}

class PlaceTest : public ::testing::Test {
 protected:
  const std::atomic<std::uint64_t> published_{1};
  ConflictTracker tracker_{LockOptions(), default_wait_hook(), published_};
  Tracked& place_ = tracker_.make_place();
  TrackedRanges table_;
};

TEST_F(PlaceTest, RoomOfOneThatIsRolledBackIsCountedUntilItIsNotOfUse) {
  tracker_.begin(place_, false);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const std::string lo = std::to_string(i);
    tracker_.enter_range(place_, table_, lo, lo + "a");
    tracker_.enter_key(place_, i, table_);
  }
  tracker_.end(place_, false);
  const AccessSets& sets = *place_.sets;
  EXPECT_GE(tracker_.bytes() + 4096, sets.ranges.capacity() * sizeof(ReadRange) + sets.reads.capacity() * 8 +
                                         sets.key_bytes.capacity());
  EXPECT_GT(tracker_.bytes(), 100'000U);
  tracker_.begin(place_, false);
  tracker_.end(place_, false);
  EXPECT_EQ(sets.ranges.capacity(), 0U);
  EXPECT_EQ(sets.reads.capacity(), 0U);
  EXPECT_LT(sets.key_bytes.capacity(), 100U);
  EXPECT_LE(tracker_.bytes(), 4096U);
}

TEST_F(PlaceTest, WhatAWidenedOneReadsOfTheSameTablesCostsNothing) {
  LockOptions options;
  options.tracking_bytes = 1000;
  ConflictTracker tracker(options, default_wait_hook(), published_);
  std::array<TrackedRanges, 10> tables;
  Tracked& place = tracker.make_place();
  tracker.begin(place, false);
  const auto read_some = [&] {
    for (std::uint64_t i = 0; i < 1000; ++i) {
      tracker.enter_key(place, i, tables[i % 10]);
      tracker.enter_range(place, tables[i % 10], std::to_string(i), std::nullopt);
    }
  };
  read_some();
  const std::uint64_t widened = tracker.widened();
  EXPECT_GT(widened, 0U);
  read_some();
  EXPECT_EQ(tracker.widened(), widened);
  EXPECT_EQ(place.sets->ranges.size(), tables.size());
  EXPECT_LE(tracker.bytes(), 1000U);
  tracker.end(place, false);
}

TEST_F(PlaceTest, ALongListOfThoseWhoseVersionsWereMetDoesNotStay) {
  tracker_.begin(place_, false);
  for (std::uint64_t i = 1; i <= 1000; ++i) ConflictTracker::read_under(place_, TransactionId{i}, i);
  ASSERT_EQ(place_.overwriters.size(), 1000U);
  tracker_.end(place_, false);
  EXPECT_LT(place_.overwriters.capacity(), 20U);
}

TEST_F(PlaceTest, ALongListOfWrittenKeysDoesNotStay) {
  tracker_.begin(place_, false);
  AccessSets& sets = *place_.sets;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    tracker_.enter_key(place_, i, table_);
    sets.add_write(i, table_, TableId{1}, std::to_string(i));
  }
  sets.finish();
  MetReaders readers;
  tracker_.find_readers(sets, place_, readers);
  ASSERT_EQ(place_.written.size(), 1000U);
  tracker_.end(place_, false);
  EXPECT_LT(place_.written.capacity(), 20U);
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
