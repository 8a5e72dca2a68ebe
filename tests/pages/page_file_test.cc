// The data file: what was published comes back, and what was not does not.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/pages/pages_test_support.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

void expect_page(PageFile& file, PageId id, std::uint64_t stamp) {
  PageBytes page{};
  Status failure;
  ASSERT_EQ(file.read(id, page.data(), failure), ReadOutcome::ok) << failure.to_string();
  EXPECT_TRUE(holds(page.data(), id, stamp)) << "page " << raw(id);
}

TEST(PageFile, AnEmptyFileOpensAgain) {
  base::SimulatedDisk disk(false);
  create_file(disk);
  const auto file = open_file(disk);
  EXPECT_EQ(file->header().database_id, kDatabaseId);
  EXPECT_EQ(file->header().number, 1U);
  EXPECT_TRUE(file->header().clean);
  EXPECT_EQ(file->map().pages_in_use(), 0U);
}

TEST(PageFile, ThePublishedImagesComeBackAndLaterOnesDoNot) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  const PageId first = file->map().allocate_id();
  const PageId second = file->map().allocate_id();
  ASSERT_TRUE(file->write(first, make_page(first, 1, 10).data()).ok());
  ASSERT_TRUE(file->write(second, make_page(second, 1, 20).data()).ok());
  ASSERT_TRUE(checkpoint(*file).ok());
  ASSERT_TRUE(file->write(first, make_page(first, 2, 11).data()).ok());
  file->map().free_id(second);
  PageBytes page{};
  Status failure;
  EXPECT_EQ(file->read(second, page.data(), failure), ReadOutcome::missing);
  expect_page(*file, first, 11);
  const auto reopened = open_file(disk);
  expect_page(*reopened, first, 10);
  expect_page(*reopened, second, 20);
}

TEST(PageFile, AMapOfThreeLevelsComesBack) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  const std::uint32_t ids = kMapFanout * kMapFanout + 5;
  for (std::uint32_t i = 1; i <= ids; ++i) file->map().allocate_id();
  const std::uint32_t kept[] = {1, kMapFanout - 1, kMapFanout, 300000, ids - 1, ids};
  for (const std::uint32_t id : kept) {
    ASSERT_TRUE(file->write(PageId{id}, make_page(PageId{id}, 1, id).data()).ok());
  }
  ASSERT_TRUE(checkpoint(*file).ok());
  EXPECT_EQ(file->header().map_levels, 3U);
  ASSERT_TRUE(file->write(PageId{300001}, make_page(PageId{300001}, 2, 5).data()).ok());
  ASSERT_TRUE(checkpoint(*file).ok());
  const auto reopened = open_file(disk);
  for (const std::uint32_t id : kept) expect_page(*reopened, PageId{id}, id);
  expect_page(*reopened, PageId{300001}, 5);
  EXPECT_EQ(reopened->map().pages_in_use(), 7U);
  EXPECT_EQ(reopened->map().slots_used(), file->map().slots_used());
}

// Both headers in turn, against a model of the last published checkpoint, with some given up for a full disk.
TEST(PageFile, TheLastPublishedCheckpointIsWhatOpens) {
  base::Random random(testing::test_seed());
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  std::vector<std::uint64_t> now{0};
  std::vector<std::uint64_t> published{0};
  std::uint64_t stamp = 0;
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t version = file->header().number + std::uint64_t{1};
    for (int i = 0; i < 40; ++i) {
      if (now.size() < 1000) {
        EXPECT_EQ(file->map().allocate_id(), PageId{static_cast<std::uint32_t>(now.size())});
        now.push_back(0);
      }
      const PageId id{static_cast<std::uint32_t>(1 + random.below(now.size() - 1))};
      now[raw(id)] = ++stamp;
      ASSERT_TRUE(file->write(id, make_page(id, version - 1, stamp).data()).ok());
    }
    if (random.chance(1, 3)) {
      disk.fail_call(random.below(2), base::Fault::no_space);
      EXPECT_FALSE(checkpoint(*file).ok() && disk.fault_happened());
      disk.clear_faults();
      if (!file->health().ok()) break;
      if (file->header().number + 1 == version) file->abandon_checkpoint();
    } else {
      ASSERT_TRUE(checkpoint(*file).ok());
    }
    if (file->header().number == version) published = now;
    const auto reopened = open_file(disk);
    ASSERT_NE(reopened, nullptr);
    for (std::uint32_t id = 1; id < published.size(); ++id) {
      if (published[id] != 0) expect_page(*reopened, PageId{id}, published[id]);
    }
    std::vector<std::string> problems;
    reopened->verify_images(problems);
    EXPECT_TRUE(problems.empty()) << problems.front();
    if (HasFailure()) return;
  }
}

