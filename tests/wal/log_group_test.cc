// Many threads: one sync serves all who wait, no acknowledged unit is lost, no wake is lost, failures reach
// everybody.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/seed.h"
#include "tests/wal/wal_test_support.h"
#include "wal/ring.h"

namespace isolith::wal {
namespace {

// The commit mutex of a database, with the model: timestamps in commit order.
class Committer {
 public:
  explicit Committer(LogWriter& writer) : writer_(&writer) {}

  // Returns the unit as it was appended; `end` is 0 after a failure.
  Written commit(std::string payload) {
    const std::uint32_t crc = base::crc32c(payload.data(), payload.size());
    const std::lock_guard lock(mutex_);
    Written unit{UnitKind::commit,
                 Timestamp{appended_.size() + 1},
                 TransactionId{appended_.size() + 1},
                 std::move(payload),
                 {}};
    const Result<Lsn> end = writer_->append(unit.kind, unit.timestamp, unit.transaction, unit.payload, crc);
    if (!end.ok()) return unit;
    unit.end = *end;
    appended_.push_back(unit);
    return unit;
  }

  [[nodiscard]] std::vector<Written> appended() const {
    const std::lock_guard lock(mutex_);
    return appended_;
  }

 private:
  LogWriter* writer_;
  mutable std::mutex mutex_;
  std::vector<Written> appended_;
};

// Counts who waits, and sleeps on the word.
class CountingHook final : public WaitHook {
 public:
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
            std::uint64_t timeout_ms) override {
    EXPECT_EQ(info.kind, WaitKind::group_commit);
    waits.fetch_add(1);
    waits.notify_all();
    if (before_waiting) before_waiting();
    return default_wait_hook().wait(word, expected, info, timeout_ms);
  }
  void wake_all(const std::atomic<std::uint32_t>& word) override {
    default_wait_hook().wake_all(word);
    if (after_waking) after_waking();
  }

  void await_waits(int count) const {
    for (int now = waits.load(); now < count; now = waits.load()) waits.wait(now);
  }

  std::atomic<int> waits{0};
  std::function<void()> before_waiting;
  std::function<void()> after_waking;
};

// A log whose next sync stays under way until `let_go`.
struct HeldSync {
  HeldSync() : disk(disk_with_directory()) {
    LogWriterOptions options = small_log(*disk);
    options.wait_hook = &hook;
    writer = *LogWriter::open(options, Lsn{}, Timestamp{});
    committer.emplace(*writer);
  }

  // Starts a thread that leads a group of one unit; returns when it is in its sync.
  void hold() {
    const Written first = committer->commit("first");
    const std::uint64_t at_sync = disk->change_count() + 2;  // the write, the sync
    disk->on_change([this, at_sync](std::uint64_t number) {
      if (number != at_sync) return;
      in_sync.count_down();
      go.wait();
    });
    leader = std::thread([this, first] { first_status = writer->make_durable(first.end, TransactionId{1}); });
    in_sync.wait();
  }

  void let_go() {
    go.count_down();
    leader.join();
  }

  CountingHook hook;
  std::unique_ptr<base::SimulatedDisk> disk;
  std::unique_ptr<LogWriter> writer;
  std::optional<Committer> committer;
  std::latch in_sync{1};
  std::latch go{1};
  std::thread leader;
  Status first_status;
};

TEST(LogGroup, OneSyncServesAllWhoWait) {
  HeldSync log;
  log.hold();
  constexpr int kThreads = 12;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const Written unit = log.committer->commit("unit " + std::to_string(i));
      EXPECT_TRUE(log.writer->make_durable(unit.end, TransactionId{2}).ok());
      EXPECT_GE(log.writer->durable_lsn(), unit.end);
      EXPECT_GE(log.writer->durable_timestamp(), unit.timestamp);
    });
  }
  log.hook.await_waits(kThreads);
  EXPECT_EQ(log.writer->durable_lsn(), Lsn{}) << "appended after the sync had begun: not part of it";
  log.let_go();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(log.first_status.ok());
  EXPECT_EQ(log.writer->sync_count(), 2u);
}

TEST(LogGroup, AGroupDoesNotAcknowledgeWhatCameAfterItsPoint) {
  HeldSync log;
  log.hold();
  const Written second = log.committer->commit("second");
  log.let_go();
  EXPECT_LT(log.writer->durable_lsn(), second.end);
  EXPECT_EQ(log.writer->durable_timestamp(), Timestamp{1});
}

