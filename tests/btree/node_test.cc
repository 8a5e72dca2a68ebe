// Node: its rules one by one, what check() finds, and readers on garbage.
#include "btree/node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/btree/node_pages.h"
#include "tests/support/seed.h"

namespace isolith::btree {
namespace {

using namespace node_pages;
using pages::kPageBytes;

// ---- single rules ----

TEST(Node, FormatKeepsVersionAndIdOfThePage) {
  Page page{};
  page.node().format(0, "", nullptr);
  pages::PageHeader header{7, PageId{9}, pages::PageKind::free, 0, 0};
  std::memcpy(page.bytes, &header, sizeof header);
  page.node().format(3, "a", nullptr);
  std::memcpy(&header, page.bytes, sizeof header);
  EXPECT_EQ(header.version, 7U);
  EXPECT_EQ(header.id, PageId{9});
  EXPECT_EQ(header.kind, pages::PageKind::inner);
  EXPECT_EQ(page.node().level(), 3U);
  EXPECT_STREQ(page.node().check(), "an inner node has no upper child");
}

TEST(Node, KeysThatDifferOnlyInTrailingZerosAreTold) {
  const auto page = new_leaf();
  Node& node = page->node();
  std::vector<std::string> keys;
  for (std::size_t zeros = 0; zeros < 7; ++zeros) keys.push_back(std::string("a").append(zeros, '\0'));
  for (const std::size_t index : {3U, 0U, 6U, 1U, 5U, 2U, 4U})
    ASSERT_TRUE(put(node, keys[index], keys[index]));
  ASSERT_STREQ(node.check(), nullptr);
  for (unsigned index = 0; index < keys.size(); ++index) {
    const Position at = node.lower_bound(keys[index]);
    EXPECT_TRUE(at.found);
    EXPECT_EQ(at.slot, index);
    EXPECT_EQ(node.row(index).value, keys[index]);
  }
}

TEST(Node, KeysOutsideTheFencesArePlacedAtTheEnds) {
  const std::string upper = "tenant/5";
  const auto page = new_leaf("tenant/4", &upper);
  Node& node = page->node();
  ASSERT_TRUE(put(node, "tenant/4x", "1"));
  ASSERT_TRUE(put(node, "tenant/4y", "2"));
  for (const char* key : {"", "a", "tenan", "tenant/", "tenant/3"})
    EXPECT_EQ(node.lower_bound(key).slot, 0U) << key;
  for (const char* key : {"tenant/5", "tenant0", "u", "z"}) EXPECT_EQ(node.lower_bound(key).slot, 2U) << key;
}

TEST(Node, TheLongestFencesAndTheLongestRowFitOnePage) {
  const std::string lower = std::string(kKeyBytesMax, 'a');
  const std::string upper = std::string(kKeyBytesMax, 'c');
  const std::string key = std::string(kKeyBytesMax, 'b');
  const auto with_row = new_leaf(lower, &upper);
  EXPECT_TRUE(put(with_row->node(), key, std::string(kInlineRowBytesMax - key.size(), 'v')));
  EXPECT_STREQ(with_row->node().check(), nullptr);
  const auto with_reference = new_leaf(lower, &upper);
  EXPECT_TRUE(put(with_reference->node(), key, std::string(kLargeReferenceBytes, 'v'), 1, RowFlags::large));
  EXPECT_STREQ(with_reference->node().check(), nullptr);
  const auto inner = new_page(1, lower, &upper);
  inner->node().set_upper_child(PageId{1});
  EXPECT_TRUE(inner->node().insert_separator(key, PageId{2}));
  EXPECT_STREQ(inner->node().check(), nullptr);
}

TEST(Node, ASmallerValueIsWrittenInPlaceAndABiggerOneMoves) {
  const auto page = new_leaf();
  Node& node = page->node();
  ASSERT_TRUE(put(node, "key-1", std::string(100, 'x'), 5));
  const char* before = node.row(0).value.data();
  const std::size_t free_before = node.free_bytes();
  ASSERT_TRUE(put(node, "key-1", std::string(40, 'y'), 4, RowFlags::none));
  EXPECT_EQ(node.row(0).value.data(), before);
  EXPECT_EQ(node.free_bytes(), free_before + 60);
  EXPECT_EQ(node.newest_writer(), TransactionId{5});
  ASSERT_TRUE(put(node, "key-1", "", 9, RowFlags::erased));
  EXPECT_TRUE(has(node.row(0).flags, RowFlags::erased));
  EXPECT_EQ(node.row(0).writer, TransactionId{9});
  ASSERT_TRUE(put(node, "key-1", std::string(300, 'z'), 9));
  EXPECT_EQ(node.row(0).value, std::string(300, 'z'));
  EXPECT_EQ(node.free_bytes(), free_before - 200);
  EXPECT_EQ(node.newest_writer(), TransactionId{9});
  EXPECT_STREQ(node.check(), nullptr);
}

TEST(Node, AFullPageTakesAGrowingRowByCompaction) {
  const auto page = new_leaf();
  Node& node = page->node();
  unsigned rows = 0;
  while (put(node, "row" + std::to_string(10'000 + rows), pattern(90, rows))) ++rows;
  for (unsigned slot = 0; slot < rows; slot += 2)
    ASSERT_TRUE(node.update_row(slot, TransactionId{1}, RowFlags::none, ""));
  ASSERT_TRUE(node.update_row(7, TransactionId{2}, RowFlags::none, pattern(1000, 3)));
  EXPECT_STREQ(node.check(), nullptr);
  for (unsigned slot = 0; slot < rows; ++slot)
    EXPECT_EQ(node.row(slot).value, slot == 7       ? pattern(1000, 3)
                                    : slot % 2 == 0 ? ""
                                                    : pattern(90, slot))
        << slot;
}

TEST(Node, LoadingInKeyOrderLeavesFullPages) {
  const auto page = new_leaf();
  Node& node = page->node();
  unsigned rows = 0;
  while (put(node, "row" + std::to_string(10'000 + rows), pattern(90, rows))) ++rows;
  const std::string next = "row" + std::to_string(10'000 + rows);
  const Node::Split split = node.choose_split(next, true, next.size() + 90);
  EXPECT_EQ(split.left_count, rows);
  EXPECT_EQ(split.separator, next);
  const Node::Split middle = node.choose_split(next, false, next.size() + 90);
  EXPECT_NEAR(middle.left_count, rows / 2, rows / 16 + 1);
  const Node::Split without_key = node.choose_split("", false, 0);
  EXPECT_NEAR(without_key.left_count, rows / 2, rows / 16 + 1);
}

TEST(Node, TheSeparatorIsTheShortestNearTheMiddle) {
  const auto page = new_leaf();
  Node& node = page->node();
  for (unsigned row = 0; row < 60; ++row)
    ASSERT_TRUE(put(node, (row < 31 ? "apple/" : "bean/") + std::to_string(100 + row), pattern(90, row)));
  const Node::Split split = node.choose_split("", false, 0);
  EXPECT_EQ(split.left_count, 31U);
  EXPECT_EQ(split.separator, "b");
  Page left{};
  node.split_left_into(left.node(), split);
  EXPECT_EQ(left.node().count(), 31U);
  EXPECT_EQ(node.count(), 29U);
  EXPECT_EQ(key_at(node, 0), "bean/131");
  ASSERT_TRUE(node.can_merge_left(left.node(), "b"));
  node.merge_left(left.node(), "b");
  EXPECT_EQ(node.count(), 60U);
  EXPECT_STREQ(node.check(), nullptr);
}

TEST(Node, AnInnerNodeMayHaveNoSeparator) {
  const std::string upper(kKeyBytesMax, 'c');
  const auto page = new_page(2, std::string(kKeyBytesMax, 'a'), &upper);
  Node& node = page->node();
  node.set_upper_child(PageId{1});
  const std::string key(kKeyBytesMax, 'b');
  ASSERT_TRUE(node.insert_separator(key, PageId{2}));
  const Node::Split split = node.choose_split(key + "c", false, 0);
  EXPECT_EQ(split.left_count, 0U);
  EXPECT_EQ(split.separator, key);
  Page left{};
  node.split_left_into(left.node(), split);
  EXPECT_EQ(left.node().count() + node.count(), 0U);
  EXPECT_STREQ(left.node().check(), nullptr);
  EXPECT_STREQ(node.check(), nullptr);
  unsigned slot = 9;
  EXPECT_EQ(left.node().child_for(std::string(kKeyBytesMax, 'a'), &slot), PageId{2});
  EXPECT_EQ(slot, 0U);
  EXPECT_EQ(node.child_for(key, &slot), PageId{1});
}

// ---- cuts that are not to be taken ----

// Splits as the tree does until the row is in; every page on the way must be whole.
unsigned splits_until_in(Node& node, const std::string& key, const std::string& value, bool appending) {
  Page left{};
  for (unsigned splits = 0;; ++splits) {
    EXPECT_STREQ(node.check(), nullptr);
    if (put(node, key, value)) return splits;
    const Node::Split split = node.choose_split(key, appending, key.size() + value.size());
    node.split_left_into(left.node(), split);
    EXPECT_STREQ(left.node().check(), nullptr);
    EXPECT_STREQ(node.check(), nullptr);
    EXPECT_TRUE(left.node().covers(key) || node.covers(key));
    if (left.node().covers(key)) std::memcpy(&node, left.bytes, kPageBytes);
  }
}

// A value that makes the row, its slot included, take that many bytes in a node without a prefix.
std::string value_for(const std::string& key, std::size_t row_bytes) {
  return std::string(
      row_bytes - kSlotBytes - kLeafRecordBytes - (key.size() - std::min(key.size(), kHeadBytes)), 'v');
}

TEST(NodeSplit, ALongSeparatorDoesNotOverfillTheLeftHalf) {
  const std::string upper(2000, 'z');
  const auto page = new_leaf("", &upper);
  Node& node = page->node();
  const std::string last(kKeyBytesMax - 1, 'b');
  ASSERT_TRUE(put(node, "a", value_for("a", 2490)));
  ASSERT_TRUE(put(node, last, value_for(last, 3580)));
  const std::string key =
      last + "c";  // the nearest cut to the middle is before it, with a separator of 2048 bytes
  const std::string value = value_for(key, 3590);
  EXPECT_EQ(node.choose_split(key, false, key.size() + value.size()).left_count, 1U);
  EXPECT_EQ(node.choose_split(key, true, key.size() + value.size()).left_count, 1U);
  EXPECT_LE(splits_until_in(node, key, value, true), 2U);
}

TEST(NodeSplit, ALongSeparatorDoesNotOverfillTheRightHalf) {
  const auto page = new_leaf(std::string(2000, 'a'));
  Node& node = page->node();
  const std::string first(kKeyBytesMax, 'b');
  ASSERT_TRUE(put(node, first, value_for(first, 3580)));
  ASSERT_TRUE(put(node, "c", value_for("c", 2490)));
  const std::string key(kKeyBytesMax - 1, 'b');
  const std::string value = value_for(key, 3590);
  EXPECT_EQ(node.choose_split(key, false, key.size() + value.size()).left_count, 1U);
  EXPECT_LE(splits_until_in(node, key, value, false), 2U);
}

TEST(NodeSplit, ACutFarFromTheMiddleIsTakenWhereTheRowFitsAtOnce) {
  const auto page = new_leaf();
  Node& node = page->node();
  const std::string twin(kKeyBytesMax - 1,
                         'd');  // the nearest cut to the middle, behind it, has a long separator
  ASSERT_TRUE(put(node, "c", value_for("c", 500)));
  ASSERT_TRUE(put(node, twin, value_for(twin, 2200)));
  ASSERT_TRUE(put(node, twin + "d", value_for(twin + "d", 2080)));
  ASSERT_TRUE(put(node, "e", value_for("e", 3200)));
  EXPECT_EQ(splits_until_in(node, "b", value_for("b", 3590), false), 1U);
}

TEST(NodeSplit, ARowThatFitsNeitherHalfGetsAPageForItself) {
  const std::string lower(kKeyBytesMax, 'a');
  const std::string upper(kKeyBytesMax, 'z');
  for (const char* name : {"b", "n", "y"}) {
    const auto page = new_leaf(lower, &upper);
    Node& node = page->node();
    ASSERT_TRUE(put(node, "c", value_for("c", 1900)));
    ASSERT_TRUE(put(node, "x", value_for("x", 1900)));
    const std::string key(kKeyBytesMax, name[0]);
    EXPECT_LE(splits_until_in(node, key, std::string(kInlineRowBytesMax - key.size(), 'v'), false), 2U)
        << name;
  }
}

// ---- damage ----

// Each of the ways to break one invariant is told.
TEST(Node, CheckFindsEachKindOfDamage) {
  const std::string upper = "keys/z";
  const auto intact = new_leaf("keys/a", &upper);
  for (const char* key : {"keys/a", "keys/bcdefgh", "keys/bcdefgi", "keys/k", "keys/m"})
    ASSERT_TRUE(put(intact->node(), key, "some value", 3));
  intact->node().remove_row(3);
  ASSERT_STREQ(intact->node().check(), nullptr);
  struct Damage {
    std::size_t offset;
    unsigned char change;
  };
  const auto slot = [](std::size_t index) { return kNodeHeaderBytes + index * kSlotBytes; };
  for (const Damage damage : {Damage{12, 3},
                              {13, 1},
                              {14, 1},
                              {16, 1},
                              {17, 0x80},
                              {18, 1},
                              {19, 0x40},
                              {20, 1},
                              {22, 1},
                              {24, 1},
                              {26, 1},
                              {27, 0x80},
                              {28, 1},
                              {30, 1},
                              {32, 1},
                              {36, 1},
                              {40, 2},
                              {48, 1},
                              {108, 1},
                              {slot(0), 1},
                              {slot(1) + 1, 0x20},
                              {slot(1) + 2, 1},
                              {slot(1) + 3, 0x80},
                              {slot(0) + 4, 1},
                              {slot(2) + 7, 0x80}}) {
    Page damaged = *intact;
    damaged.bytes[damage.offset] = static_cast<char>(damaged.bytes[damage.offset] ^ damage.change);
    EXPECT_NE(damaged.node().check(), nullptr) << "byte " << damage.offset;
  }
}

// What an optimistic reader, or verify, may do with a page.
void read_everything(const Node& node, const Node& other, std::string_view key, unsigned slot, char* buffer) {
  std::size_t sum = node.count() + node.lower_bound(key).slot + node.key_bytes(slot);
  unsigned child_slot = 0;
  sum += raw(node.child_for(key, &child_slot)) + raw(node.child(slot));
  const std::size_t copied = node.copy_key(slot, buffer);
  ASSERT_LE(copied, kKeyBytesMax);
  std::string appended;
  node.append_key(slot, appended);
  ASSERT_EQ(appended, std::string_view(buffer, copied));
  for (const std::string_view view : {node.row(slot).value, node.lower_fence(), node.upper_fence()})
    for (const char byte : view) sum += static_cast<unsigned char>(byte);
  sum += node.covers(key) + node.free_bytes() + node.used_bytes();
  sum += node.has_room_for_row(key.size(), 9) + node.has_room_for_separator(key.size());
  sum += node.can_merge_left(other, key) + (node.check() == nullptr);
  sum += node.choose_split(key, sum % 2 == 0, key.size() + 8).separator.size();
  ASSERT_GT(sum + 1, 0U);
}

// A node with rows and some changed bytes gets a reader further than noise does.
void make_damaged(Node& node, std::mt19937_64& random) {
  const std::string_view upper = "prefix/z";
  const bool leaf = random() % 2 == 0;
  node.format(leaf ? 0 : 1, "prefix/a", random() % 4 == 0 ? nullptr : &upper);
  for (std::size_t rows = random() % 120; rows > 0; --rows) {
    const std::string key = "prefix/b" + std::to_string(random());
    const Position at = node.lower_bound(key);
    if (leaf) {
      if (!node.insert_row(at.slot, key, TransactionId{1}, RowFlags::none, pattern(random() % 80, 1))) break;
    } else if (!node.insert_separator(key, PageId{3})) {
      break;
    }
  }
  char* bytes = reinterpret_cast<char*>(&node);
  for (std::size_t changes = 1 + random() % 8; changes > 0; --changes)
    bytes[random() % 3 == 0 ? random() % kPageBytes : 16 + random() % 200] = static_cast<char>(random());
}

TEST(Node, NoBytesLeadAReaderOutOfThePage) {
  std::mt19937_64 random(testing::test_seed());
  const auto page = std::make_unique<Page>();
  const auto other = std::make_unique<Page>();
  other->node().format(0, "", nullptr);
  const auto buffer = std::make_unique<char[]>(kKeyBytesMax);
  for (unsigned round = 0; round < 6000; ++round) {
    if (round % 3 == 0) {
      for (char& byte : page->bytes) byte = static_cast<char>(random());
      page->bytes[12] = static_cast<char>(1 + random() % 2);
    } else {
      make_damaged(page->node(), random);
    }
    std::string key = round % 2 == 0 ? "prefix/" : "";
    for (std::size_t size = random() % 12; size > 0; --size) key.push_back(static_cast<char>(random()));
    const auto slot = static_cast<unsigned>(round % 7 == 0 ? random() : random() % 1100);
    read_everything(page->node(), other->node(), key, slot, buffer.get());
    read_everything(other->node(), page->node(), key, slot, buffer.get());
    std::swap(page->bytes, other->bytes);
  }
}

}  // namespace
}  // namespace isolith::btree
