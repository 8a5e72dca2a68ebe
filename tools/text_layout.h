// Text in columns: how wide text is on a terminal, breaking it into lines, filling it up to a width.
//
// A width is in columns of a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks, 1
// for all other code points. Text is UTF-8; a byte that is not counts 1.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace isolith::tools {

std::size_t display_width(std::string_view text) noexcept;

// Lines of at most `width` (at least 1), broken at spaces, or within a word that is wider than a line, behind
// a slash if there is one; lines after the first begin with `indent` spaces. One line at least.
std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t indent = 0);

// Paragraphs, each wrapped and indented by `indent`; an empty line between those that an empty line parts.
std::string wrap_paragraphs(std::string_view text, std::size_t width, std::size_t indent);

// With spaces behind it up to `width`; as it is, where it is wider.
std::string pad(std::string_view text, std::size_t width);

// Cut after `width - 1`, with `mark` behind, where it is wider than `width`.
std::string shorten(std::string_view text, std::size_t width, std::string_view mark);

}  // namespace isolith::tools
