// The slot allocator: the lowest free slot first, none twice, and the end that can be cut off.
#include "pages/slot_allocator.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

TEST(SlotAllocator, GivesTheLowestFreeSlotBehindTheReservedOnes) {
  SlotAllocator slots(2);
  for (std::uint32_t i = 2; i < 200; ++i) EXPECT_EQ(slots.allocate(), SlotId{i});
  slots.release(SlotId{150});
  slots.release(SlotId{64});
  EXPECT_EQ(slots.allocate(), SlotId{64});
  EXPECT_EQ(slots.allocate(), SlotId{150});
  EXPECT_EQ(slots.allocate(), SlotId{200});
}

TEST(SlotAllocator, MarksASlotOnce) {
  SlotAllocator slots(2);
  EXPECT_FALSE(slots.mark(SlotId{1}));
  EXPECT_TRUE(slots.mark(SlotId{1000}));
  EXPECT_FALSE(slots.mark(SlotId{1000}));
  EXPECT_EQ(slots.end(), 1001U);
  EXPECT_EQ(slots.used(), 3U);
  EXPECT_EQ(slots.allocate(), SlotId{2});
}

TEST(SlotAllocator, TheEndFollowsTheHighestSlotInUse) {
  SlotAllocator slots(2);
  for (int i = 0; i < 130; ++i) slots.allocate();
  EXPECT_EQ(slots.end(), 132U);
  slots.release(SlotId{130});
  EXPECT_EQ(slots.end(), 132U);
  slots.release(SlotId{131});
  EXPECT_EQ(slots.end(), 130U);
  for (std::uint32_t i = 2; i < 130; ++i) slots.release(SlotId{i});
  EXPECT_EQ(slots.end(), 2U);
  EXPECT_EQ(slots.used(), 2U);
}

TEST(SlotAllocator, AgreesWithASetUnderRandomUse) {
  base::Random random(testing::test_seed());
  SlotAllocator slots(2);
  std::set<std::uint32_t> used{0, 1};
  for (int step = 0; step < 20000; ++step) {
    if (random.chance(step / 5000 % 2 == 0 ? 60 : 40, 100)) {
      std::uint32_t lowest = 0;
      while (used.count(lowest) != 0) ++lowest;
      ASSERT_EQ(slots.allocate(), SlotId{lowest});
      used.insert(lowest);
    } else if (used.size() > 2) {
      const auto at = std::next(used.begin(), static_cast<std::ptrdiff_t>(2 + random.below(used.size() - 2)));
      slots.release(SlotId{*at});
      used.erase(at);
    }
    ASSERT_EQ(slots.end(), *used.rbegin() + 1);
    ASSERT_EQ(slots.used(), used.size());
  }
}

TEST(SlotAllocatorDeathTest, FreeingASlotTwiceEndsTheProcess) {
  SlotAllocator slots(2);
  const SlotId slot = slots.allocate();
  slots.release(slot);
  EXPECT_DEATH(slots.release(slot), "a slot is freed once");
}

}  // namespace
}  // namespace isolith::pages
