// LiveFile: a file that says, for as long as its writer lives, what the writer last wrote; of the operating
// system's files only.
//
//   magic u64, format version u32, size of the body u32, CRC-32C of the body u32, body
//
// The writer keeps a lock on its open file (F_OFD_SETLK), which ends with the process however that ends. A
// reader asks whether there is a lock and takes none, so it disturbs nobody who wants one. The body is
// written over the old one; a reader that meets the middle of that finds a wrong checksum and reads again.
//
// Threads: one at a time for a LiveFile; `read_live_file` from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::base {

class LiveFile {
 public:
  // Makes the file, or takes over what a dead writer left. `busy` if somebody writes it.
  static Result<std::unique_ptr<LiveFile>> create(const std::string& path);
  LiveFile(const LiveFile&) = delete;
  LiveFile& operator=(const LiveFile&) = delete;
  ~LiveFile();  // removes it

  // Never synced: it is of no use to anybody after a crash. At most 4 GiB.
  Status write(std::string_view body);

 private:
  LiveFile(int descriptor, std::string path) noexcept : descriptor_(descriptor), path_(std::move(path)) {}

  int descriptor_;
  std::string path_;
};

// The body; `not_found` where there is none that a living process writes, `corruption` where it is not what a
// LiveFile writes.
Result<std::string> read_live_file(const std::string& path);

}  // namespace isolith::base
