// The cache far smaller than its pages: eviction keeps contents and the budget, alone and with many threads.
#include "pages/page_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"
#include "pages/guards.h"
#include "tests/pages/pages_test_support.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

struct Fixture {
  Fixture() : file(create_file(disk)), cache(*PageCache::create(*file, kCacheBytesMin)) {}

  PageId make_page(std::uint64_t stamp) const {
    ExclusiveGuard guard;
    EXPECT_TRUE(ExclusiveGuard::allocate(*cache, PageKind::leaf, guard).ok());
    fill(guard.edit(), guard.id(), stamp);
    return guard.id();
  }
  void change(PageId id, std::uint64_t stamp) const {
    ExclusiveGuard guard;
    Status failure;
    ASSERT_EQ(ExclusiveGuard::acquire(*cache, id, guard, failure), Step::ok) << failure.to_string();
    fill(guard.edit(), id, stamp);
  }
  [[nodiscard]] bool has(PageId id, std::uint64_t stamp) const {
    SharedGuard guard;
    Status failure;
    return SharedGuard::acquire(*cache, id, guard, failure) == Step::ok && holds(guard.bytes(), id, stamp);
  }

  base::SimulatedDisk disk{false};
  std::unique_ptr<PageFile> file;
  std::unique_ptr<PageCache> cache;
};

TEST(PageCache, ManyPagesGoThroughFewFrames) {
  const Fixture fixture;
  base::Random random(testing::test_seed());
  std::vector<std::uint64_t> stamps{0};
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    ASSERT_EQ(fixture.make_page(i), PageId{static_cast<std::uint32_t>(i)});
    stamps.push_back(i);
  }
  for (std::uint64_t step = 0; step < 20000; ++step) {
    const PageId id{static_cast<std::uint32_t>(1 + random.below(2000))};
    ASSERT_TRUE(fixture.has(id, stamps[raw(id)])) << "page " << raw(id);
    if (!random.chance(1, 3)) continue;
    stamps[raw(id)] = 10000 + step;
    fixture.change(id, stamps[raw(id)]);
  }
  const CacheStats stats = fixture.cache->stats();
  EXPECT_EQ(stats.frames, kCacheBytesMin / kPageBytes);
  EXPECT_LE(stats.cached_pages, stats.frames);
  EXPECT_LE(stats.dirty_pages, stats.cached_pages);
  EXPECT_GT(fixture.file->reads(), 2000U);
  EXPECT_GT(fixture.file->writes(), 2000U);
}

TEST(PageCache, NoDirtyPageIsLeftBehindByACheckpoint) {
  const Fixture fixture;
  for (std::uint64_t i = 1; i <= 100; ++i) fixture.make_page(i);
  EXPECT_EQ(fixture.cache->stats().dirty_pages, 100U);
  ASSERT_TRUE(checkpoint(*fixture.cache).ok());
  EXPECT_EQ(fixture.cache->stats().dirty_pages, 0U);
  EXPECT_EQ(fixture.cache->stats().cached_pages, 100U);
  fixture.change(PageId{7}, 1000);
  EXPECT_EQ(fixture.cache->stats().dirty_pages, 1U);
  const std::uint64_t writes = fixture.file->writes();
  ASSERT_TRUE(checkpoint(*fixture.cache).ok());
  EXPECT_EQ(fixture.file->writes(), writes + 2) << "the page and one page of the map";
}

TEST(PageCache, AFreedPagesFrameAndIdAreUsedAgain) {
  const Fixture fixture;
  for (std::uint64_t i = 1; i <= 100; ++i) fixture.make_page(i);
  {
    ExclusiveGuard guard;
    Status failure;
    ASSERT_EQ(ExclusiveGuard::acquire(*fixture.cache, PageId{50}, guard, failure), Step::ok);
    guard.free_page();
    EXPECT_FALSE(guard.held());
  }
  EXPECT_EQ(fixture.cache->stats().cached_pages, 99U);
  EXPECT_EQ(fixture.cache->stats().dirty_pages, 99U);
  SharedGuard shared;
  Status failure;
  EXPECT_EQ(SharedGuard::acquire(*fixture.cache, PageId{50}, shared, failure), Step::restart);
  ExclusiveGuard guard;
  ASSERT_TRUE(ExclusiveGuard::allocate(*fixture.cache, PageKind::inner, guard).ok());
  EXPECT_EQ(guard.id(), PageId{50});
  const auto header = base::load<PageHeader>(guard.bytes());
  EXPECT_EQ(header.id, PageId{50});
  EXPECT_EQ(header.kind, PageKind::inner);
  for (std::size_t at = kPageHeaderBytes; at < kPageBytes; ++at) ASSERT_EQ(guard.bytes()[at], 0) << at;
}

