// The page map's rules one by one: what is current, what belongs to the checkpoint, when a slot is free.
#include "pages/page_map.h"

#include <gtest/gtest.h>

namespace isolith::pages {
namespace {

Location write(PageMap& map, PageId id, std::uint32_t version) {
  const Location location{map.allocate_slot(), raw(id) * 1000 + version, version};
  map.set_current(id, location);
  return location;
}

TEST(PageMap, AnImageThatWasReplacedBetweenCheckpointsIsFree) {
  PageMap map;
  const PageId id = map.allocate_id();
  EXPECT_EQ(map.current(id), Location{});
  const Location first = write(map, id, 1);
  EXPECT_EQ(map.current(id), first);
  const Location second = write(map, id, 1);
  EXPECT_EQ(map.current(id), second);
  EXPECT_EQ(map.allocate_slot(), first.slot);
}

TEST(PageMap, APublishedImageStaysUntilTheNextPublication) {
  PageMap map;
  const PageId id = map.allocate_id();
  const Location published = write(map, id, 1);
  map.begin_checkpoint(2);
  map.publish_checkpoint({});
  const Location newer = write(map, id, 2);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 2);
  EXPECT_NE(map.allocate_slot(), published.slot);
  map.begin_checkpoint(3);
  EXPECT_EQ(map.image_for_checkpoint(id), newer);
  map.publish_checkpoint({});
  EXPECT_EQ(map.allocate_slot(), published.slot);
}

TEST(PageMap, ANewerImageKeepsTheOlderOneForTheCheckpoint) {
  PageMap map;
  const PageId id = map.allocate_id();
  const Location old = write(map, id, 1);
  map.begin_checkpoint(2);
  const Location newer = write(map, id, 2);
  EXPECT_EQ(map.image_for_checkpoint(id), old);
  EXPECT_EQ(map.current(id), newer);
  const Location newest = write(map, id, 2);
  EXPECT_EQ(map.image_for_checkpoint(id), old);
  EXPECT_EQ(map.current(id), newest);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 2) << "the one in between is free";
}

TEST(PageMap, AnOlderImageThatIsWrittenLateBelongsToTheCheckpoint) {
  PageMap map;
  const PageId id = map.allocate_id();
  write(map, id, 1);
  map.begin_checkpoint(2);
  const Location late = write(map, id, 1);
  EXPECT_EQ(map.image_for_checkpoint(id), late);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
}

TEST(PageMap, AnAnnouncedImageIsTheCheckpointsWhateverIsWrittenBefore) {
  PageMap map;
  const PageId id = map.allocate_id();
  write(map, id, 1);
  map.begin_checkpoint(2);
  map.announce_preserved(id);
  const Location newer = write(map, id, 2);
  EXPECT_EQ(map.image_for_checkpoint(id), Location{});
  const Location preserved{map.allocate_slot(), 7, 1};
  map.set_preserved(id, preserved);
  EXPECT_EQ(map.image_for_checkpoint(id), preserved);
  EXPECT_EQ(map.current(id), newer);
  map.publish_checkpoint({});
  EXPECT_EQ(map.current(id), newer);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 2);
  EXPECT_EQ(map.changed_chunks(), std::vector<std::uint32_t>{0})
      << "the newer image is of the next checkpoint";
}

TEST(PageMap, AnImageThatIsPreservedTooLateIsFree) {
  PageMap map;
  const PageId id = map.allocate_id();
  write(map, id, 1);
  map.begin_checkpoint(2);
  map.announce_preserved(id);
  const Location preserved{map.allocate_slot(), 7, 1};
  map.abandon_checkpoint({});
  map.set_preserved(id, preserved);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
  EXPECT_EQ(map.allocate_slot(), preserved.slot);
}

TEST(PageMap, AFreedPageStaysInTheCheckpointInProgress) {
  PageMap map;
  const PageId id = map.allocate_id();
  const Location old = write(map, id, 1);
  map.begin_checkpoint(2);
  map.free_id(id);
  EXPECT_FALSE(map.is_allocated(id));
  EXPECT_EQ(map.current(id), Location{});
  EXPECT_EQ(map.image_for_checkpoint(id), old);
  EXPECT_EQ(map.allocate_id(), id) << "freed ids come first";
  const Location newer = write(map, id, 2);
  EXPECT_EQ(map.image_for_checkpoint(id), old);
  map.publish_checkpoint({});
  map.begin_checkpoint(3);
  EXPECT_EQ(map.image_for_checkpoint(id), newer);
  map.publish_checkpoint({});
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
}

