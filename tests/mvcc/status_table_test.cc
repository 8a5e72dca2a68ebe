// The status table: what became of each transaction, the horizon, and chunks that are used again under
// readers.
#include "mvcc/status_table.h"

#include <gtest/gtest.h>

#include <thread>

namespace isolith::mvcc {
namespace {

constexpr TransactionState kInProgress = TransactionState::in_progress;
constexpr TransactionState kCommitted = TransactionState::committed;

TEST(StatusTable, AnEntryChangesOnce) {
  StatusTable table(TransactionId{100});
  EXPECT_EQ(table.find(TransactionId{99}).state, kCommitted) << "settled";
  EXPECT_EQ(table.find(TransactionId{99}).commit_ts, Timestamp{0});
  const TransactionId first = table.begin();
  const TransactionId second = table.begin();
  EXPECT_EQ(first, TransactionId{100});
  EXPECT_EQ(second, TransactionId{101});
  EXPECT_EQ(table.next_id(), TransactionId{102});
  EXPECT_EQ(table.find(first).state, kInProgress);
  table.set_committed(first, Timestamp{5});
  table.set_aborted(second);
  EXPECT_EQ(table.find(first).state, kCommitted);
  EXPECT_EQ(table.find(first).commit_ts, Timestamp{5});
  EXPECT_EQ(table.find(second).state, TransactionState::aborted);
}

TEST(StatusTable, TheTagStaysWithTheTime) {
  StatusTable table(TransactionId{4096});
  const TransactionId first = table.begin();
  const TransactionId second = table.begin();
  EXPECT_EQ(table.tag_of(first), 0) << "in progress";
  table.set_committed(first, Timestamp{5}, 15);
  table.set_aborted(second);
  EXPECT_EQ(table.tag_of(first), 15);
  EXPECT_EQ(table.find(first).commit_ts, Timestamp{5});
  EXPECT_EQ(table.tag_of(second), 0) << "it did not commit";
  table.advance(Timestamp{4});
  EXPECT_EQ(table.horizon(), first) << "the tag makes it no later";
  table.advance(Timestamp{5});
  EXPECT_EQ(table.tag_of(first), 0) << "settled";
}

// A reader at 9 holds the horizon; what committed behind it is the same to everybody.
TEST(StatusTable, AShrunkChunkHasTheNewestTimeAndNoTags) {
  StatusTable table(TransactionId{4096});
  for (std::uint64_t i = 0; i < 4096; ++i) table.set_committed(table.begin(), Timestamp{10 + i}, 15);
  LiveSnapshots live;
  live.reset(Timestamp{5000});
  live.add(Timestamp{9}, false);
  live.sort();
  table.compact(live);
  EXPECT_TRUE(table.is_of_chunk(TransactionId{4096}));
  EXPECT_EQ(table.find(TransactionId{4096}).commit_ts, Timestamp{10 + 4095});
  EXPECT_EQ(table.tag_of(TransactionId{4096}), 0);
  table.advance(Timestamp{10 + 4094});
  EXPECT_EQ(table.horizon(), TransactionId{4096});
  table.advance(Timestamp{10 + 4095});
  EXPECT_EQ(table.horizon(), TransactionId{8192});
}

TEST(StatusTable, TheHorizonStopsAtWhatSomebodyMayAskFor) {
  StatusTable table(TransactionId{1});
  TransactionId ids[5];
  for (TransactionId& id : ids) id = table.begin();
  table.set_committed(ids[0], Timestamp{10});
  table.set_aborted(ids[1]);
  table.set_committed(ids[2], Timestamp{20});
  table.set_committed(ids[4], Timestamp{5});
  table.advance(Timestamp{9});
  EXPECT_EQ(table.horizon(), ids[0]);
  table.advance(Timestamp{19});
  EXPECT_EQ(table.horizon(), ids[2]);
  EXPECT_EQ(table.find(ids[0]).commit_ts, Timestamp{0}) << "settled";
  EXPECT_EQ(table.find(ids[1]).state, kCommitted) << "without a trace: nobody asks";
  table.advance(Timestamp{100});
  EXPECT_EQ(table.horizon(), ids[3]) << "in progress";
  table.set_aborted(ids[3]);
  table.advance(Timestamp{100});
  EXPECT_EQ(table.horizon(), table.next_id());
}

TEST(StatusTable, ChunksAreUsedAgainEmpty) {
  StatusTable table(TransactionId{4000});
  for (std::uint64_t i = 0; i < 50000; ++i) {
    const TransactionId id = table.begin();
    ASSERT_EQ(id, TransactionId{4000 + i});
    ASSERT_EQ(table.find(id).state, kInProgress) << raw(id);
    if (i % 3 == 0) {
      table.set_aborted(id);
    } else {
      table.set_committed(id, Timestamp{i + 1});
    }
    if (i % 1000 == 0) table.advance(Timestamp{i + 1});
    if (i > 500) {
      const TransactionId before{raw(id) - 500};
      const TransactionStatus status = table.find(before);
      if (before < table.horizon()) {
        ASSERT_EQ(status.commit_ts, Timestamp{0});
      } else if ((i - 500) % 3 == 0) {
        ASSERT_EQ(status.state, TransactionState::aborted);
      } else {
        ASSERT_EQ(status.commit_ts, Timestamp{i - 499});
      }
    }
  }
}

// Transaction k commits at timestamp k: whatever chunk a reader meets, it must never see another one's
// timestamp.
TEST(StatusTable, ReadersNeverMeetTheNextLifeOfAChunk) {
  constexpr std::uint64_t kIds = 300000;
  StatusTable table(TransactionId{1});
  std::atomic<std::uint64_t> newest_settled{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  const auto read = [&](std::uint64_t distance) {
    while (!stop.load()) {
      const std::uint64_t at = newest_settled.load();
      if (at <= distance) continue;
      const std::uint64_t id = at - distance;
      const TransactionStatus status = table.find(TransactionId{id});
      const bool fits =
          status.state == kCommitted && (status.commit_ts == Timestamp{0} || raw(status.commit_ts) == id);
      if (!fits) ++wrong;
    }
  };
  std::thread readers[] = {std::thread(read, 1), std::thread(read, 4096), std::thread(read, 9000)};
  for (std::uint64_t i = 1; i <= kIds; ++i) {
    const TransactionId id = table.begin();
    table.set_committed(id, Timestamp{raw(id)});
    newest_settled.store(i);
    if (i % 512 == 0) table.advance(Timestamp{i});
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
}

TEST(StatusTable, ManyThreadsBeginAndAnotherAdvances) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 40000;
  StatusTable table(TransactionId{1});
  std::atomic<std::uint64_t> running{kThreads};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t self = 0; self < kThreads; ++self) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const TransactionId id = table.begin();
        if (table.find(id).state != kInProgress) ++wrong;
        table.set_committed(id, Timestamp{1});
        if (table.find(id).state != kCommitted) ++wrong;
      }
      --running;
    });
  }
  while (running.load() != 0) table.advance(Timestamp{1});
  for (std::thread& thread : threads) thread.join();
  table.advance(Timestamp{1});
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(table.horizon(), TransactionId{1 + kThreads * kEach});
}

}  // namespace
}  // namespace isolith::mvcc
