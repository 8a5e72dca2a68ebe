// Key encodings: bytes order as the values do, alone and in tuples, and the values come back.
#include "isolith/key_encoding.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <compare>
#include <limits>
#include <tuple>
#include <vector>

namespace isolith {
namespace {

std::string u64_key(std::uint64_t value) {
  std::string key;
  append_key_u64(key, value);
  return key;
}

std::string i64_key(std::int64_t value) {
  std::string key;
  append_key_i64(key, value);
  return key;
}

std::string double_key(double value) {
  std::string key;
  append_key_double(key, value);
  return key;
}

std::string string_key(std::string_view value) {
  std::string key;
  append_key_string(key, value);
  return key;
}

// Bytes of few kinds, those with a meaning in the encoding among them, so that pairs share prefixes.
rc::Gen<std::string> awkward_strings() {
  return rc::gen::container<std::string>(rc::gen::element('\x00', '\x01', '\x02', 'a', '\xFE', '\xFF'));
}

TEST(KeyEncodingTest, BytesAreFixed) {
  EXPECT_EQ(u64_key(0x0102030405060708), std::string("\x01\x02\x03\x04\x05\x06\x07\x08", 8));
  EXPECT_EQ(i64_key(-1), std::string("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8));
  EXPECT_EQ(i64_key(0), std::string("\x80\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(double_key(1.0), std::string("\xBF\xF0\0\0\0\0\0\0", 8));
  EXPECT_EQ(double_key(-1.0), std::string("\x40\x0F\xFF\xFF\xFF\xFF\xFF\xFF", 8));
  EXPECT_EQ(string_key(std::string_view("a\0b", 3)), std::string("a\0\xFF"
                                                                 "b\0\x01",
                                                                 6));
}

RC_GTEST_PROP(KeyEncodingTest, IntegersOrderAndComeBack,
              (std::uint64_t a, std::uint64_t b, std::int64_t c, std::int64_t d)) {
  RC_ASSERT((u64_key(a) <=> u64_key(b)) == (a <=> b));
  RC_ASSERT((i64_key(c) <=> i64_key(d)) == (c <=> d));
  const std::string key = u64_key(a) + i64_key(c);
  std::string_view rest = key;
  std::uint64_t a_back = 0;
  std::int64_t c_back = 0;
  RC_ASSERT(take_key_u64(rest, a_back) && take_key_i64(rest, c_back) && rest.empty());
  RC_ASSERT(a_back == a);
  RC_ASSERT(c_back == c);
}

TEST(KeyEncodingTest, DoublesOrderTotally) {
  using Limits = std::numeric_limits<double>;
  const std::vector<double> ascending = {-Limits::quiet_NaN(),
                                         -Limits::infinity(),
                                         -Limits::max(),
                                         -1.5,
                                         -1.0,
                                         -Limits::min(),
                                         -Limits::denorm_min(),
                                         -0.0,
                                         0.0,
                                         Limits::denorm_min(),
                                         Limits::min(),
                                         1.0,
                                         1.5,
                                         Limits::max(),
                                         Limits::infinity(),
                                         Limits::quiet_NaN()};
  for (std::size_t i = 1; i < ascending.size(); ++i)
    EXPECT_LT(double_key(ascending[i - 1]), double_key(ascending[i]));
}

RC_GTEST_PROP(KeyEncodingTest, DoublesOrderAndComeBack, (std::uint64_t bits_of_a, std::uint64_t bits_of_b)) {
  const auto a = std::bit_cast<double>(bits_of_a);
  const auto b = std::bit_cast<double>(bits_of_b);
  if (a < b) RC_ASSERT(double_key(a) < double_key(b));
  if (a > b) RC_ASSERT(double_key(a) > double_key(b));
  const std::string key = double_key(a);
  std::string_view rest = key;
  double back = 0;
  RC_ASSERT(take_key_double(rest, back) && rest.empty());
  RC_ASSERT(std::bit_cast<std::uint64_t>(back) == bits_of_a);
}

RC_GTEST_PROP(KeyEncodingTest, StringsOrderAndComeBack, ()) {
  const auto a = *awkward_strings();
  const auto b = *awkward_strings();
  RC_ASSERT((string_key(a) <=> string_key(b)) == (a <=> b));
  const std::string key = string_key(a);
  std::string_view rest = key;
  std::string back;
  RC_ASSERT(take_key_string(rest, back) && rest.empty());
  RC_ASSERT(back == a);
}

RC_GTEST_PROP(KeyEncodingTest, TuplesOrderByTheirParts, ()) {
  using Parts = std::tuple<std::string, std::uint64_t, std::string, std::int64_t>;
  const auto parts = rc::gen::tuple(
      awkward_strings(), rc::gen::element<std::uint64_t>(0, 1, ~std::uint64_t{0}), awkward_strings(),
      rc::gen::element<std::int64_t>(std::numeric_limits<std::int64_t>::min(), -1, 0, 1));
  const auto key_of = [](const Parts& p) {
    return string_key(std::get<0>(p)) + u64_key(std::get<1>(p)) + string_key(std::get<2>(p)) +
           i64_key(std::get<3>(p));
  };
  const Parts a = *parts;
  const Parts b = *parts;
  RC_ASSERT((key_of(a) <=> key_of(b)) == (a <=> b));
}

RC_GTEST_PROP(KeyEncodingTest, CutKeysAreRefusedAndLeaveAllAsItWas, ()) {
  const std::string key = string_key(*awkward_strings());
  const auto cut = *rc::gen::inRange<std::size_t>(0, key.size());
  std::string_view rest = std::string_view(key).substr(0, cut);
  const std::string_view before = rest;
  std::string value = "as it was";
  std::uint64_t number = 3;
  RC_ASSERT_FALSE(take_key_string(rest, value));
  RC_ASSERT(value == "as it was");
  RC_ASSERT(rest == before);
  std::string_view seven = "seven b";
  RC_ASSERT_FALSE(take_key_u64(seven, number));
  RC_ASSERT(number == 3U);
  RC_ASSERT(seven.size() == 7U);
}

TEST(KeyEncodingTest, RefusesAnUnknownEscape) {
  std::string_view key("a\0\x02", 3);
  std::string value;
  EXPECT_FALSE(take_key_string(key, value));
}

RC_GTEST_PROP(KeyEncodingTest, PrefixEndIsAboveExactlyThePrefixedKeys, ()) {
  const auto prefix = *awkward_strings();
  const auto key = *rc::gen::oneOf(
      awkward_strings(),
      rc::gen::map(awkward_strings(), [&](const std::string& tail) { return prefix + tail; }));
  const auto end = key_prefix_end(prefix);
  const bool in_range = key >= prefix && (!end || key < *end);
  RC_ASSERT(in_range == key.starts_with(prefix));
}

}  // namespace
}  // namespace isolith
