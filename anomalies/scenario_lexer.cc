// Reading the words of a line.
#include "anomalies/scenario_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "anomalies/utf8.h"

namespace isolith::anomalies {
namespace {

constexpr std::size_t kMaxKeyBytes = 500;  // what every engine with an adapter takes
constexpr std::size_t kMaxExcerptBytes = 40;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Bytes that continue a word, so that an excerpt is a whole one.
bool is_of_word(char c) { return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; }

// Of a key without quotes; points are looked at apart.
bool is_of_key(char32_t c) {
  if (c < 0x80) {
    const char ascii = static_cast<char>(c);
    return is_letter(ascii) || is_digit(ascii) ||
           std::string_view("-:@+").find(ascii) != std::string_view::npos;
  }
  const bool blank_or_quote =
      c == 0xA0 || c == 0xAB || c == 0xBB || (c >= 0x2000 && c <= 0x206F) || c == 0x3000;
  return !blank_or_quote && c != 0xFEFF;
}

}  // namespace

bool Problem::found(Place place, std::string text) {
  if (any_) return false;
  any_ = true;
  place_ = place;
  text_ = std::move(text);
  return false;
}

void LineReader::skip_blanks() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
}

bool LineReader::at_end() {
  skip_blanks();
  return at_ == text_.size() || text_[at_] == '#';
}

std::size_t LineReader::offset() {
  skip_blanks();
  return at_;
}

Place LineReader::place_of(std::size_t offset) {
  if (offset < known_at_) {
    known_at_ = 0;
    known_column_ = 1;
  }
  known_column_ += count_characters(text_.substr(known_at_, offset - known_at_));
  known_at_ = offset;
  return {number_, known_column_};
}

Place LineReader::place() {
  skip_blanks();
  return place_of(at_);
}

std::string_view LineReader::peek_name() {
  skip_blanks();
  if (at_ == text_.size() || !is_letter(text_[at_])) return {};
  std::size_t end = at_;
  while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
  return text_.substr(at_, end - at_);
}

bool LineReader::sees(std::string_view symbol) {
  skip_blanks();
  return text_.substr(at_).starts_with(symbol);
}

bool LineReader::digit_follows() const { return at_ < text_.size() && is_digit(text_[at_]); }

bool LineReader::sees_assignment() {
  const std::string_view name = peek_name();
  if (name.empty()) return false;
  const std::size_t begin = at_;
  at_ += name.size();
  const bool found = sees("=");
  at_ = begin;
  return found;
}

std::string_view LineReader::peek_second() {
  const std::string_view name = peek_name();
  const std::size_t begin = at_;
  at_ += name.size();
  const std::string_view second = name.empty() ? name : peek_name();
  at_ = begin;
  return second;
}

bool LineReader::sees_pointed_name() {
  const std::string_view name = peek_name();
  return !name.empty() && text_.substr(at_ + name.size()).starts_with(".");
}

std::string_view LineReader::peek_word() {
  skip_blanks();
  std::size_t end = at_;
  while (end < text_.size() && is_of_word(text_[end])) ++end;
  return text_.substr(at_, end - at_);
}

std::string LineReader::excerpt() {
  if (at_end()) return "the end of the line";
  const std::string_view word = peek_word();
  return quoted(word.empty() ? text_.substr(at_, character_at(text_, at_).size) : word);
}

bool LineReader::take(std::string_view symbol) {
  if (!sees(symbol)) return false;
  at_ += symbol.size();
  return true;
}

bool LineReader::take_following(std::string_view symbol) {
  if (!follows(symbol)) return false;
  at_ += symbol.size();
  return true;
}

bool LineReader::take_word(std::string_view word) {
  if (!sees_word(word)) return false;
  at_ += word.size();
  return true;
}

std::string_view LineReader::take_name() {
  const std::string_view name = peek_name();
  at_ += name.size();
  return name;
}

