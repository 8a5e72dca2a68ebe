// Status, CHECK, bytes, clock, random numbers and the version.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/system_failure.h"
#include "isolith/status.h"
#include "isolith/version.h"

namespace isolith::base {
namespace {

TEST(StatusTest, IsOkAndEmptyByDefault) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.to_string(), "ok");
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.system_error(), 0);
}

TEST(StatusTest, NamesEveryCodeAndReasonOnce) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::internal); ++code)
    names.insert(to_string(static_cast<StatusCode>(code)));
  EXPECT_EQ(names.size(), 14U);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<StatusCode>(99)), "unknown");
  EXPECT_EQ(to_string(ConflictReason::lock_timeout), "lock_timeout");
  EXPECT_EQ(to_string(static_cast<ConflictReason>(99)), "unknown");
}

TEST(StatusTest, TellsReasonAndMessage) {
  const Status status = Status::conflict(ConflictReason::deadlock, "T7 waits for T9");
  EXPECT_TRUE(status.is_retryable());
  EXPECT_EQ(status.reason(), ConflictReason::deadlock);
  EXPECT_EQ(status.to_string(), "conflict/deadlock: T7 waits for T9");
}

TEST(StatusTest, CopiesAreIndependentAndWhole) {
  Status original(StatusCode::io_error, "pwrite x", 5);
  const Status copy = original;
  original = Status(StatusCode::not_found);
  EXPECT_EQ(copy.to_string(), "io_error: pwrite x");
  EXPECT_EQ(copy.system_error(), 5);
  Status& alias = original;
  original = alias;
  EXPECT_TRUE(original.is(StatusCode::not_found));
}

TEST(StatusTest, MapsErrnos) {
  EXPECT_TRUE(system_failure("open", "x", ENOENT).is(StatusCode::not_found));
  EXPECT_TRUE(system_failure("pwrite", "x", ENOSPC).is(StatusCode::no_space));
  EXPECT_TRUE(system_failure("pwrite", "x", EDQUOT).is(StatusCode::no_space));
  const Status status = system_failure("fdatasync", "dir/log", EIO);
  EXPECT_TRUE(status.is(StatusCode::io_error));
  EXPECT_EQ(status.system_error(), EIO);
  EXPECT_EQ(status.message(), "fdatasync dir/log: Input/output error (errno 5)");
}

Status try_result(bool good) {
  const auto call = [&]() -> Result<int> {
    if (good) return 1;
    return Status(StatusCode::busy, "held");
  };
  TRY(call());
  return Status(StatusCode::aborted);
}

TEST(CheckTest, TryHandsOnTheFailureAndNothingElse) {
  EXPECT_EQ(try_result(false).to_string(), "busy: held");
  EXPECT_TRUE(try_result(true).is(StatusCode::aborted));
}

TEST(CheckDeathTest, EndsTheProcessWithTheReason) {
  const int one = 1;
  EXPECT_DEATH(CHECK(one == 2, "one is two"),
               "basics_test.cc:[0-9]+: isolith: check failed: one is two .one == 2.");
  CHECK(one == 1, "one is one");
}

RC_GTEST_PROP(BytesTest, VarintsComeBack, (std::uint64_t value, std::uint8_t bits)) {
  value >>= bits % 64;
  std::string bytes;
  append_varint(bytes, value);
  append_fixed<std::uint32_t>(bytes, 7);
  ByteReader reader(bytes);
  std::uint64_t read = 0;
  std::uint32_t seven = 0;
  RC_ASSERT(reader.varint(read) && reader.fixed(seven) && reader.empty());
  RC_ASSERT(read == value);
  RC_ASSERT(seven == 7U);
}

RC_GTEST_PROP(BytesTest, CutBytesAreRefused, (std::uint64_t value)) {
  std::string bytes;
  append_varint(bytes, value);
  ByteReader reader(std::string_view(bytes).substr(0, bytes.size() - 1));
  std::uint64_t read = 0;
  RC_ASSERT_FALSE(reader.varint(read));
  RC_ASSERT_FALSE(reader.fixed(read));
}

TEST(BytesTest, RefusesVarintsOverSixtyFourBits) {
  std::uint64_t value = 0;
  EXPECT_TRUE(ByteReader("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01").varint(value));
  EXPECT_EQ(value, std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(ByteReader("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02").varint(value));
  EXPECT_FALSE(ByteReader("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01").varint(value));
}

TEST(BytesTest, ReadsNothingAfterAFailure) {
  ByteReader reader("abc");
  std::string_view taken;
  EXPECT_FALSE(reader.bytes(4, taken));
  EXPECT_FALSE(reader.bytes(1, taken));
}

TEST(ClockTest, GoesOnlyForward) {
  const std::uint64_t first_ns = steady_clock().now_ns();
  EXPECT_LE(first_ns, steady_clock().now_ns());
  ManualClock clock;
  const std::uint64_t start_ns = clock.now_ns();
  EXPECT_EQ(clock.now_ns(), start_ns);
  clock.advance_ns(5);
  EXPECT_EQ(clock.now_ns(), start_ns + 5);
}

TEST(RandomTest, GivesTheReferenceNumbers) {
  // splitmix64 from 0, and the xoshiro256** numbers of a state filled by it, as the authors' C code prints
  // them.
  std::uint64_t state = 0;
  EXPECT_EQ(splitmix64(state), 0xE220A8397B1DCDAFU);
  EXPECT_EQ(splitmix64(state), 0x6E789E6AA1B965F4U);
  Random random(0);
  EXPECT_EQ(random.next(), 0x99EC5F36CB75F2B4U);
  EXPECT_EQ(random.next(), 0xBF6E1F784956452AU);
}

TEST(RandomTest, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6000; ++i) ++seen.at(random.below(6));
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 800);
  for (int i = 0; i < 1000; ++i) {
    const double fraction = random.fraction();
    EXPECT_TRUE(fraction >= 0 && fraction < 1);
  }
  EXPECT_FALSE(random.chance(0, 3));
  EXPECT_TRUE(random.chance(3, 3));
}

TEST(VersionTest, TextAgreesWithNumbers) {
  EXPECT_EQ(version_string(), std::to_string(kVersionMajor) + "." + std::to_string(kVersionMinor) + "." +
                                  std::to_string(kVersionPatch));
}

}  // namespace
}  // namespace isolith::base