TEST(LogGroup, AFailedSyncReachesAllWaitersAndNobodySyncsAgain) {
  HeldSync log;
  log.disk->fail_call(0, base::Fault::sync_error);
  log.hold();
  constexpr int kThreads = 6;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const Written unit = log.committer->commit("x");
      const Status status = log.writer->make_durable(unit.end, TransactionId{2});
      EXPECT_TRUE(status.is(StatusCode::read_only)) << status.to_string();
    });
  }
  log.hook.await_waits(kThreads);
  log.let_go();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(log.first_status.is(StatusCode::io_error)) << log.first_status.to_string();
  EXPECT_EQ(log.writer->sync_count(), 1u);
  EXPECT_EQ(log.writer->durable_lsn(), Lsn{});
}

TEST(LogGroup, AnAppendThatCanNotWriteFailsTheWaitersToo) {
  HeldSync log;
  log.hold();
  const Written second = log.committer->commit("second");
  std::thread waiter(
      [&] { EXPECT_TRUE(log.writer->make_durable(second.end, TransactionId{2}).is(StatusCode::read_only)); });
  log.hook.await_waits(1);
  // One unit goes into a segment, and four segments into the ring: four are made, then units must be written.
  log.disk->fail_call(4, base::Fault::short_write);
  for (int i = 0; i < 4; ++i) EXPECT_NE(log.committer->commit(std::string(2000, 'x')).end, Lsn{}) << i;
  EXPECT_TRUE(log.writer->health().ok());
  EXPECT_EQ(log.committer->commit(std::string(2000, 'x')).end, Lsn{});
  EXPECT_TRUE(log.writer->health().is(StatusCode::read_only));
  waiter.join();
  log.let_go();
  EXPECT_EQ(log.writer->durable_lsn(), Lsn{}) << "a sync that ends well after a failure counts for nothing";
}

// The worst moment: the waiter has decided to wait, and the whole end of the group passes before it does.
TEST(LogGroup, AWakeThatComesBeforeTheWaitIsNotLost) {
  HeldSync log;
  log.hold();
  const Written second = log.committer->commit("second");
  std::latch woken{1};
  log.hook.after_waking = [&, count = 0]() mutable {
    if (count++ == 0) woken.count_down();
  };
  log.hook.before_waiting = [&] {
    log.go.count_down();
    woken.wait();
  };
  EXPECT_TRUE(log.writer->make_durable(second.end, TransactionId{2}).ok());
  log.leader.join();
  EXPECT_TRUE(log.first_status.ok());
}

// A mark that told more would make a lost, never acknowledged unit before it look like damage.
TEST(LogGroup, AMarkTellsOnlyWhatWasDurable) {
  HeldSync log;
  log.hold();
  const Written second = log.committer->commit(std::string(1500, '2'));  // not in the first sync
  log.let_go();
  const Written third = log.committer->commit("3");  // with the mark
  ASSERT_EQ(raw(third.end) - raw(second.end), 2 * kUnitHeaderBytes + 1);
  int states = 0;
  int torn = 0;
  log.disk->on_change([&](std::uint64_t) {
    for (std::uint64_t seed = 0; seed < 300; ++seed, ++states) {
      const auto read = read_log(*log.disk->crash(seed));
      ASSERT_TRUE(read.ok()) << read.status().to_string();
      ASSERT_GE(read->units.size(), 1u);
      torn += read->torn_tail_bytes > 1500 && read->units.size() == 1 ? 1 : 0;
    }
  });
  EXPECT_TRUE(log.writer->make_durable(third.end, kNoTransaction).ok());
  EXPECT_GE(states, 600);
  EXPECT_GT(torn, 0) << "no state lost the second unit and kept the mark";
}

TEST(LogGroup, EveryAcknowledgedUnitIsInEveryCrashState) {
  std::uint64_t seed = testing::test_seed();
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    const auto disk = disk_with_directory();
    LogWriterOptions options = small_log(*disk, 2048);
    options.background_thread = round % 2 == 0;
    options.async_interval_ms = 1;
    auto opened = LogWriter::open(options, Lsn{}, Timestamp{});
    ASSERT_TRUE(opened.ok());
    LogWriter& writer = **opened;
    Committer committer(writer);
    std::atomic<std::uint64_t> acknowledged{0};  // the highest LSN
    std::atomic<int> states{0};

    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, thread_seed = base::splitmix64(seed)] {
        base::Random random(thread_seed);
        for (int step = 0; step < 60; ++step) {
          const Written unit =
              committer.commit(std::string(random.below(300), static_cast<char>('a' + step % 26)));
          ASSERT_NE(unit.end, Lsn{});
          if (random.chance(1, 3)) {
            writer.request_async();
          } else {
            ASSERT_TRUE(writer.make_durable(unit.end, unit.transaction).ok());
            std::uint64_t before = acknowledged.load();
            while (before < raw(unit.end) && !acknowledged.compare_exchange_weak(before, raw(unit.end))) {
            }
          }
          if (!random.chance(1, 4)) continue;
          // The order matters: first what must be there, then the crash, then what may be there.
          const Lsn must{acknowledged.load()};
          const auto after = disk->crash(random.next());
          const std::vector<Written> may = committer.appended();
          const auto log = read_log(*after, Lsn{}, must);
          ASSERT_TRUE(log.ok()) << log.status().to_string();
          ASSERT_GE(log->end, must);
          for (std::size_t n = 0; n < std::min(log->units.size(), may.size()); ++n)
            ASSERT_EQ(log->units[n], may[n]);
          states.fetch_add(1);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(states.load(), 10);
    ASSERT_TRUE(writer.make_durable(writer.appended_lsn(), kNoTransaction).ok());
    const auto log = read_log(*disk);
    ASSERT_TRUE(log.ok()) << log.status().to_string();
    EXPECT_EQ(log->units, committer.appended());
  }
}

