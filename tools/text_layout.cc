#include "tools/text_layout.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace isolith::tools {
namespace {

struct CodeRange {
  char32_t first;
  char32_t last;
};

// Unicode 15, by blocks: close enough for names and values of examples.
constexpr std::array<CodeRange, 7> kCombining{{{0x0300, 0x036f},
                                               {0x0483, 0x0489},
                                               {0x0591, 0x05bd},
                                               {0x064b, 0x065f},
                                               {0x200b, 0x200f},
                                               {0x20d0, 0x20ff},
                                               {0xfe00, 0xfe0f}}};
constexpr std::array<CodeRange, 10> kWide{{{0x1100, 0x115f},
                                           {0x2e80, 0x303e},
                                           {0x3041, 0xa4cf},
                                           {0xac00, 0xd7a3},
                                           {0xf900, 0xfaff},
                                           {0xfe30, 0xfe6f},
                                           {0xff00, 0xff60},
                                           {0xffe0, 0xffe6},
                                           {0x1f300, 0x1faff},
                                           {0x20000, 0x3fffd}}};

template <std::size_t size>
bool is_in(const std::array<CodeRange, size>& ranges, char32_t code) noexcept {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const CodeRange& range) { return code >= range.first && code <= range.last; });
}

struct Character {
  std::size_t bytes = 1;
  std::size_t width = 1;
};

// The character that `text`, which is not empty, begins with.
Character first_character(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (bytes == 1 || bytes > text.size()) return {};
  char32_t code = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80U) return {};
    code = (code << 6U) | (byte & 0x3fU);
  }
  if (is_in(kCombining, code)) return {bytes, 0};
  return {bytes, is_in(kWide, code) ? 2U : 1U};
}

// How many bytes of `text` fit into `width`; one character at least.
std::size_t fitting_prefix(std::string_view text, std::size_t width) noexcept {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const Character next = first_character(text.substr(bytes));
    if (bytes > 0 && used + next.width > width) break;
    used += next.width;
    bytes += next.bytes;
  }
  return bytes;
}

// Adds words to lines.
class Wrapper {
 public:
  Wrapper(std::size_t width, std::size_t indent)
      : width_(std::max<std::size_t>(width, 1)), indent_(indent < width_ ? indent : 0) {}

  // `spaces`: how many stand in front of it in the text.
  void add(std::string_view word, std::size_t spaces) {
    if (!line_is_empty_ && used_ + spaces + display_width(word) > width_) break_line();
    if (!line_is_empty_) append(std::string(spaces, ' '));
    while (used_ + display_width(word) > width_) {
      std::size_t bytes = fitting_prefix(word, width_ > used_ ? width_ - used_ : 1);
      const std::size_t slash = word.substr(0, bytes).rfind('/');
      if (slash != std::string_view::npos) bytes = slash + 1;
      append(word.substr(0, bytes));
      word.remove_prefix(bytes);
      if (word.empty()) return;
      break_line();
    }
    append(word);
    line_is_empty_ = line_is_empty_ && word.empty();
  }

  std::vector<std::string> take() { return std::move(lines_); }

 private:
  void append(std::string_view text) {
    lines_.back().append(text);
    used_ += display_width(text);
    line_is_empty_ = line_is_empty_ && text.empty();
  }

  void break_line() {
    lines_.emplace_back(indent_, ' ');
    used_ = indent_;
    line_is_empty_ = true;
  }

  std::size_t width_;
  std::size_t indent_;
  std::vector<std::string> lines_{1};
  std::size_t used_ = 0;
  bool line_is_empty_ = true;  // but for the indent
};

}  // namespace

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    width += next.width;
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t indent) {
  Wrapper lines(width, indent);
  while (!text.empty()) {
    const std::size_t spaces = std::min(text.find_first_not_of(' '), text.size());
    text.remove_prefix(spaces);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    if (!word.empty()) lines.add(word, spaces);
  }
  return lines.take();
}

std::string wrap_paragraphs(std::string_view text, std::size_t width, std::size_t indent) {
  std::string wrapped;
  const std::size_t inner = width > indent ? width - indent : 1;
  std::string paragraph;
  const auto finish = [&] {
    if (paragraph.empty()) return;
    if (!wrapped.empty()) wrapped += '\n';
    for (const std::string& line : wrap(paragraph, inner)) wrapped += std::string(indent, ' ') + line + '\n';
    paragraph.clear();
  };
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      finish();
    } else {
      if (!paragraph.empty()) paragraph += ' ';
      paragraph += line;
    }
  }
  finish();
  return wrapped;
}

std::string pad(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  std::string padded(text);
  if (used < width) padded.append(width - used, ' ');
  return padded;
}

std::string shorten(std::string_view text, std::size_t width, std::string_view mark) {
  if (display_width(text) <= width) return std::string(text);
  const std::size_t marked = display_width(mark);
  std::string cut(text.substr(0, fitting_prefix(text, width > marked ? width - marked : 1)));
  return cut.append(mark);
}

}  // namespace isolith::tools
