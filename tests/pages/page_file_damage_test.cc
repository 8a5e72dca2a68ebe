// Damage to the data file is reported with file, offset and what was expected; nothing wrong is ever read.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/pages/pages_test_support.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

constexpr std::uint32_t kPages = 50;

// A file with kPages pages in a first and a second checkpoint: header 2 in slot 0, header 3 in slot 1.
std::unique_ptr<PageFile> make_file(base::FileSystem& disk) {
  auto file = create_file(disk);
  for (std::uint32_t stamp = 1; stamp <= 2; ++stamp) {
    for (std::uint32_t i = 1; i <= kPages; ++i) {
      const PageId id = stamp == 1 ? file->map().allocate_id() : PageId{i};
      EXPECT_TRUE(file->write(id, make_page(id, stamp, stamp).data()).ok());
    }
    EXPECT_TRUE(checkpoint(*file).ok());
  }
  return file;
}

Status open_status(base::FileSystem& disk) { return PageFile::open(disk, kPath, true).status(); }

void expect_names(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_TRUE(status.is(code)) << status.to_string();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.to_string();
  EXPECT_NE(status.message().find(kPath), std::string::npos) << status.to_string();
}

TEST(PageFileDamage, AFlippedBitInAPageIsReportedWithItsOffset) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 100; ++round) {
    base::SimulatedDisk disk(false);
    const auto file = make_file(disk);
    const PageId id{static_cast<std::uint32_t>(1 + random.below(kPages))};
    const std::uint64_t offset = offset_of(file->map().current(id).slot);
    flip(disk, offset + random.below(kPageBytes));
    PageBytes page{};
    Status failure;
    ASSERT_EQ(open_file(disk)->read(id, page.data(), failure), ReadOutcome::failed);
    expect_names(failure, StatusCode::corruption, "offset " + std::to_string(offset));
    std::vector<std::string> problems;
    file->verify_images(problems);
    EXPECT_EQ(problems.size(), 1U);
  }
}

TEST(PageFileDamage, SwappedPagesAreSeen) {
  base::SimulatedDisk disk(false);
  const auto file = make_file(disk);
  const std::uint64_t first = offset_of(file->map().current(PageId{3}).slot);
  const std::uint64_t second = offset_of(file->map().current(PageId{4}).slot);
  const std::string bytes = read_bytes(disk, first, kPageBytes);
  write_bytes(disk, first, read_bytes(disk, second, kPageBytes));
  write_bytes(disk, second, bytes);
  PageBytes page{};
  Status failure;
  EXPECT_EQ(file->read(PageId{3}, page.data(), failure), ReadOutcome::failed);
  EXPECT_EQ(file->read(PageId{4}, page.data(), failure), ReadOutcome::failed);
  expect_names(failure, StatusCode::corruption, "page 4");
}

TEST(PageFileDamage, AnOlderImageInAPagesPlaceIsSeen) {
  base::SimulatedDisk disk(false);
  const auto file = make_file(disk);
  const PageBytes older = make_page(PageId{3}, 1, 1);
  write_bytes(disk, offset_of(file->map().current(PageId{3}).slot), std::string(older.data(), older.size()));
  PageBytes page{};
  Status failure;
  EXPECT_EQ(file->read(PageId{3}, page.data(), failure), ReadOutcome::failed);
}

TEST(PageFileDamage, APageUnderAnotherIdIsSeen) {
  base::SimulatedDisk disk(false);
  const auto file = make_file(disk);
  ASSERT_TRUE(file->write(PageId{3}, make_page(PageId{9}, 3, 3).data()).ok());
  PageBytes page{};
  Status failure;
  EXPECT_EQ(file->read(PageId{3}, page.data(), failure), ReadOutcome::failed);
  expect_names(failure, StatusCode::corruption, "expected page 3, found 9");
}

