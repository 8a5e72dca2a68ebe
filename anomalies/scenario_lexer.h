// The words of a scenario file: one line, read from left to right; and the first thing that is wrong.
//
// Example:
//   Problem problem;
//   LineReader line("put accounts/alice = 7", 12, problem);
//   if (line.take_word("put")) ...
//
// What reads returns false when something is wrong; `Problem` then says what, and nothing more is read.
//
// Threads: from one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "anomalies/expression.h"

namespace isolith::anomalies {

// What is wrong, and where: the first thing that was found.
class Problem {
 public:
  // False, for `return problem.found(...)`. `text`: "what is wrong; what to write instead".
  bool found(Place place, std::string text);

  [[nodiscard]] bool any() const noexcept { return any_; }
  [[nodiscard]] Place place() const noexcept { return place_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  bool any_ = false;
  Place place_;
  std::string text_;
};

// The text is valid (`check_text`) and outlives the reader; it has no end of line.
class LineReader {
 public:
  LineReader(std::string_view text, std::uint32_t number, Problem& problem)
      : text_(text), number_(number), problem_(problem) {}

  // ---- these look at what comes next, after blanks ----

  [[nodiscard]] bool at_end();  // a comment is the end
  [[nodiscard]] Place place();
  [[nodiscard]] std::size_t offset();
  [[nodiscard]] std::string_view peek_name();  // a letter or '_', then letters, digits and '_'; or empty
  [[nodiscard]] bool sees(std::string_view symbol);
  [[nodiscard]] bool digit_follows() const;  // with no blank before it
  [[nodiscard]] bool sees_word(std::string_view word) { return peek_name() == word; }
  [[nodiscard]] bool sees_assignment();          // a name, then '='
  [[nodiscard]] std::string_view peek_second();  // the name behind a name; or empty
  [[nodiscard]] bool sees_pointed_name();        // a name and a point, as in A.x
  [[nodiscard]] std::string_view peek_word();    // as a name, with letters beyond ASCII; or empty
  [[nodiscard]] std::string excerpt();           // "`word`", or "the end of the line"

  // ---- these take it, if it is there ----

  bool take(std::string_view symbol);
  bool take_word(std::string_view word);
  std::string_view take_name();                  // empty: there is none
  bool follows(std::string_view symbol) const {  // with no blank before it
    return text_.substr(at_).starts_with(symbol);
  }
  bool take_following(std::string_view symbol);
  // Whether no key begins right here.
  [[nodiscard]] bool no_key_follows() const;

  // ---- these report a problem where it is not there or is wrong ----

  bool read_number(bool negative, std::int64_t& number);  // its digits; `negative`: a '-' was taken before
  bool read_text(std::string& text);                      // in double quotes
  // A key, in quotes or not, that begins right here, with no blank before it.
  bool read_key(std::string& key);
  // "`word` is unexpected here; `instead`", unless the line is at its end.
  bool expect_end(std::string_view instead);

  // What was read since `begin`, an offset, without blanks at its end.
  [[nodiscard]] std::string_view text_since(std::size_t begin) const;
  // All that is left, without a comment and without blanks around it. No more is left then.
  std::string_view take_rest();
  std::string_view take_raw_rest();  // with what would be a comment

  bool wrong(std::string text) { return problem_.found(place(), std::move(text)); }
  bool wrong_at(Place place, std::string text) { return problem_.found(place, std::move(text)); }
  [[nodiscard]] Place place_of(std::size_t offset);
  [[nodiscard]] Place place_here() { return place_of(at_); }  // before blanks
  [[nodiscard]] Place place_before(std::size_t bytes) { return place_of(at_ - bytes); }

 private:
  void skip_blanks();
  bool read_key_character();

  std::string_view text_;
  std::uint32_t number_;
  Problem& problem_;
  std::size_t at_ = 0;

  // The column of `known_at_`, from which that of another place is counted.
  std::size_t known_at_ = 0;
  std::uint32_t known_column_ = 1;
};

// The words that are no names of tables, sessions, variables and savepoints.
[[nodiscard]] bool is_word_of_the_language(std::string_view name);

// The one that is most like `word`, if one is like it; otherwise empty.
std::string_view closest(std::string_view word, std::span<const std::string_view> words);

// "; did you mean `x`?" of `closest`, or `otherwise`.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> words,
                         std::string_view otherwise);

// "`word`", cut where it is long.
std::string quoted(std::string_view word);

// "a, b, c", or `none`.
std::string listed(std::span<const std::string_view> words, std::string_view none);

// Whether the text is UTF-8 with no control characters but tabs and ends of lines. A byte order mark in front
// is not looked at: `text` is without it.
bool check_text(std::string_view text, Problem& problem);

}  // namespace isolith::anomalies
