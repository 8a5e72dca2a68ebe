// File and FileSystem: all that isolith asks of an operating system's disk.
//
// What each call promises about a crash (the simulated disk keeps exactly to it, and so do POSIX file
// systems):
//   1. Bytes of `write_at` survive once a later `sync` of that file returned ok. Before that any subset of
//      the written 512-byte sectors may survive, in any order; the file's new length may or may not.
//   2. A new, renamed or removed name survives once `sync_directory` of its folder returned ok.
//   3. After a failed `sync` nothing is known about the bytes since the last good one, and calling it again
//      proves nothing: the caller must not retry (fsyncgate).
//
// Errors: `no_space` for ENOSPC and EDQUOT, `not_found` for ENOENT, otherwise `io_error`, each with the
// errno, the call and the path in the message.
//
// Threads: every member may be called from any thread; overlapping writes of one file are the caller's
// business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolith/status.h"

namespace isolith::base {

class File {
 public:
  virtual ~File() = default;  // closes; ends what `lock` took

  // Reads exactly `size` bytes, or fewer at the end of the file; returns how many. Short reads are resumed
  // inside.
  virtual Result<std::size_t> read_at(std::uint64_t offset, void* buffer, std::size_t size) = 0;

  // Writes all bytes or fails; a failure may leave any part of them. Grows the file. Short writes are resumed
  // inside.
  virtual Status write_at(std::uint64_t offset, const void* data, std::size_t size) = 0;

  // fdatasync: the bytes, and the length where it is needed to read them.
  virtual Status sync() = 0;

  virtual Status truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;

  // Gives the blocks of a range back to the file system where it can; they read as anything afterwards. A
  // hint.
  virtual void discard(std::uint64_t offset, std::uint64_t size) = 0;
};

enum class OpenMode : std::uint8_t {
  read_only,
  read_write,
  create,      // read_write; makes an empty file if there is none
  create_new,  // read_write; `already_exists` if there is one
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Status create_directory(const std::string& path) = 0;               // ok if it is there
  virtual Result<std::vector<std::string>> list(
      const std::string& path) = 0;  // names, without . and .., sorted
  virtual Result<bool> exists(const std::string& path) = 0;

  // Takes an exclusive lock for this process (and this opening: a second one in the same process is refused
  // too) on the file `path`, which is made if need be and then holds the process id as decimal text. `busy`
  // with the holder's pid where it is taken. The lock ends with the returned object or the process.
  virtual Result<std::unique_ptr<File>> lock(const std::string& path) = 0;
};

// The operating system's files: one object for the process, never destroyed.
FileSystem& posix_file_system() noexcept;

}  // namespace isolith::base