TEST(PageMap, AnIdForTheCheckpointInProgressIsOneThatItHasNoImageOf) {
  PageMap map;
  const PageId freed_before = map.allocate_id();
  const PageId freed_during = map.allocate_id();
  write(map, freed_before, 1);
  const Location kept = write(map, freed_during, 1);
  map.free_id(freed_before);
  map.begin_checkpoint(2);
  map.free_id(freed_during);
  const PageId own = map.allocate_checkpoint_id();
  EXPECT_EQ(own, freed_before) << "page ids do not run away";
  EXPECT_EQ(map.allocate_checkpoint_id(), PageId{3});
  const Location image = write(map, own, 1);
  EXPECT_EQ(map.image_for_checkpoint(own), image);
  EXPECT_EQ(map.image_for_checkpoint(freed_during), kept);
}

TEST(PageMap, AGivenUpCheckpointLeavesNothingBehind) {
  PageMap map;
  const PageId id = map.allocate_id();
  const Location published = write(map, id, 1);
  map.begin_checkpoint(2);
  map.publish_checkpoint({});
  write(map, id, 2);
  map.begin_checkpoint(3);
  const Location newer = write(map, id, 3);
  const SlotId map_slot = map.allocate_slot();
  map.abandon_checkpoint({map_slot});
  EXPECT_EQ(map.current(id), newer);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 2) << "the published image and the newest";
  EXPECT_EQ(map.changed_chunks(), std::vector<std::uint32_t>{0}) << "the next checkpoint has the changes";
  map.begin_checkpoint(4);
  EXPECT_EQ(map.image_for_checkpoint(id), newer);
  map.publish_checkpoint({});
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
  EXPECT_EQ(map.allocate_slot(), published.slot);
}

TEST(PageMap, AMovedImageKeepsItsOldPlaceUntilThePublication) {
  PageMap map;
  const SlotId gap = map.allocate_slot();
  const PageId id = map.allocate_id();
  const Location from = write(map, id, 1);
  map.release_slot(gap);
  map.begin_checkpoint(2);
  const Location to{map.allocate_slot(), from.crc, from.version};
  ASSERT_EQ(to.slot, gap);
  ASSERT_TRUE(map.move_checkpoint_image(id, from, to));
  EXPECT_EQ(map.current(id), to);
  EXPECT_EQ(map.image_for_checkpoint(id), to);
  EXPECT_EQ(map.slots_used(), kReservedSlots + 2);
  map.publish_checkpoint({});
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
  EXPECT_EQ(map.slot_end(), raw(gap) + 1);
}

TEST(PageMap, AnImageThatIsElsewhereByNowIsNotMoved) {
  PageMap map;
  const PageId id = map.allocate_id();
  const Location from = write(map, id, 1);
  map.begin_checkpoint(2);
  write(map, id, 1);
  const Location to{map.allocate_slot(), from.crc, from.version};
  EXPECT_FALSE(map.move_checkpoint_image(id, from, to));
  EXPECT_EQ(map.slots_used(), kReservedSlots + 1);
}

TEST(PageMap, OnlyChunksWithChangesAreWritten) {
  PageMap map;
  PageId id{};
  for (unsigned i = 0; i < 2 * kMapFanout; ++i) id = map.allocate_id();
  EXPECT_TRUE(map.changed_chunks().empty());
  write(map, PageId{kMapFanout}, 1);
  EXPECT_EQ(map.changed_chunks(), std::vector<std::uint32_t>{1});
  map.begin_checkpoint(2);
  write(map, id, 2);
  EXPECT_EQ(map.changed_chunks(), std::vector<std::uint32_t>{1}) << "what is newer is the next checkpoint's";
  map.publish_checkpoint({});
  EXPECT_EQ(map.changed_chunks(), std::vector<std::uint32_t>{2});
}

TEST(PageMap, RestoringRefusesSlotsThatAreTakenOrOutside) {
  PageMap map;
  EXPECT_TRUE(map.restore(PageId{3}, Location{SlotId{5}, 1, 1}, 10));
  EXPECT_FALSE(map.restore(PageId{4}, Location{SlotId{5}, 1, 1}, 10));
  EXPECT_FALSE(map.restore(PageId{4}, Location{SlotId{1}, 1, 1}, 10)) << "a header's place";
  EXPECT_FALSE(map.restore(PageId{4}, Location{SlotId{10}, 1, 1}, 10));
  EXPECT_FALSE(map.restore_map_slot(SlotId{5}, 10));
  EXPECT_TRUE(map.restore_map_slot(SlotId{6}, 10));
  map.restore_done(5);
  EXPECT_EQ(map.pages_in_use(), 1U);
  EXPECT_EQ(map.allocate_id(), PageId{1});
  EXPECT_EQ(map.allocate_id(), PageId{2});
  EXPECT_EQ(map.allocate_id(), PageId{4});
  EXPECT_EQ(map.allocate_id(), PageId{5});
}

}  // namespace
}  // namespace isolith::pages
