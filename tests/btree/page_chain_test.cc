// Page chains: pieces in, parts out, going on later, giving back, and a reader who comes too late.
#include "btree/page_chain.h"

#include "base/random.h"
#include "tests/btree/tree_fixture.h"
#include "tests/support/seed.h"

namespace isolith::btree {
namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; ++at) bytes[at] = static_cast<char>(at * 7 + at / 8191);
  return bytes;
}

std::string read_part(PageCache& cache, const ChainReference& reference, std::uint64_t offset,
                      std::size_t size) {
  std::string part(size, '\0');
  Status failure;
  EXPECT_EQ(read_chain(cache, reference, offset, part.data(), size, failure), Step::ok)
      << failure.to_string();
  return part;
}

TEST(PageChain, AnEmptyChainHasNoPage) {
  const CacheFixture fixture;
  ChainWriter writer(*fixture.cache, 1);
  ASSERT_TRUE(writer.append("").ok());
  EXPECT_EQ(writer.reference().first, kNoPage);
  EXPECT_EQ(writer.reference().size, 0U);
  EXPECT_EQ(fixture.pages_in_use(), 0U);
  EXPECT_EQ(read_part(*fixture.cache, writer.reference(), 0, 0), "");
}

TEST(PageChain, PiecesOfAnySizeMakeOneValue) {
  base::Random random(testing::test_seed());
  const CacheFixture fixture(pages::kCacheBytesMin);
  const std::string value = pattern(1500000);
  ChainWriter writer(*fixture.cache, 5);
  std::size_t at = 0;
  while (at < value.size()) {
    const std::size_t size = std::min<std::size_t>(value.size() - at, 1 + random.below(kChainPieceBytes));
    if (random.chance(1, 4)) {
      const ChainReference reference = writer.reference();
      ASSERT_TRUE(ChainWriter::resume(*fixture.cache, reference, writer).ok());
      ASSERT_EQ(writer.reference().size, at);
    }
    ASSERT_TRUE(writer.append(std::string_view(value).substr(at, size)).ok());
    at += size;
  }
  EXPECT_EQ(writer.reference().size, value.size());
  EXPECT_EQ(fixture.pages_in_use(), (value.size() + kChainPayloadBytes - 1) / kChainPayloadBytes);
  EXPECT_TRUE(read_part(*fixture.cache, writer.reference(), 0, value.size()) == value);
  for (int i = 0; i < 200; ++i) {
    const std::size_t offset = random.below(value.size());
    const std::size_t size = std::min<std::size_t>(value.size() - offset, random.below(30000));
    ASSERT_TRUE(read_part(*fixture.cache, writer.reference(), offset, size) == value.substr(offset, size));
  }
}

TEST(PageChain, AReaderWhoComesTooLateHasToLookAgain) {
  const CacheFixture fixture;
  ChainWriter writer(*fixture.cache, 5);
  ASSERT_TRUE(writer.append(pattern(20000)).ok());
  const ChainReference old = writer.reference();
  ChainReference other_stamp = old;
  other_stamp.stamp = 6;
  char bytes[100];
  Status failure;
  EXPECT_EQ(read_chain(*fixture.cache, other_stamp, 0, bytes, 100, failure), Step::restart);
  PageId first = old.first;
  ASSERT_TRUE(free_chain(*fixture.cache, first, 100).ok());
  EXPECT_EQ(first, kNoPage);
  EXPECT_EQ(fixture.pages_in_use(), 0U);
  EXPECT_EQ(read_chain(*fixture.cache, old, 0, bytes, 100, failure), Step::restart) << "its pages are gone";
  ChainWriter next(*fixture.cache, 7);
  ASSERT_TRUE(next.append(pattern(20000)).ok());
  EXPECT_EQ(read_chain(*fixture.cache, old, 15000, bytes, 100, failure), Step::restart)
      << "they are another value's";
  EXPECT_TRUE(failure.ok());
  EXPECT_EQ(read_part(*fixture.cache, next.reference(), 15000, 100), pattern(20000).substr(15000, 100));
}

TEST(PageChain, IsGivenBackInPieces) {
  const CacheFixture fixture;
  ChainWriter writer(*fixture.cache, 5);
  ASSERT_TRUE(writer.append(pattern(10 * kChainPayloadBytes)).ok());
  PageId first = writer.reference().first;
  ASSERT_TRUE(free_chain(*fixture.cache, first, 4).ok());
  EXPECT_EQ(fixture.pages_in_use(), 6U);
  ASSERT_NE(first, kNoPage);
  ASSERT_TRUE(free_chain(*fixture.cache, first, 4).ok());
  ASSERT_TRUE(free_chain(*fixture.cache, first, 4).ok());
  EXPECT_EQ(first, kNoPage);
  EXPECT_EQ(fixture.pages_in_use(), 0U);
}

TEST(PageChain, InspectingShowsEachPage) {
  const CacheFixture fixture;
  ChainWriter writer(*fixture.cache, 5);
  ASSERT_TRUE(writer.append(pattern(kChainPayloadBytes + 10)).ok());
  ChainPage page;
  Status failure;
  ASSERT_EQ(inspect_chain_page(*fixture.cache, writer.reference().first, 5, page, failure), Step::ok);
  EXPECT_EQ(page.size, kChainPayloadBytes);
  EXPECT_EQ(inspect_chain_page(*fixture.cache, page.following, 6, page, failure), Step::restart);
  ASSERT_EQ(inspect_chain_page(*fixture.cache, page.following, 5, page, failure), Step::ok);
  EXPECT_EQ(page.size, 10U);
  EXPECT_EQ(page.following, kNoPage);
}

TEST(PageChain, AReferenceIsTwentyBytes) {
  char bytes[kChainReferenceBytes];
  store_reference(bytes, {1234567890123, 42, PageId{77}});
  const ChainReference read = load_reference(std::string_view(bytes, sizeof bytes));
  EXPECT_EQ(read.size, 1234567890123U);
  EXPECT_EQ(read.stamp, 42U);
  EXPECT_EQ(read.first, PageId{77});
  EXPECT_EQ(load_reference(std::string_view(bytes, 19)).first, kNoPage);
}

}  // namespace
}  // namespace isolith::btree