TEST(LogGroup, NoWakeIsLostWithManyThreadsAndTinyGroups) {
  base::SimulatedDisk disk(false);
  ASSERT_TRUE(disk.create_directory(kDirectory).ok());
  std::atomic<std::uint64_t> told{0};
  LogWriterOptions options = small_log(disk, 1 << 16);
  options.background_thread = true;
  options.on_durable = [&] { told.fetch_add(1); };
  auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  Committer committer(**writer);
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int step = 0; step < 1500; ++step) {
        const Written unit = committer.commit("x");
        ASSERT_TRUE((*writer)->make_durable(unit.end, unit.transaction).ok());
        if (step % 200 != 0) continue;
        EXPECT_TRUE((*writer)->release_before(unit.end).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(told.load(), 0u);
  EXPECT_LE(told.load(), (*writer)->sync_count());
}

TEST(LogGroup, AsyncUnitsBecomeDurableUnasked) {
  const auto disk = disk_with_directory();
  std::mutex mutex;
  std::condition_variable grown;
  LogWriterOptions options = small_log(*disk);
  options.background_thread = true;
  options.async_interval_ms = 1;
  options.on_durable = [&] {
    const std::lock_guard lock(mutex);
    grown.notify_all();
  };
  auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok());
  Committer committer(**writer);
  for (int i = 0; i < 200; ++i) {
    const Written unit = committer.commit("async");
    (*writer)->request_async();
    if (i % 10 != 0) continue;
    std::unique_lock lock(mutex);
    grown.wait(lock, [&] { return (*writer)->durable_lsn() >= unit.end; });
  }
}

TEST(LogGroup, WorksOnRealFiles) {
  std::string directory = (std::filesystem::temp_directory_path() / "isolith-wal-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  LogWriterOptions options;
  options.file_system = &base::posix_file_system();
  options.directory = directory;
  options.database_id = kDatabaseId;
  options.segment_bytes = std::uint64_t{256} << 10;
  std::vector<Written> units;
  Lsn end{};
  {
    auto writer = LogWriter::open(options, Lsn{}, Timestamp{});
    ASSERT_TRUE(writer.ok()) << writer.status().to_string();
    Committer committer(**writer);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int step = 0; step < 50; ++step) {
          const Written unit = committer.commit(std::string(20000, static_cast<char>('a' + step % 26)));
          ASSERT_TRUE((*writer)->make_durable(unit.end, unit.transaction).ok());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    units = committer.appended();
    end = (*writer)->durable_lsn();
    EXPECT_GT((*writer)->disk_bytes(), raw(end));
  }
  const LogReaderOptions reader_options{options.file_system, directory, kDatabaseId, end};
  auto reader = LogReader::open(reader_options, Lsn{});
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  Unit unit;
  for (const Written& expected : units) {
    const Result<bool> more = (*reader)->next(unit);
    ASSERT_TRUE(more.ok() && *more);
    ASSERT_EQ(unit.payload, expected.payload);
  }
  EXPECT_FALSE(*(*reader)->next(unit));
  auto again = LogWriter::open(options, (*reader)->end(), Timestamp{units.size()});
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_TRUE((*again)->release_before(end).ok());
  again->reset();
  std::filesystem::remove_all(directory);
}

TEST(AppendPoint, EndAndTimestampAreOfOneInstant) {
  AppendPoint point;
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!done.load(std::memory_order_relaxed)) {
        const AppendPoint::Value value = point.load();
        ASSERT_EQ(raw(value.end), 3 * raw(value.timestamp));
        ASSERT_GE(raw(value.end), last);
        last = raw(value.end);
      }
    });
  }
  for (std::uint64_t n = 1; n <= 2'000'000; ++n) point.store({Lsn{3 * n}, Timestamp{n}});
  done.store(true);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace isolith::wal
