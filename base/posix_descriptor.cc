#include "base/posix_descriptor.h"

#include <sys/types.h>
#include <unistd.h>

#include <limits>

#include "base/system_failure.h"

namespace isolith::base {

bool is_offset(std::uint64_t offset) noexcept {
  return offset <= static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
}

Result<std::size_t> read_descriptor(int descriptor, const std::string& path, std::uint64_t offset,
                                    void* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    if (!is_offset(offset + done)) return system_failure("pread", path, EINVAL);
    const ssize_t count = uninterrupted([&] {
      return ::pread(descriptor, static_cast<char*>(buffer) + done, size - done,
                     static_cast<off_t>(offset + done));
    });
    if (count < 0) return system_failure("pread", path, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status write_descriptor(int descriptor, const std::string& path, std::uint64_t offset, const void* data,
                        std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    if (!is_offset(offset + done)) return system_failure("pwrite", path, EFBIG);
    const ssize_t count = uninterrupted([&] {
      return ::pwrite(descriptor, static_cast<const char*>(data) + done, size - done,
                      static_cast<off_t>(offset + done));
    });
    if (count < 0) return system_failure("pwrite", path, errno);
    if (count == 0)
      return system_failure("pwrite", path, EIO);  // no progress and no reason: not to be repeated
    done += static_cast<std::size_t>(count);
  }
  return {};
}

Status truncate_descriptor(int descriptor, const std::string& path, std::uint64_t size) {
  if (!is_offset(size)) return system_failure("ftruncate", path, EFBIG);
  if (uninterrupted([&] { return ::ftruncate(descriptor, static_cast<off_t>(size)); }) != 0)
    return system_failure("ftruncate", path, errno);
  return {};
}

}  // namespace isolith::base
