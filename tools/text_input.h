// TextInput: the bytes of a file, a pipe or a string, and the number of the line that they are on.
//
// A reader of some format takes runs of plain bytes from buffered() and single ones from next(); it never
// needs a whole line in memory, so a line may be longer than the memory of the machine.
//
// Invariants:
//   1. line() is the line of the next byte: it grows when a line feed is consumed, and at no other time.
//   2. After the end or an error buffered() stays empty and next() stays kEndOfInput; status() tells which.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolith/status.h"

namespace isolith::tools {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Reads up to `size` bytes; 0 at the end.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
};

// Opens the file `path`, or standard input for "-". `not_found`, `invalid_argument` for a directory, or
// `io_error`.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

// What messages call `path`: the path itself, or "standard input" for "-".
std::string source_name(const std::string& path);

class TextInput {
 public:
  static constexpr int kEndOfInput = -1;

  // `name` stands before the line number in messages.
  TextInput(std::unique_ptr<ByteSource> source, std::string name);

  // Bytes that were read and not consumed; reads more when there are none. Empty: the end, or an error.
  std::string_view buffered();

  // Drops the first `count` bytes of buffered().
  void consume(std::size_t count) noexcept;

  // Consumes one byte and returns it as 0 to 255, or kEndOfInput.
  int next();

  // The byte that was consumed last, 0 before the first.
  [[nodiscard]] char previous() const noexcept { return previous_; }

  [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
  [[nodiscard]] std::uint64_t consumed_bytes() const noexcept { return consumed_bytes_; }

  // ok at the end of the input.
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  // `invalid_argument` "name:line: what", for the present line or another one.
  [[nodiscard]] Status error(std::string_view what) const { return error_at(line_, what); }
  [[nodiscard]] Status error_at(std::uint64_t line, std::string_view what) const;

 private:
  void refill();

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
  char previous_ = '\0';
  std::uint64_t line_ = 1;
  std::uint64_t consumed_bytes_ = 0;
  Status status_;
};

}  // namespace isolith::tools
