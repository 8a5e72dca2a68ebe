// Checkpoints of the cache while others write: the file has the pages of the instant, whatever changed since.
#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <thread>

#include "base/random.h"
#include "pages/guards.h"
#include "tests/pages/pages_test_support.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

struct Stamped {
  PageId id;
  std::uint64_t stamp;
};

// Threads that change, free and make pages, each its own, within a gate that the checkpoint's instant closes.
class Writers {
 public:
  explicit Writers(PageCache& cache) : cache_(cache) {
    for (auto& pages : pages_) {
      for (int i = 0; i < 150; ++i) pages.push_back(make());
    }
  }

  void start() {
    for (std::size_t self = 0; self < kThreads; ++self) {
      threads_.emplace_back([this, self] { work(self); });
    }
  }
  void stop() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  ~Writers() { stop(); }

  // The instant: its number and what the pages held.
  std::uint32_t begin(std::vector<Stamped>& instant) {
    closing_.store(true);  // a shared_mutex may let readers in for ever
    const std::lock_guard closed(gate_);
    closing_.store(false);
    instant.clear();
    for (const auto& pages : pages_) instant.insert(instant.end(), pages.begin(), pages.end());
    return cache_.begin_checkpoint();
  }
  // Until the writers did `steps` more.
  void let_run(std::uint64_t steps) const {
    const std::uint64_t until = steps_.load() + steps;
    while (steps_.load() < until && failures_.load() == 0) std::this_thread::yield();
  }
  [[nodiscard]] int failures() const { return failures_.load(); }

 private:
  static constexpr std::size_t kThreads = 3;

  Stamped make() {
    ExclusiveGuard guard;
    if (!ExclusiveGuard::allocate(cache_, PageKind::leaf, guard).ok()) ++failures_;
    const std::uint64_t stamp = ++stamps_;
    fill(guard.edit(), guard.id(), stamp);
    return {guard.id(), stamp};
  }

  void work(std::size_t self) {
    base::Random random(testing::test_seed() + self);
    std::vector<Stamped>& pages = pages_[self];
    while (!stop_.load()) {
      if (closing_.load()) {
        std::this_thread::yield();
        continue;
      }
      const std::shared_lock open(gate_);
      Stamped& page = pages[random.below(pages.size())];
      ExclusiveGuard guard;
      Status failure;
      if (ExclusiveGuard::acquire(cache_, page.id, guard, failure) != Step::ok) {
        ++failures_;
        return;
      }
      if (!holds(guard.bytes(), page.id, page.stamp)) ++failures_;
      if (random.chance(1, 10)) {
        guard.free_page();
        page = make();
      } else {
        page.stamp = ++stamps_;
        fill(guard.edit(), page.id, page.stamp);
      }
      ++steps_;
    }
  }

  PageCache& cache_;
  std::shared_mutex gate_;
  std::vector<Stamped> pages_[kThreads];
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> stamps_{0};
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<int> failures_{0};
  std::atomic<bool> closing_{false};
  std::atomic<bool> stop_{false};
};

void expect_instant(base::FileSystem& disk, std::uint32_t number, const std::vector<Stamped>& instant) {
  const auto file = open_file(disk);
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(file->header().number, number);
  ASSERT_EQ(file->map().pages_in_use(), instant.size());
  PageBytes page{};
  Status failure;
  for (const Stamped& expected : instant) {
    ASSERT_EQ(file->read(expected.id, page.data(), failure), ReadOutcome::ok) << failure.to_string();
    ASSERT_TRUE(holds(page.data(), expected.id, expected.stamp)) << "page " << raw(expected.id);
  }
}

void run_checkpoints(std::size_t cache_bytes, bool with_faults, std::uint64_t& images) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  const auto cache = *PageCache::create(*file, cache_bytes);
  base::Random random(testing::test_seed());
  Writers writers(*cache);
  writers.start();
  std::vector<Stamped> published;
  std::uint32_t published_number = 1;
  std::vector<Stamped> instant;
  for (int round = 0; round < 25; ++round) {
    writers.let_run(random.below(1000));
    const std::uint32_t number = writers.begin(instant);
    writers.let_run(random.below(500));
    if (with_faults && random.chance(1, 2)) {
      ASSERT_TRUE(cache->write_checkpoint_pages().ok());
      cache->end_checkpoint();
      writers.let_run(random.below(200));
      file->abandon_checkpoint();
    } else {
      const Status status = finish_checkpoint(*cache, number);
      ASSERT_TRUE(status.ok()) << status.to_string();
      published = instant;
      published_number = number;
    }
    if (published_number > 1) expect_instant(disk, published_number, published);
    ASSERT_EQ(writers.failures(), 0);
    if (::testing::Test::HasFatalFailure()) return;
  }
  images = cache->stats().preserved_images;
}

TEST(CacheCheckpoint, WithFewFramesTheFileHasThePagesOfTheInstant) {
  std::uint64_t images = 0;
  run_checkpoints(kCacheBytesMin, false, images);
}

TEST(CacheCheckpoint, WithManyFramesWritersKeepImages) {
  std::uint64_t images = 0;
  run_checkpoints(std::size_t{16} << 20, false, images);
  EXPECT_GT(images, 0U);
}

TEST(CacheCheckpoint, GivenUpCheckpointsHarmNoLaterOne) {
  std::uint64_t images = 0;
  run_checkpoints(std::size_t{16} << 20, true, images);
  run_checkpoints(kCacheBytesMin, true, images);
}

TEST(CacheCheckpoint, MoreImagesThanMemoryKeepsAreWrittenByTheWriters) {
  base::SimulatedDisk disk(false);
  const auto file = create_file(disk);
  const auto cache = *PageCache::create(*file, std::size_t{16} << 20);
  std::vector<Stamped> instant;
  for (std::uint32_t i = 1; i <= 500; ++i) {
    ExclusiveGuard guard;
    ASSERT_TRUE(ExclusiveGuard::allocate(*cache, PageKind::leaf, guard).ok());
    fill(guard.edit(), guard.id(), i);
    instant.push_back({guard.id(), i});
  }
  const std::uint32_t number = cache->begin_checkpoint();
  for (const Stamped& page : instant) {
    ExclusiveGuard guard;
    Status failure;
    ASSERT_EQ(ExclusiveGuard::acquire(*cache, page.id, guard, failure), Step::ok);
    fill(guard.edit(), page.id, 1000 + page.stamp);
  }
  EXPECT_EQ(cache->stats().preserved_images, 500U);
  EXPECT_GT(file->writes(), 400U);
  ASSERT_TRUE(finish_checkpoint(*cache, number).ok());
  expect_instant(disk, number, instant);
}

}  // namespace
}  // namespace isolith::pages
