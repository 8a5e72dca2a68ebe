// Calls on a file descriptor that go on after EINTR and short counts.
//
// Threads: any.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "isolith/status.h"

namespace isolith::base {

// Calls until it is not interrupted.
template <typename Call>
auto uninterrupted(Call call) noexcept {
  auto rc = call();
  while (rc < 0 && errno == EINTR) rc = call();
  return rc;
}

// Whether a file can have it.
bool is_offset(std::uint64_t offset) noexcept;

// `path` is for the error. Fewer bytes than `size` only at the end of the file.
Result<std::size_t> read_descriptor(int descriptor, const std::string& path, std::uint64_t offset,
                                    void* buffer, std::size_t size);
Status write_descriptor(int descriptor, const std::string& path, std::uint64_t offset, const void* data,
                        std::size_t size);
Status truncate_descriptor(int descriptor, const std::string& path, std::uint64_t size);

}  // namespace isolith::base
