// CRC-32C against published values, and the two implementations against each other.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::base {
namespace {

void expect_both(const std::string& bytes, std::uint32_t expected) {
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), expected);
  EXPECT_EQ(crc32c_portable(bytes.data(), bytes.size()), expected);
}

TEST(Crc32cTest, GivesTheValuesOfRfc3720) {
  expect_both(std::string(32, '\0'), 0x8A9136AA);
  expect_both(std::string(32, '\xFF'), 0x62A8AB43);
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  expect_both(ascending, 0x46DD794E);
  expect_both(std::string(ascending.rbegin(), ascending.rend()), 0x113FDB5C);
  std::string read_command(48, '\0');
  read_command[0] = '\x01';
  read_command[1] = '\xC0';
  read_command[16] = '\x14';
  read_command[22] = '\x04';
  read_command[27] = '\x14';
  read_command[31] = '\x18';
  read_command[32] = '\x28';
  read_command[40] = '\x02';
  expect_both(read_command, 0xD9963A56);
}

TEST(Crc32cTest, GivesTheCheckValueOfTheCatalogue) {
  expect_both("123456789", 0xE3069283);
  expect_both("", 0);
}

// Where the CPU has no instruction both are the same code, and this says so.
TEST(Crc32cTest, AcceleratedAgreesWithPortableAtAnySizeAndOffset) {
  if (!crc32c_is_accelerated()) GTEST_SKIP() << "no crc32 instruction on this CPU";
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  std::string bytes(40'000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  const auto check = [&](std::size_t offset, std::size_t size, std::uint32_t before) {
    ASSERT_EQ(crc32c(bytes.data() + offset, size, before),
              crc32c_portable(bytes.data() + offset, size, before))
        << "offset " << offset << ", size " << size;
  };
  for (std::size_t size = 0; size <= 1000; ++size)
    check(size % 16, size, static_cast<std::uint32_t>(random.next()));
  for (const std::size_t size : {3071U, 3072U, 3073U, 4096U, 8192U, 16384U, 32768U})
    check(random.below(64), size, static_cast<std::uint32_t>(random.next()));
  for (int i = 0; i < 2000; ++i) {
    const std::size_t size = random.below(30'000);
    check(random.below(10'000), size, static_cast<std::uint32_t>(random.next()));
  }
}

TEST(Crc32cTest, GoesOnFromASeed) {
  Random random(testing::test_seed());
  std::string bytes(9000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  const std::uint32_t whole = crc32c(bytes.data(), bytes.size());
  for (int i = 0; i < 200; ++i) {
    const std::size_t cut = random.below(bytes.size() + 1);
    const std::uint32_t front = crc32c(bytes.data(), cut);
    ASSERT_EQ(crc32c(bytes.data() + cut, bytes.size() - cut, front), whole) << "cut " << cut;
    const std::uint32_t portable = crc32c_portable(bytes.data(), cut);
    ASSERT_EQ(crc32c_portable(bytes.data() + cut, bytes.size() - cut, portable), whole) << "cut " << cut;
  }
}

TEST(Crc32cTest, EveryFlippedBitShows) {
  std::string bytes(512, 'x');
  const std::uint32_t whole = crc32c(bytes.data(), bytes.size());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(crc32c(bytes.data(), bytes.size()), whole) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace isolith::base
