// SparseImage: agrees with a string, shares with its copies without showing them its changes, and stays
// sparse.
#include "base/sparse_image.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::base {
namespace {

std::string contents(const SparseImage& image) {
  std::string bytes(image.size(), '?');
  EXPECT_EQ(image.read(0, bytes.data(), bytes.size()), bytes.size());
  return bytes;
}

// One change of both, drawn.
void change(Random& random, SparseImage& image, std::string& model) {
  const std::size_t offset = random.below(20'000);
  const std::size_t size = 1 + random.below(9000);
  switch (random.below(4)) {
    case 0:
      image.resize(offset);
      model.resize(offset, '\0');
      break;
    case 1:
      image.zero(offset, size);
      if (offset < model.size())
        std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(offset),
                    std::min(size, model.size() - offset), '\0');
      break;
    default:
      const std::string bytes(size, static_cast<char>('a' + random.below(26)));
      image.write(offset, bytes.data(), size);
      if (model.size() < offset + size) model.resize(offset + size, '\0');
      model.replace(offset, size, bytes);
  }
}

TEST(SparseImageTest, AgreesWithAStringAndCopiesStayAsTheyWere) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  SparseImage image;
  std::string model;
  std::vector<std::pair<SparseImage, std::string>> copies;
  for (int step = 0; step < 2000; ++step) {
    change(random, image, model);
    ASSERT_EQ(contents(image), model) << step;
    if (step % 200 == 0) copies.emplace_back(image, model);
    if (!copies.empty() && random.chance(1, 4)) {
      auto& [copy, copy_model] = copies[random.below(copies.size())];
      change(random, copy, copy_model);
    }
  }
  for (const auto& [copy, copy_model] : copies) ASSERT_EQ(contents(copy), copy_model);
}

TEST(SparseImageTest, HugeAndEmptyCostsNothing) {
  // Were it dense, or walked block by block, this would not end.
  SparseImage image;
  for (int i = 0; i < 1000; ++i) {
    image.resize(SparseImage::kMaxBytes);
    image.zero(0, SparseImage::kMaxBytes);
    image.resize(0);
  }
  image.write(std::uint64_t{1} << 36, "x", 1);
  char byte = '?';
  EXPECT_EQ(image.read(std::uint64_t{1} << 36, &byte, 1), 1U);
  EXPECT_EQ(byte, 'x');
  EXPECT_EQ(image.read((std::uint64_t{1} << 36) - 1, &byte, 1), 1U);
  EXPECT_EQ(byte, '\0');
}

TEST(SparseImageTest, CopiesAreUsedByDifferentThreads) {
  SparseImage original;
  const std::string bytes(100'000, 'o');
  original.write(0, bytes.data(), bytes.size());
  for (int round = 0; round < 50; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([copy = original, i]() mutable {
        const std::string mine(4096, static_cast<char>('a' + i));
        copy.write(8192, mine.data(), mine.size());
        std::string back(4096, '\0');
        copy.read(8192, back.data(), back.size());
        EXPECT_EQ(back, mine);
      });
    }
    original.write(8192, bytes.data(), 4096);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(contents(original), bytes);
  }
}

}  // namespace
}  // namespace isolith::base
