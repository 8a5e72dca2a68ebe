#include "base/live_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/posix_descriptor.h"
#include "base/system_failure.h"

namespace isolith::base {
namespace {

constexpr std::uint64_t kMagic = 0x0065'7669'4C6F'7369;  // "isoLive" and a zero byte
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 20;
constexpr std::uint64_t kBytesMax = std::uint64_t{64} << 20;  // that a reader takes for what it is
constexpr int kAttempts = 1000;

struct Descriptor {
  explicit Descriptor(int opened) noexcept : number(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int number;
};

// Of the first byte, which stands for the file.
struct flock lock_of(short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = 0;
  lock.l_len = 1;
  return lock;
}

Status damaged(const std::string& path, const char* what) {
  return {StatusCode::corruption, path + ": " + what};
}

// All bytes that are there.
Result<std::string> read_all(int descriptor, const std::string& path) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return system_failure("fstat", path, errno);
  if (!S_ISREG(info.st_mode)) return damaged(path, "not a file");
  if (static_cast<std::uint64_t>(info.st_size) > kBytesMax) return damaged(path, "too large");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  const Result<std::size_t> done = read_descriptor(descriptor, path, 0, bytes.data(), bytes.size());
  TRY(done);
  bytes.resize(*done);
  return bytes;
}

Result<std::string> body_of(const std::string& bytes, const std::string& path) {
  ByteReader reader(bytes);
  std::uint64_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
  std::string_view body;
  if (!reader.fixed(magic) || !reader.fixed(version) || !reader.fixed(size) || !reader.fixed(crc) ||
      !reader.bytes(size, body)) {
    return damaged(path, "shorter than it says");
  }
  if (magic != kMagic) return damaged(path, "not a file of live figures");
  if (version != kVersion) return damaged(path, "written by another version of isolith");
  if (crc32c(body.data(), body.size()) != crc) return damaged(path, "its checksum is wrong");
  return std::string(body);
}

}  // namespace

Result<std::unique_ptr<LiveFile>> LiveFile::create(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.number < 0) return system_failure("open", path, errno);
  struct flock lock = lock_of(F_WRLCK);
  if (::fcntl(file.number, F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return Status(StatusCode::busy, path + " is written by another");
    return system_failure("fcntl", path, errno);
  }
  std::unique_ptr<LiveFile> live(new LiveFile(file.number, path));
  file.number = -1;
  return live;
}

// The name first: whoever opens it after that finds nothing, and not a file without a writer.
LiveFile::~LiveFile() {
  ::unlink(path_.c_str());
  ::close(descriptor_);
}

Status LiveFile::write(std::string_view body) {
  std::string bytes;
  append_fixed(bytes, kMagic);
  append_fixed(bytes, kVersion);
  append_fixed(bytes, static_cast<std::uint32_t>(body.size()));
  append_fixed(bytes, crc32c(body.data(), body.size()));
  bytes += body;
  TRY(write_descriptor(descriptor_, path_, 0, bytes.data(), bytes.size()));
  return truncate_descriptor(descriptor_, path_, bytes.size());
}

Result<std::string> read_live_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number < 0) return system_failure("open", path, errno);
  Status status;
  for (int i = 0; i < kAttempts; ++i) {
    struct flock lock = lock_of(F_RDLCK);
    if (::fcntl(file.number, F_OFD_GETLK, &lock) != 0) return system_failure("fcntl", path, errno);
    if (lock.l_type == F_UNLCK) return Status(StatusCode::not_found, path + " has no living writer");
    const Result<std::string> bytes = read_all(file.number, path);
    TRY(bytes);
    Result<std::string> body = body_of(*bytes, path);
    if (body.ok()) return body;
    status = body.status();
  }
  return status;
}

}  // namespace isolith::base
