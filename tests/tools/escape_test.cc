#include "tools/escape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "isolith/status.h"

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;

TEST(Escape, LeavesTextInAnyScriptAsItIs) {
  EXPECT_EQ(escape("plain text, 'quotes' & \"more\""), "plain text, 'quotes' & \"more\"");
  EXPECT_EQ(escape("größer 日本 \xf0\x9f\x98\x80"), "größer 日本 \xf0\x9f\x98\x80");
}

TEST(Escape, WritesControlCharactersAndBackslashesEscaped) {
  EXPECT_EQ(escape(std::string_view("\t\n\r\\\0\x1b\x7f", 7)), "\\t\\n\\r\\\\\\x00\\x1b\\x7f");
}

TEST(Escape, WritesWhatIsNoUtf8Escaped) {
  EXPECT_EQ(escape("\x80"), "\\x80");                             // a continuation byte alone
  EXPECT_EQ(escape("\xc3"), "\\xc3");                             // cut short
  EXPECT_EQ(escape("\xe6\x97"), "\\xe6\\x97");                    // cut short
  EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf");                    // overlong, two bytes
  EXPECT_EQ(escape("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf");           // overlong, three bytes
  EXPECT_EQ(escape("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf");  // overlong, four bytes
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  EXPECT_EQ(escape("\xc2\x85"), "\\xc2\\x85");                    // a control character beyond ASCII
  EXPECT_EQ(escape("\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf"), "\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf");
}

TEST(Unescape, ReadsHexadecimalOfEitherCase) { EXPECT_EQ(*unescape("\\x4a\\x4A\\xfF"), "JJ\xff"); }

TEST(Unescape, SaysWhereTheEscapeIsWrong) {
  for (const char* text : {"ab\\", "ab\\q", "ab\\x", "ab\\x1", "ab\\xg0", "ab\\x0g"}) {
    const Result<std::string> bytes = unescape(text);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_TRUE(bytes.status().is(StatusCode::invalid_argument));
    EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("at character 3"));
  }
}

RC_GTEST_PROP(EscapeProperty, UnescapeGivesTheBytesBack, (const std::string& bytes)) {
  const std::string text = escape(bytes);
  const Result<std::string> back = unescape(text);
  RC_ASSERT(back.ok());
  RC_ASSERT(*back == bytes);
  for (const char c : text) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
}

RC_GTEST_PROP(EscapeProperty, UnescapeTakesOrRefusesAnyText, (const std::string& text)) {
  const Result<std::string> bytes = unescape(text);
  RC_ASSERT(bytes.ok() || bytes.status().is(StatusCode::invalid_argument));
}

TEST(Quote, CutsLongBytesBetweenCharacters) {
  EXPECT_EQ(quote("k"), "'k'");
  const std::string cut = quote(std::string(59, 'a') + "日本");
  EXPECT_EQ(cut, "'" + std::string(59, 'a') + "...'");
}

}  // namespace
}  // namespace isolith::tools