bool LineReader::read_number(bool negative, std::int64_t& number) {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  std::string digits(negative ? "-" : "");
  digits += text_.substr(begin, at_ - begin);
  const Place place = place_of(begin);
  if (at_ < text_.size() && (is_of_word(text_[at_]) || text_[at_] == '.')) {
    return wrong_at(place, "this is no whole number; write one, or a text in quotes: \"...\"");
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) {
    return wrong_at(place, quoted(digits) + " does not fit 64 bits; the largest number is " +
                               std::to_string(INT64_MAX) + ", the smallest " + std::to_string(INT64_MIN));
  }
  if (at_ - begin > 1 && text_[begin] == '0') {
    return wrong_at(
        place, "a number does not begin with 0; write " + std::to_string(number) + ", or a text in quotes");
  }
  return true;
}

bool LineReader::read_text(std::string& text) {
  const Place begin = place();
  if (!take("\"")) return wrong("a text in quotes was expected, not " + excerpt() + "; write \"...\"");
  text.clear();
  while (at_ < text_.size() && text_[at_] != '"') {
    if (text_[at_] != '\\') {
      text += text_[at_++];
      continue;
    }
    const char escaped = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
    switch (escaped) {
      case '"':
      case '\\':
        text += escaped;
        break;
      case 'n':
        text += '\n';
        break;
      case 't':
        text += '\t';
        break;
      default:
        return wrong(
            "a backslash stands before what is not \", \\, n or t; for the backslash itself write \\\\");
    }
    at_ += 2;
  }
  if (!take_following("\""))
    return wrong_at(begin, "this text does not end; close it with a \" in the same line");
  return true;
}

bool LineReader::no_key_follows() const {
  if (at_ == text_.size()) return true;
  return text_[at_] != '"' && text_[at_] != '.' && !is_of_key(character_at(text_, at_).code);
}

bool LineReader::read_key_character() {
  if (at_ == text_.size()) return false;
  if (text_[at_] == '.') {
    if (follows("..")) return false;
    ++at_;
    return true;
  }
  const Character next = character_at(text_, at_);
  if (!is_of_key(next.code)) return false;
  at_ += next.size;
  return true;
}

bool LineReader::read_key(std::string& key) {
  const std::size_t begin = at_;
  if (at_ < text_.size() && text_[at_] == '"') {
    if (!read_text(key)) return false;
    if (key.empty()) return wrong_at(place_of(begin), "a key is not empty; write one character at least");
  } else {
    while (read_key_character()) {
    }
    key = text_.substr(begin, at_ - begin);
  }
  if (key.empty()) {
    return wrong("a key was expected, not " + excerpt() +
                 "; it is letters, digits and _ - : @ + . or stands in quotes: \"any key\"");
  }
  if (key.size() > kMaxKeyBytes) {
    return wrong_at(place_of(begin),
                    "this key is too long; it may have " + std::to_string(kMaxKeyBytes) + " bytes at most");
  }
  return true;
}

bool LineReader::expect_end(std::string_view instead) {
  if (at_end()) return true;
  if (sees("//")) return wrong("a comment begins with `#`, not with `//`");
  return wrong(excerpt() + " is unexpected here; " + std::string(instead));
}

std::string_view LineReader::text_since(std::size_t begin) const {
  std::size_t end = at_;
  while (end > begin && is_blank(text_[end - 1])) --end;
  return text_.substr(begin, end - begin);
}

std::string_view LineReader::take_rest() {
  const std::size_t begin = offset();
  at_ = std::min(text_.find('#', begin), text_.size());
  return text_since(begin);
}

std::string_view LineReader::take_raw_rest() {
  const std::size_t begin = offset();
  at_ = text_.size();
  return text_since(begin);
}

std::string quoted(std::string_view word) {
  if (word.size() <= kMaxExcerptBytes) return "`" + std::string(word) + "`";
  std::size_t end = kMaxExcerptBytes;
  while (is_continuation(word[end])) --end;
  return "`" + std::string(word.substr(0, end)) + "...`";
}

}  // namespace isolith::anomalies