TEST(PageFileDamage, ACutShortFileIsRefused) {
  base::SimulatedDisk disk(false);
  const auto made = make_file(disk);
  ASSERT_TRUE(made->write(PageId{1}, make_page(PageId{1}, 3, 3).data()).ok());
  ASSERT_TRUE(checkpoint(*made).ok());
  const std::uint64_t slots = made->map().slot_end();
  ASSERT_LT(raw(made->header().map_root.slot), slots - 10) << "pages, not the map, are at the end";
  const auto file = disk.open(kPath, base::OpenMode::read_write);
  ASSERT_TRUE((*file)->truncate(slots * kPageBytes).ok());
  EXPECT_TRUE(open_status(disk).ok());
  for (std::uint64_t size = slots * kPageBytes - 1; size > 2 * kPageBytes; size -= 5000) {
    ASSERT_TRUE((*file)->truncate(size).ok());
    const Status status = open_status(disk);
    ASSERT_TRUE(status.is(StatusCode::corruption)) << size << ": " << status.to_string();
    if (size < 5000) break;
  }
}

TEST(PageFileDamage, AFlippedBitInTheMapIsSeen) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 50; ++round) {
    base::SimulatedDisk disk(false);
    const auto file = make_file(disk);
    flip(disk, offset_of(file->header().map_root.slot) + random.below(kPageBytes));
    expect_names(open_status(disk), StatusCode::corruption, "checksum expected");
  }
}

TEST(PageFileDamage, ATornNewestHeaderGivesTheOlderCheckpoint) {
  base::SimulatedDisk disk(false);
  ASSERT_EQ(make_file(disk)->header().number, 3U);
  flip(disk, kPageBytes + 30);
  const auto file = open_file(disk);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->header().number, 2U);
  PageBytes page{};
  Status failure;
  for (std::uint32_t id = 1; id <= kPages; ++id) {
    ASSERT_EQ(file->read(PageId{id}, page.data(), failure), ReadOutcome::ok) << failure.to_string();
    EXPECT_TRUE(holds(page.data(), PageId{id}, 1));
  }
}

TEST(PageFileDamage, TheOlderHeaderMayBeDamaged) {
  base::SimulatedDisk disk(false);
  make_file(disk);
  flip(disk, 40);
  EXPECT_EQ(open_file(disk)->header().number, 3U);
}

TEST(PageFileDamage, BothHeadersDamagedIsCorruption) {
  base::SimulatedDisk disk(false);
  make_file(disk);
  flip(disk, 40);
  flip(disk, kPageBytes + 40);
  expect_names(open_status(disk), StatusCode::corruption, "found none");
}

TEST(PageFileDamage, AnotherFormatVersionIsNamed) {
  base::SimulatedDisk disk(false);
  make_file(disk);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{kPageBytes}}) {
    write_bytes(disk, offset + 8, std::string("\x09\0\0\0", 4));
  }
  expect_names(open_status(disk), StatusCode::invalid_argument, "format version 9");
}

TEST(PageFileDamage, AForeignFileIsRefused) {
  base::SimulatedDisk disk(false);
  make_file(disk);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{kPageBytes}})
    write_bytes(disk, offset, "SQLite");
  expect_names(open_status(disk), StatusCode::invalid_argument, "not an isolith data file");
}

TEST(PageFileDamage, AFileThatWasNeverFinishedIsNotFound) {
  base::SimulatedDisk disk(false);
  const auto file = disk.open(kPath, base::OpenMode::create);
  EXPECT_TRUE(open_status(disk).is(StatusCode::not_found));
  ASSERT_TRUE((*file)->truncate(2 * kPageBytes).ok());
  EXPECT_TRUE(open_status(disk).is(StatusCode::not_found));
  ASSERT_TRUE((*file)->truncate(5 * kPageBytes).ok());
  EXPECT_TRUE(open_status(disk).is(StatusCode::corruption));
}

}  // namespace
}  // namespace isolith::pages
