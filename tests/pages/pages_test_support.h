// What the tests of the data file share: pages with known contents, a file on a simulated disk, and whole
// checkpoints.
//
// Threads: as what it wraps.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/simulated_disk.h"
#include "pages/page_cache.h"
#include "pages/page_file.h"

namespace isolith::pages {

inline constexpr char kPath[] = "data";
inline constexpr std::uint64_t kDatabaseId = 0x1122334455667788;

using PageBytes = std::array<char, kPageBytes>;

// The payload of a page: `stamp` all over, mixed with the page's id, so that a torn or foreign page shows.
inline std::uint64_t word_of(PageId id, std::uint64_t stamp) { return stamp << 24 ^ raw(id); }
inline void fill(char* page, PageId id, std::uint64_t stamp) {
  for (std::size_t at = kPageHeaderBytes; at < kPageBytes; at += 8)
    base::store(page + at, word_of(id, stamp));
}
inline bool holds(const char* page, PageId id, std::uint64_t stamp) {
  for (std::size_t at = kPageHeaderBytes; at < kPageBytes; at += 8) {
    if (base::load<std::uint64_t>(page + at) != word_of(id, stamp)) return false;
  }
  return true;
}

inline PageBytes make_page(PageId id, std::uint64_t version, std::uint64_t stamp) {
  PageBytes page{};
  base::store(page.data(), PageHeader{version, id, PageKind::leaf, 0, 0});
  fill(page.data(), id, stamp);
  return page;
}

inline std::unique_ptr<PageFile> create_file(base::FileSystem& disk) {
  auto file = PageFile::create(disk, kPath, kDatabaseId);
  EXPECT_TRUE(file.ok()) << file.status().to_string();
  return *std::move(file);
}

inline std::unique_ptr<PageFile> open_file(base::FileSystem& disk) {
  auto file = PageFile::open(disk, kPath, true);
  EXPECT_TRUE(file.ok()) << file.status().to_string();
  return file.ok() ? *std::move(file) : nullptr;
}

// Pages that were written through `file` itself.
inline Status checkpoint(PageFile& file) {
  CheckpointHeader header = file.header();
  file.map().begin_checkpoint(++header.number);
  TRY(file.prepare_checkpoint(header, file.map().id_count()));
  return file.publish_checkpoint(header);
}

// The steps behind the instant.
inline Status finish_checkpoint(PageCache& cache, std::uint32_t number) {
  PageFile& file = cache.file();
  CheckpointHeader header = file.header();
  header.number = number;
  const auto write = [&]() -> Status {
    TRY(cache.write_checkpoint_pages());
    TRY(file.move_tail(64));
    TRY(file.prepare_checkpoint(header, file.map().id_count()));
    return file.publish_checkpoint(header);
  };
  const Status status = write();
  cache.end_checkpoint();
  if (!status.ok()) file.abandon_checkpoint();
  return status;
}

inline Status checkpoint(PageCache& cache) { return finish_checkpoint(cache, cache.begin_checkpoint()); }

inline std::string read_bytes(base::FileSystem& disk, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const auto file = disk.open(kPath, base::OpenMode::read_only);
  EXPECT_TRUE(file.ok());
  bytes.resize(*(*file)->read_at(offset, bytes.data(), size));
  return bytes;
}

inline void write_bytes(base::FileSystem& disk, std::uint64_t offset, const std::string& bytes) {
  const auto file = disk.open(kPath, base::OpenMode::read_write);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write_at(offset, bytes.data(), bytes.size()).ok());
}

inline void flip(base::FileSystem& disk, std::uint64_t offset) {
  std::string byte = read_bytes(disk, offset, 1);
  ASSERT_EQ(byte.size(), 1U);
  byte[0] = static_cast<char>(byte[0] ^ 0x10);
  write_bytes(disk, offset, byte);
}

inline std::uint64_t offset_of(SlotId slot) { return std::uint64_t{raw(slot)} * kPageBytes; }

}  // namespace isolith::pages
