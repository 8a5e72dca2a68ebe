// Guards: what an optimistic reader notices, and that a page's version is never used for other bytes.
#include "pages/guards.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <thread>

#include "base/random.h"
#include "tests/pages/pages_test_support.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

struct Fixture {
  Fixture() : file(create_file(disk)), cache(*PageCache::create(*file, kCacheBytesMin)) {
    for (std::uint32_t i = 1; i <= 600; ++i) {
      ExclusiveGuard guard;
      EXPECT_TRUE(ExclusiveGuard::allocate(*cache, PageKind::leaf, guard).ok());
      fill(guard.edit(), guard.id(), 0);
    }
  }

  [[nodiscard]] OptimisticGuard look(PageId id) const {
    OptimisticGuard guard;
    Status failure;
    Step step = Step::restart;
    while (step == Step::restart) step = OptimisticGuard::acquire(*cache, id, guard, failure);
    EXPECT_EQ(step, Step::ok) << failure.to_string();
    return guard;
  }
  [[nodiscard]] ExclusiveGuard lock(PageId id) const {
    ExclusiveGuard guard;
    Status failure;
    EXPECT_EQ(ExclusiveGuard::acquire(*cache, id, guard, failure), Step::ok) << failure.to_string();
    return guard;
  }
  // Touches pages until `id` is out of memory.
  void evict(PageId id) const {
    for (std::uint32_t i = 0; LatchWord::state(cache->table()[id].latch.load()) != LatchWord::kEvicted; ++i) {
      if (const PageId other{1 + i % 600}; other != id) (void)look(other);
    }
  }

  base::SimulatedDisk disk{false};
  std::unique_ptr<PageFile> file;
  std::unique_ptr<PageCache> cache;
};

constexpr PageId kPage{10};

TEST(Guards, AnOptimisticReadEndsWithAChangeButNotWithALatch) {
  if (kOptimisticHoldsShared) GTEST_SKIP() << "optimistic readers hold a latch under ThreadSanitizer";
  const Fixture fixture;
  const OptimisticGuard seen = fixture.look(kPage);
  EXPECT_TRUE(seen.validate());
  (void)fixture.lock(kPage);
  EXPECT_TRUE(seen.validate()) << "nothing was changed";
  {
    ExclusiveGuard guard = fixture.lock(kPage);
    EXPECT_FALSE(seen.validate()) << "it may be changing now";
    fill(guard.edit(), kPage, 1);
  }
  EXPECT_FALSE(seen.validate());
  EXPECT_TRUE(fixture.look(kPage).validate());
}

TEST(Guards, AnOptimisticReadEndsWithEvictionAndStaysEndedAfterLoading) {
  if (kOptimisticHoldsShared) GTEST_SKIP() << "optimistic readers hold a latch under ThreadSanitizer";
  const Fixture fixture;
  const OptimisticGuard seen = fixture.look(kPage);
  fixture.evict(kPage);
  EXPECT_FALSE(seen.validate());
  const OptimisticGuard again = fixture.look(kPage);
  EXPECT_TRUE(again.validate());
  EXPECT_FALSE(seen.validate());
  EXPECT_GT(again.version(), seen.version());
}

TEST(Guards, AnOptimisticReadEndsWhenThePageIsFreedAndItsIdUsedAgain) {
  if (kOptimisticHoldsShared) GTEST_SKIP() << "optimistic readers hold a latch under ThreadSanitizer";
  const Fixture fixture;
  const OptimisticGuard seen = fixture.look(kPage);
  fixture.lock(kPage).free_page();
  EXPECT_FALSE(seen.validate());
  {
    ExclusiveGuard guard;
    ASSERT_TRUE(ExclusiveGuard::allocate(*fixture.cache, PageKind::leaf, guard).ok());
    ASSERT_EQ(guard.id(), kPage);
    EXPECT_FALSE(seen.validate());
  }
  EXPECT_FALSE(seen.validate());
}

TEST(Guards, AnUpgradeFailsWhenThePageChangedSince) {
  if (kOptimisticHoldsShared) GTEST_SKIP() << "optimistic readers hold a latch under ThreadSanitizer";
  const Fixture fixture;
  for (const bool exclusive : {false, true}) {
    for (const bool changed : {false, true}) {
      OptimisticGuard seen = fixture.look(kPage);
      if (changed) {
        ExclusiveGuard guard = fixture.lock(kPage);
        fill(guard.edit(), kPage, 1);
      }
      SharedGuard shared;
      ExclusiveGuard latch;
      const Step step = exclusive ? ExclusiveGuard::upgrade(seen, latch) : SharedGuard::upgrade(seen, shared);
      EXPECT_EQ(step, changed ? Step::restart : Step::ok);
      EXPECT_FALSE(seen.held());
      EXPECT_EQ(latch.held(), exclusive && !changed);
    }
  }
}

TEST(Guards, SharedHoldersKeepAnExclusiveUpgradeAway) {
  const Fixture fixture;
  SharedGuard first;
  SharedGuard second;
  Status failure;
  ASSERT_EQ(SharedGuard::acquire(*fixture.cache, kPage, first, failure), Step::ok);
  ASSERT_EQ(SharedGuard::acquire(*fixture.cache, kPage, second, failure), Step::ok);
  const auto try_upgrade = [&fixture] {
    OptimisticGuard seen = fixture.look(kPage);
    ExclusiveGuard guard;
    return ExclusiveGuard::upgrade(seen, guard);
  };
  EXPECT_EQ(try_upgrade(), Step::restart);
  first.release();
  EXPECT_EQ(try_upgrade(), Step::restart);
  second.release();
  EXPECT_EQ(try_upgrade(), Step::ok);
}