TEST(PageFile, MovingTheTailLetsTheFileShrink) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    ASSERT_EQ(file->map().allocate_id(), PageId{id});
    ASSERT_TRUE(file->write(PageId{id}, make_page(PageId{id}, 1, id).data()).ok());
  }
  ASSERT_TRUE(checkpoint(*file).ok());
  for (std::uint32_t id = 1; id <= 900; ++id) file->map().free_id(PageId{id});
  ASSERT_TRUE(checkpoint(*file).ok());
  for (int i = 0; i < 4; ++i) {
    CheckpointHeader header = file->header();
    file->map().begin_checkpoint(++header.number);
    ASSERT_TRUE(file->move_tail(60).ok());
    ASSERT_TRUE(file->prepare_checkpoint(header, file->map().id_count()).ok());
    ASSERT_TRUE(file->publish_checkpoint(header).ok());
    ASSERT_TRUE(file->shrink().ok());
    for (std::uint32_t id = 901; id <= 1000; ++id) expect_page(*file, PageId{id}, id);
  }
  EXPECT_LT(file->file_bytes(), 130 * kPageBytes);
  const auto reopened = open_file(disk);
  for (std::uint32_t id = 901; id <= 1000; ++id) expect_page(*reopened, PageId{id}, id);
}

TEST(PageFile, MovingTheTailLeavesAnImageThatCannotBeRead) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  for (std::uint32_t id = 1; id <= 10; ++id) {
    ASSERT_EQ(file->map().allocate_id(), PageId{id});
    ASSERT_TRUE(file->write(PageId{id}, make_page(PageId{id}, 1, id).data()).ok());
  }
  ASSERT_TRUE(checkpoint(*file).ok());
  for (std::uint32_t id = 1; id <= 8; ++id) file->map().free_id(PageId{id});
  ASSERT_TRUE(checkpoint(*file).ok());
  const Location rotten = file->map().current(PageId{10});
  const Location good = file->map().current(PageId{9});
  flip(disk, offset_of(rotten.slot) + 100);
  CheckpointHeader header = file->header();
  file->map().begin_checkpoint(++header.number);
  ASSERT_TRUE(file->move_tail(60).ok());
  ASSERT_TRUE(file->prepare_checkpoint(header, file->map().id_count()).ok());
  ASSERT_TRUE(file->publish_checkpoint(header).ok());
  EXPECT_EQ(file->map().current(PageId{10}), rotten);
  EXPECT_NE(file->map().current(PageId{9}), good);
  expect_page(*file, PageId{9}, 9);
}

TEST(PageFile, AfterAFailedSyncNothingIsWrittenAnyMore) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  const PageId id = file->map().allocate_id();
  ASSERT_TRUE(file->write(id, make_page(id, 1, 1).data()).ok());
  disk.fail_call(0, base::Fault::sync_error);
  EXPECT_TRUE(checkpoint(*file).is(StatusCode::io_error));
  file->abandon_checkpoint();
  EXPECT_TRUE(file->health().is(StatusCode::read_only));
  const std::uint64_t changes = disk.change_count();
  EXPECT_TRUE(file->write(id, make_page(id, 2, 2).data()).is(StatusCode::read_only));
  EXPECT_FALSE(checkpoint(*file).ok());
  EXPECT_EQ(disk.change_count(), changes);
  expect_page(*file, id, 1);
}

}  // namespace
}  // namespace isolith::pages
