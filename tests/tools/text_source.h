// A ByteSource of a string, in pieces of any size, so that tests reach every place where a buffer can end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "tools/text_input.h"

namespace isolith::tools {

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text, std::size_t piece_bytes = SIZE_MAX, Status at_end = {})
      : text_(std::move(text)), piece_bytes_(piece_bytes), at_end_(std::move(at_end)) {}

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t count = text_.copy(buffer, std::min(size, piece_bytes_), position_);
    position_ += count;
    if (count == 0 && !at_end_.ok()) return at_end_;
    return count;
  }

 private:
  std::string text_;
  std::size_t piece_bytes_;
  std::size_t position_ = 0;
  Status at_end_;
};

inline TextInput text_input(std::string text, std::size_t piece_bytes = SIZE_MAX, Status at_end = {}) {
  return TextInput(std::make_unique<TextSource>(std::move(text), piece_bytes, std::move(at_end)), "input");
}

}  // namespace isolith::tools
