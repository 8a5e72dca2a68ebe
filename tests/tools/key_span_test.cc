#include "tools/key_span.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace isolith::tools {
namespace {

// Resolves `span` from the words of a command line.
Status parse(KeySpan& span, std::vector<std::string> words, bool escaped) {
  CLI::App app("test");
  span.add_options(app);
  std::reverse(words.begin(), words.end());
  app.parse(words);
  return span.resolve(escaped);
}

TEST(KeySpan, WithoutOptionsIsTheWholeTable) {
  KeySpan span;
  ASSERT_TRUE(parse(span, {}, false).ok());
  EXPECT_FALSE(span.given());
  EXPECT_EQ(span.range().lo, "");
  EXPECT_EQ(span.range().hi, std::nullopt);
}

TEST(KeySpan, TakesBoundsAsTheyStandOrEscaped) {
  KeySpan plain;
  ASSERT_TRUE(parse(plain, {"--lo", "\\x41", "--hi", "b"}, false).ok());
  EXPECT_EQ(plain.range().lo, "\\x41");
  EXPECT_EQ(plain.range().hi, "b");
  KeySpan escaped;
  ASSERT_TRUE(parse(escaped, {"--lo", "\\x41", "--hi", "\\xff"}, true).ok());
  EXPECT_EQ(escaped.range().lo, "A");
  EXPECT_EQ(escaped.range().hi, "\xff");
}

TEST(KeySpan, AnEmptyUpperBoundIsABound) {
  KeySpan span;
  ASSERT_TRUE(parse(span, {"--hi", ""}, false).ok());
  EXPECT_TRUE(span.given());
  EXPECT_EQ(span.range().hi, "");
}

TEST(KeySpan, RefusesBoundsTheWrongWayRound) {
  KeySpan span;
  EXPECT_TRUE(parse(span, {"--lo", "b", "--hi", "a"}, false).is(StatusCode::invalid_argument));
  KeySpan bad_escape;
  EXPECT_TRUE(parse(bad_escape, {"--lo", "\\q"}, true).is(StatusCode::invalid_argument));
  KeySpan both;
  EXPECT_THROW((void)parse(both, {"--lo", "b", "--prefix", "a"}, false), CLI::ParseError);
}

RC_GTEST_PROP(KeySpanProperty, APrefixHoldsExactlyItsKeys,
              (const std::string& prefix, const std::string& key)) {
  const std::optional<std::string> end = end_of_prefix(prefix);
  for (const std::string& candidate : {key, prefix, prefix + key, prefix + '\xff'}) {
    const bool inside = candidate >= prefix && (!end || candidate < *end);
    RC_ASSERT(inside == candidate.starts_with(prefix));
  }
}

TEST(KeySpan, APrefixOfHighestBytesHasNoEnd) {
  EXPECT_EQ(end_of_prefix("\xff\xff"), std::nullopt);
  EXPECT_EQ(end_of_prefix("a\xff"), "b");
  EXPECT_EQ(end_of_prefix(""), std::nullopt);
}

}  // namespace
}  // namespace isolith::tools
