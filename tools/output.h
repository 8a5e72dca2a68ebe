// Output: bytes to a file descriptor, through a buffer, with errors kept until the end.
//
// A pipe whose reader has gone away (`isolith scan ... | head`) is no error: ok() becomes false, the caller
// stops, and status() stays ok. The program must ignore SIGPIPE for that.
//
// Threads: one at a time.
#pragma once

#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::tools {

class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}

  // Keeps everything; memory() returns it.
  static Output in_memory() { return Output(kMemory); }

  // Copies `bytes`, and passes them on when enough have come together. Nothing once ok() is false.
  void write(std::string_view bytes);

  // Passes on what is buffered. Call it before the end: the destructor does not.
  void flush();

  // False when nothing more can be written: the reader has gone, or an error happened.
  [[nodiscard]] bool ok() const noexcept { return !reader_gone_ && status_.ok(); }

  // The error, or ok; also ok when the reader has gone.
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  // What was written to in_memory().
  [[nodiscard]] const std::string& memory() const noexcept { return buffer_; }

 private:
  static constexpr int kMemory = -1;

  void pass_on(std::string_view bytes);

  int descriptor_;
  bool reader_gone_ = false;
  std::string buffer_;
  Status status_;
};

}  // namespace isolith::tools