// Two that take turns, each coming before the other goes.
TEST(Guards, NoneSharesAPagePastOneWhoWaitsForItUntilHeIsImpatient) {
  constexpr bool kPatient = false;
  constexpr bool kImpatient = true;
  LatchWord latch;
  const auto state = [&latch] { return LatchWord::state(latch.load()); };
  ASSERT_TRUE(latch.try_lock_shared(latch.load()));
  EXPECT_TRUE(LatchWord::admits_shared(state(), kPatient));
  latch.want(latch.load());
  EXPECT_FALSE(LatchWord::admits_shared(state(), kPatient));
  EXPECT_FALSE(LatchWord::is_free(state()));
  ASSERT_TRUE(LatchWord::admits_shared(state(), kImpatient));
  ASSERT_TRUE(latch.try_lock_shared(latch.load()));
  EXPECT_TRUE(LatchWord::admits_shared(state(), kPatient)) << "a wish is for those who come next";
  latch.want(latch.load());
  latch.unlock_shared();
  EXPECT_FALSE(LatchWord::is_free(state()));
  latch.unlock_shared();
  EXPECT_FALSE(LatchWord::admits_shared(state(), kPatient));
  ASSERT_TRUE(LatchWord::is_free(state()));
  ASSERT_TRUE(latch.try_lock(latch.load()));
  for (const bool is_impatient : {kPatient, kImpatient}) {
    EXPECT_FALSE(LatchWord::admits_shared(LatchWord::kExclusive, is_impatient));
    EXPECT_FALSE(LatchWord::admits_shared(LatchWord::kEvicted, is_impatient));
    EXPECT_FALSE(LatchWord::admits_shared(LatchWord::kSharedMax, is_impatient));
    EXPECT_TRUE(LatchWord::admits_shared(LatchWord::kMarked, is_impatient));
  }
  latch.unlock();
  EXPECT_EQ(state(), 0);
}

TEST(Guards, APageThatNobodyWantsAnyMoreCanBeEvicted) {
  const Fixture fixture;
  SharedGuard shared;
  Status failure;
  ASSERT_EQ(SharedGuard::acquire(*fixture.cache, kPage, shared, failure), Step::ok);
  OptimisticGuard seen = fixture.look(kPage);
  ExclusiveGuard guard;
  ASSERT_EQ(ExclusiveGuard::upgrade(seen, guard), Step::restart);
  shared.release();
  fixture.evict(kPage);
}

// There is always somebody who shares the page: all hold it for longer than they are without it.
TEST(Guards, ReadersWithoutAGapBetweenThemDoNotKeepAWriterOut) {
  constexpr int kReads = 20'000;
  constexpr int kWrites = 100;
  const Fixture fixture;
  std::atomic<int> reading{0};
  std::atomic<bool> is_over{false};
  std::array<std::thread, 8> readers;
  for (std::thread& reader : readers) {
    reader = std::thread([&] {
      for (int i = 0; i < kReads && !is_over.load(); ++i) {
        SharedGuard guard;
        Status failure;
        EXPECT_EQ(SharedGuard::acquire(*fixture.cache, kPage, guard, failure), Step::ok);
        if (i == 0) reading.fetch_add(1);
        std::this_thread::yield();
      }
      reading.fetch_sub(1);
    });
  }
  while (reading.load() != static_cast<int>(readers.size())) std::this_thread::yield();
  int writes = 0;
  while (writes < kWrites && reading.load() == static_cast<int>(readers.size())) {
    OptimisticGuard seen = fixture.look(kPage);
    ExclusiveGuard guard;
    if (ExclusiveGuard::upgrade(seen, guard) != Step::ok) continue;
    fill(guard.edit(), kPage, ++writes);
  }
  is_over.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(writes, kWrites) << "the readers are through with theirs";
}

TEST(Guards, AnIdThatIsNoPageRestarts) {
  const Fixture fixture;
  Status failure;
  for (const PageId id : {kNoPage, PageId{100000}}) {
    OptimisticGuard optimistic;
    SharedGuard shared;
    ExclusiveGuard exclusive;
    EXPECT_EQ(OptimisticGuard::acquire(*fixture.cache, id, optimistic, failure), Step::restart);
    EXPECT_EQ(SharedGuard::acquire(*fixture.cache, id, shared, failure), Step::restart);
    EXPECT_EQ(ExclusiveGuard::acquire(*fixture.cache, id, exclusive, failure), Step::restart);
    EXPECT_FALSE(optimistic.held());
    EXPECT_FALSE(exclusive.held());
  }
}

TEST(Guards, AVersionStandsForTheSameBytesForEver) {
  const Fixture fixture;
  base::Random random(testing::test_seed());
  std::map<std::uint64_t, std::pair<std::uint64_t, const char*>> known;  // version -> stamp, frame
  std::uint64_t stamp = 0;
  for (int step = 0; step < 3000; ++step) {
    if (random.chance(1, 20)) fixture.evict(kPage);
    if (random.chance(1, 3)) {
      ExclusiveGuard guard = fixture.lock(kPage);
      if (random.chance(1, 2)) fill(guard.edit(), kPage, ++stamp);
    }
    const OptimisticGuard seen = fixture.look(kPage);
    ASSERT_TRUE(holds(seen.bytes(), kPage, stamp));
    const auto [at, added] = known.try_emplace(seen.version(), stamp, seen.bytes());
    ASSERT_EQ(at->second.first, stamp);
    ASSERT_EQ(at->second.second, seen.bytes());
    ASSERT_EQ(std::next(at), known.end()) << "versions only rise";
  }
}

}  // namespace
}  // namespace isolith::pages
