#include "tools/text_layout.h"

#include <gtest/gtest.h>

namespace isolith::tools {
namespace {

using Lines = std::vector<std::string>;

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Zoë"), 3U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);  // with a combining acute
  EXPECT_EQ(display_width("山田"), 4U);
  EXPECT_EQ(display_width("→ 1"), 3U);
  EXPECT_EQ(display_width("\xff\xe4"), 2U);  // no UTF-8
}

TEST(Wrap, BreaksAtSpacesAndIndentsWhatFollows) {
  EXPECT_EQ(wrap("one two three", 7, 2), (Lines{"one two", "  three"}));
  EXPECT_EQ(wrap("one two", 80, 2), (Lines{"one two"}));
  EXPECT_EQ(wrap("", 10, 2), (Lines{""}));
  EXPECT_EQ(wrap("a  b", 10), (Lines{"a  b"}));
}

TEST(Wrap, BreaksAWordThatIsWiderThanALine) {
  EXPECT_EQ(wrap("abcdefgh", 3), (Lines{"abc", "def", "gh"}));
  EXPECT_EQ(wrap("山田太郎", 5), (Lines{"山田", "太郎"}));
  EXPECT_EQ(wrap("accounts/savings", 10, 2), (Lines{"accounts/", "  savings"}));
  EXPECT_EQ(wrap("xy", 0), (Lines{"x", "y"}));  // a column at least
}

TEST(WrapParagraphs, KeepsEmptyLinesBetweenThem) {
  EXPECT_EQ(wrap_paragraphs("one\ntwo\n\nthree", 20, 2), "  one two\n\n  three\n");
  EXPECT_EQ(wrap_paragraphs("", 20, 2), "");
}

TEST(Pad, FillsUpToAWidthInColumns) {
  EXPECT_EQ(pad("ab", 4), "ab  ");
  EXPECT_EQ(pad("山", 4), "山  ");
  EXPECT_EQ(pad("abcde", 4), "abcde");
}

TEST(Shorten, CutsAndMarks) {
  EXPECT_EQ(shorten("abcdef", 6, "..."), "abcdef");
  EXPECT_EQ(shorten("abcdefg", 6, "..."), "abc...");
  EXPECT_EQ(shorten("山田太郎", 5, "…"), "山田…");
}

}  // namespace
}  // namespace isolith::tools
