// TrackedRanges: what they say that they grow by is what there is.
#include "locking/tracked_ranges.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::locking {
namespace {

constexpr std::int64_t kSegment = TrackedRanges::kSegmentBytes;

class TrackedRangesTest : public ::testing::Test {
 protected:
  SharedRoom room_{0};
  Tracked one_{room_};
  Tracked other_{room_};
  TrackedRanges ranges_;
};

TEST_F(TrackedRangesTest, GrowByTheEndsThatAreNew) {
  const std::string lo(100, 'a');
  const std::string hi(50, 'b');
  const TrackedRanges::Growth first = ranges_.enter(one_, lo, hi);
  EXPECT_EQ(first.segments, 2);
  EXPECT_EQ(first.bytes, 2 * kSegment + 150);
  EXPECT_EQ(ranges_.enter(other_, lo, hi).bytes, 0) << "the ends of the other one";
  EXPECT_EQ(ranges_.enter(other_, lo, std::nullopt).bytes, 0);
  EXPECT_EQ(ranges_.enter(other_, {}, "a").bytes, kSegment + 1);
}

TEST_F(TrackedRangesTest, GrowByTheReadersOfEachSegment) {
  Tracked third(room_);
  ranges_.enter(one_, "a", "c");
  EXPECT_EQ(ranges_.enter(other_, "b", "d").segments, 2);
  const std::int64_t bytes = ranges_.enter(third, {}, std::nullopt).bytes;
  EXPECT_GE(bytes, 3 * 8) << "from b to c there are three";
  // The two ends of `other_` go with it, and what `third` grew by with all.
  EXPECT_GE(ranges_.give_up(other_, {}, std::nullopt).bytes, -2 * (kSegment + 1) - bytes);
  ranges_.give_up(one_, {}, std::nullopt);
  EXPECT_EQ(ranges_.give_up(third, {}, std::nullopt).segments, 0);
}

TEST_F(TrackedRangesTest, WhatStaysOfACommittedOneIsNotTakenOff) {
  ranges_.enter(one_, "b", "d");
  EXPECT_EQ(ranges_.leave(&one_, "b", "d", 7, 0).bytes, 0);
  EXPECT_EQ(ranges_.drop(6).bytes, 0);
  const TrackedRanges::Growth all = ranges_.drop(7);
  EXPECT_EQ(all.segments, -2);
  EXPECT_EQ(all.bytes, -2 * (kSegment + 1));
}

TEST_F(TrackedRangesTest, WhenAllIsGoneTheyHaveGrownByNothing) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 200; ++round) {
    std::vector<std::unique_ptr<Tracked>> readers;
    std::vector<std::vector<std::pair<std::string, std::optional<std::string>>>> read(4);
    for (int i = 0; i < 4; ++i) readers.push_back(std::make_unique<Tracked>(room_));
    const auto key = [&] { return std::string(random.below(40), static_cast<char>('a' + random.below(4))); };
    std::int64_t bytes = 0;
    std::int64_t segments = 0;
    const auto add = [&](const TrackedRanges::Growth& growth) {
      bytes += growth.bytes;
      segments += growth.segments;
      ASSERT_GE(segments, 0);
      ASSERT_GE(bytes, segments * kSegment);
    };
    for (std::uint64_t step = 1; step < 60; ++step) {
      const std::size_t at = random.below(readers.size());
      Tracked& reader = *readers[at];
      switch (random.below(4)) {
        case 0:
        case 1: {
          std::string lo = key();
          std::optional<std::string> hi = key();
          if (*hi <= lo) hi = std::nullopt;
          add(ranges_.enter(reader, lo, hi));
          read[at].emplace_back(std::move(lo), std::move(hi));
          break;
        }
        case 2:
          for (const auto& [lo, hi] : read[at]) add(ranges_.leave(&reader, lo, hi, step, step / 2));
          read[at].clear();
          break;
        default:
          add(ranges_.leave(nullptr, key(), std::nullopt, step, step / 2));
      }
    }
    for (std::size_t at = 0; at < readers.size(); ++at) {
      for (const auto& [lo, hi] : read[at]) add(ranges_.give_up(*readers[at], lo, hi));
    }
    add(ranges_.drop(60));
    EXPECT_EQ(bytes, 0);
    EXPECT_EQ(segments, 0);
  }
}

}  // namespace
}  // namespace isolith::locking
