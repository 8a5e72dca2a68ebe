#include "tools/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace isolith::tools {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

}  // namespace

void Output::write(std::string_view bytes) {
  if (!ok()) return;
  if (descriptor_ == kMemory || buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return;
  }
  flush();
  if (bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
  } else {
    pass_on(bytes);
  }
}

void Output::flush() {
  if (descriptor_ == kMemory) return;
  pass_on(buffer_);
  buffer_.clear();
}

void Output::pass_on(std::string_view bytes) {
  while (ok() && !bytes.empty()) {
    const ::ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EPIPE) {
      reader_gone_ = true;
    } else {
      const StatusCode code = error == ENOSPC ? StatusCode::no_space : StatusCode::io_error;
      status_ = Status(code, fmt::format("cannot write the output: {}", std::strerror(error)), error);
    }
  }
}

}  // namespace isolith::tools