TEST(PageCache, AFullDiskIsReportedAndPasses) {
  Fixture fixture;
  for (std::uint64_t i = 1; i <= 128; ++i) fixture.make_page(i);
  fixture.disk.set_capacity(3 * kPageBytes);
  Status failure;
  for (int i = 0; i < 3 && failure.ok(); ++i) {
    ExclusiveGuard guard;
    failure = ExclusiveGuard::allocate(*fixture.cache, PageKind::leaf, guard);
  }
  EXPECT_TRUE(failure.is(StatusCode::no_space)) << failure.to_string();
  fixture.disk.set_capacity(0);
  for (std::uint64_t i = 1; i <= 300; ++i) fixture.make_page(1000 + i);
  for (std::uint32_t i = 1; i <= 128; ++i) EXPECT_TRUE(fixture.has(PageId{i}, i)) << i;
}

TEST(PageCache, ADamagedPageFailsAgainAndAgainAndCostsNoFrame) {
  Fixture fixture;
  for (std::uint64_t i = 1; i <= 1000; ++i) fixture.make_page(i);
  std::uint32_t id = 1;
  while (LatchWord::state(fixture.cache->table()[PageId{id}].latch.load()) != LatchWord::kEvicted) ++id;
  flip(fixture.disk, offset_of(fixture.file->map().current(PageId{id}).slot) + 100);
  for (int i = 0; i < 1000; ++i) {
    SharedGuard guard;
    Status failure;
    ASSERT_EQ(SharedGuard::acquire(*fixture.cache, PageId{id}, guard, failure), Step::failed);
    ASSERT_TRUE(failure.is(StatusCode::corruption));
  }
  for (std::uint32_t i = 1; i <= 1000; ++i) EXPECT_TRUE(i == id || fixture.has(PageId{i}, i));
}

// Each thread has pages that it alone changes, and reads everybody's: a page is always of one moment and
// never older than what its owner had finished before.
TEST(PageCache, ThreadsShareFewFrames) {
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kPages = 400;
  const Fixture fixture;
  for (std::uint32_t i = 1; i <= kPages; ++i) fixture.make_page(0);
  std::vector<std::atomic<std::uint64_t>> done(kPages + 1);
  std::atomic<int> wrong{0};
  const auto work = [&](std::uint32_t self) {
    base::Random random(testing::test_seed() + self);
    for (std::uint64_t step = 1; step <= 8000; ++step) {
      const PageId id{static_cast<std::uint32_t>(1 + random.below(kPages))};
      Status failure;
      if (raw(id) % kThreads == self) {
        ExclusiveGuard guard;
        if (ExclusiveGuard::acquire(*fixture.cache, id, guard, failure) != Step::ok) ++wrong;
        if (!holds(guard.bytes(), id, done[raw(id)].load())) ++wrong;
        fill(guard.edit(), id, step);
        done[raw(id)].store(step);
        continue;
      }
      const std::uint64_t before = done[raw(id)].load();
      SharedGuard guard;
      if (SharedGuard::acquire(*fixture.cache, id, guard, failure) != Step::ok) ++wrong;
      const std::uint64_t stamp =
          word_of(id, 0) ^ base::load<std::uint64_t>(guard.bytes() + kPageHeaderBytes);
      if (stamp >> 24 < before || !holds(guard.bytes(), id, stamp >> 24)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t self = 0; self < kThreads; ++self) threads.emplace_back(work, self);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  for (std::uint32_t i = 1; i <= kPages; ++i) EXPECT_TRUE(fixture.has(PageId{i}, done[i].load())) << i;
}

}  // namespace
}  // namespace isolith::pages
