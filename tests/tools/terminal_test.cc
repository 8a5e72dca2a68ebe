#include "tools/terminal.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace isolith::tools {
namespace {

TEST(WithSeparators, GroupsByThousands) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1000), "1,000");
  EXPECT_EQ(with_separators(123456), "123,456");
  EXPECT_EQ(with_separators(1234567), "1,234,567");
  EXPECT_EQ(with_separators(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(ReadableBytes, PicksTheUnit) {
  EXPECT_EQ(readable_bytes(0), "0 bytes");
  EXPECT_EQ(readable_bytes(1023), "1023 bytes");
  EXPECT_EQ(readable_bytes(1536), "1.5 KiB");
  EXPECT_EQ(readable_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(readable_bytes(std::uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(readable_bytes(std::uint64_t{5000} << 40), "5000.0 TiB");
}

TEST(ReadableSeconds, PicksTheUnit) {
  EXPECT_EQ(readable_seconds(0.00042), "0.42 ms");
  EXPECT_EQ(readable_seconds(1.5), "1.50 s");
}

}  // namespace
}  // namespace isolith::tools
