#include "tools/text_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace isolith::tools {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(int descriptor, std::string name, bool owned)
      : descriptor_(descriptor), name_(std::move(name)), owned_(owned) {}
  DescriptorSource(const DescriptorSource&) = delete;
  DescriptorSource& operator=(const DescriptorSource&) = delete;
  ~DescriptorSource() override {
    if (owned_) ::close(descriptor_);
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    for (;;) {
      const ::ssize_t count = ::read(descriptor_, buffer, size);
      if (count >= 0) return static_cast<std::size_t>(count);
      const int error = errno;
      if (error == EINTR) continue;
      return Status(StatusCode::io_error, fmt::format("cannot read {}: {}", name_, std::strerror(error)),
                    error);
    }
  }

 private:
  int descriptor_;
  std::string name_;
  bool owned_;
};

}  // namespace

std::string source_name(const std::string& path) { return path == "-" ? "standard input" : path; }

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  if (path == "-") {
    std::unique_ptr<ByteSource> source =
        std::make_unique<DescriptorSource>(STDIN_FILENO, source_name(path), false);
    return source;
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const int error = errno;
    const StatusCode code = error == ENOENT ? StatusCode::not_found : StatusCode::io_error;
    return Status(code, fmt::format("cannot open '{}': {}", path, std::strerror(error)), error);
  }
  std::unique_ptr<ByteSource> source =
      std::make_unique<DescriptorSource>(descriptor, fmt::format("'{}'", path), true);
  struct ::stat information {};
  if (::fstat(descriptor, &information) == 0 && S_ISDIR(information.st_mode)) {
    return Status(StatusCode::invalid_argument, fmt::format("'{}' is a directory, not a file", path));
  }
  return source;
}

TextInput::TextInput(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)), buffer_(kBufferBytes) {}

std::string_view TextInput::buffered() {
  if (begin_ == end_ && !ended_) refill();
  return {buffer_.data() + begin_, end_ - begin_};
}

void TextInput::consume(std::size_t count) noexcept {
  if (count == 0) return;
  const char* first = buffer_.data() + begin_;
  line_ += static_cast<std::uint64_t>(std::count(first, first + count, '\n'));
  previous_ = first[count - 1];
  begin_ += count;
  consumed_bytes_ += count;
}

int TextInput::next() {
  const std::string_view bytes = buffered();
  if (bytes.empty()) return kEndOfInput;
  const char byte = bytes.front();
  consume(1);
  return static_cast<unsigned char>(byte);
}

Status TextInput::error_at(std::uint64_t line, std::string_view what) const {
  return {StatusCode::invalid_argument, fmt::format("{}:{}: {}", name_, line, what)};
}

void TextInput::refill() {
  begin_ = end_ = 0;
  Result<std::size_t> count = source_->read(buffer_.data(), buffer_.size());
  if (!count.ok()) {
    status_ = count.status();
    ended_ = true;
    return;
  }
  end_ = *count;
  if (*count == 0) ended_ = true;
}

}  // namespace isolith::tools
