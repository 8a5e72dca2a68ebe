// The words of the language, what was meant by one that is not, and which texts are texts at all.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "anomalies/scenario_lexer.h"
#include "anomalies/utf8.h"

namespace isolith::anomalies {
namespace {

constexpr std::size_t kMaxWordForDistance = 32;

// Levenshtein's, with two neighbours exchanged as one change.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> now(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, change});
      const bool exchanged = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (exchanged) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[right.size()];
}

std::string in_lower_case(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string hexadecimal(char32_t code) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text = "U+0000";
  for (std::size_t i = 5; i >= 2; --i, code >>= 4U) text[i] = kDigits[code & 0xFU];
  return text;
}

std::string describe_control(char32_t code) {
  if (code == 0) return "this is not a text file: a NUL byte stands here";
  if (code == '\r') return "a CR stands inside of a line; end lines with LF or CR LF";
  return "a control character (" + hexadecimal(code) + ") stands here; delete it";
}

bool is_forbidden(char32_t code, std::string_view rest) {
  if (code == '\r') return !(rest.size() == 1 || rest[1] == '\n');
  return (code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7F && code < 0xA0);
}

}  // namespace

bool is_word_of_the_language(std::string_view name) {
  constexpr std::array<std::string_view, 35> kWords = {
      "abort",    "absent",    "all",       "and",           "at",
      "begin",    "commit",    "count",     "erase",         "erase_range",
      "exists",   "false",     "get",       "get_for_share", "get_for_update",
      "happens",  "if",        "insert",    "key",           "nobody",
      "not",      "or",        "prevented", "put",           "require",
      "rollback", "savepoint", "scan",      "sum",           "then",
      "to",       "true",      "update",    "value",         "where"};
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

std::string_view closest(std::string_view word, std::span<const std::string_view> words) {
  if (word.size() > kMaxWordForDistance) return {};
  const std::string lower = in_lower_case(word);
  std::string_view best;
  std::size_t best_distance = 1 + word.size() / 3;  // "putt" is `put`, and "x" is nothing else
  for (const std::string_view candidate : words) {
    if (candidate.size() > kMaxWordForDistance) continue;
    const std::size_t found = distance(lower, in_lower_case(candidate));
    if (found < best_distance && found < candidate.size()) {
      best = candidate;
      best_distance = found;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> words,
                         std::string_view otherwise) {
  const std::string_view best = closest(word, words);
  if (best.empty()) return "; " + std::string(otherwise);
  return "; did you mean " + quoted(best) + "?";
}

std::string listed(std::span<const std::string_view> words, std::string_view none) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text.empty() ? std::string(none) : text;
}

bool check_text(std::string_view text, Problem& problem) {
  Place place{1, 1};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return problem.found(place, "this is UTF-16; save it as UTF-8");
  }
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    if (next.size == 0) {
      if (text.find('\0') != std::string_view::npos) return problem.found(place, "this is not a text file");
      return problem.found(place, "a byte here is not UTF-8; save the file as UTF-8");
    }
    if (is_forbidden(next.code, text.substr(at))) return problem.found(place, describe_control(next.code));
    at += next.size;
    place = next.code == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
  }
  return true;
}

}  // namespace isolith::anomalies
