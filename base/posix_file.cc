// FileSystem over POSIX calls. Every loop resumes EINTR and short counts; every failure becomes a Status with
// the call, the path and the errno.
//
// Invariants:
//   1. A failed fdatasync is reported once and never repeated here (fsyncgate).
//   2. A lock is held exactly while its PosixFile has an entry in the table of held locks. The table is
//      needed beside flock because some file systems (NFS) give a process a lock that it already has, and
//      drop it when any descriptor of the file is closed: so a refused second opening must not even open the
//      file.
//   3. Nobody removes a lock file: a lock on a removed file would keep nobody out.
//
// Threads: any; the table of held locks has a mutex.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/posix_descriptor.h"
#include "base/system_failure.h"

namespace isolith::base {

namespace {

constexpr mode_t kFileMode = 0644;
constexpr mode_t kDirectoryMode = 0755;

// The file that a name stands for, whatever the name.
struct FileIdentity {
  dev_t device;
  ino_t inode;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

class HeldLocks {
 public:
  bool add(FileIdentity identity) {
    const std::lock_guard guard(mutex_);
    return held_.insert(identity).second;
  }
  void remove(FileIdentity identity) {
    const std::lock_guard guard(mutex_);
    held_.erase(identity);
  }
  bool contains(FileIdentity identity) {
    const std::lock_guard guard(mutex_);
    return held_.contains(identity);
  }

 private:
  std::mutex mutex_;
  std::set<FileIdentity> held_;
};

HeldLocks& held_locks() {
  static HeldLocks* const locks = new HeldLocks;
  return *locks;
}

// Owns a descriptor, and its entry among the held locks if it is one.
class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) noexcept : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override {
    // Closing first: once the entry is gone another thread may open the file, and on NFS our close would end
    // its lock.
    ::close(descriptor_);
    if (is_lock_) held_locks().remove(identity_);
  }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> read_at(std::uint64_t offset, void* buffer, std::size_t size) override;
  Status write_at(std::uint64_t offset, const void* data, std::size_t size) override;
  Status sync() override;
  Status truncate(std::uint64_t size) override;
  Result<std::uint64_t> size() override;
  void discard(std::uint64_t offset, std::uint64_t size) override;

  // Takes the lock or says who has it.
  Status take_lock();

 private:
  [[nodiscard]] Status failure(const char* call) const { return system_failure(call, path_, errno); }

  int descriptor_;
  std::string path_;
  bool is_lock_ = false;
  FileIdentity identity_{};
};

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, void* buffer, std::size_t size) {
  return read_descriptor(descriptor_, path_, offset, buffer, size);
}

Status PosixFile::write_at(std::uint64_t offset, const void* data, std::size_t size) {
  return write_descriptor(descriptor_, path_, offset, data, size);
}

Status PosixFile::sync() {
  if (uninterrupted([&] { return ::fdatasync(descriptor_); }) != 0) return failure("fdatasync");
  return {};
}

Status PosixFile::truncate(std::uint64_t size) {
  return truncate_descriptor(descriptor_, path_, size);
}

Result<std::uint64_t> PosixFile::size() {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) return failure("fstat");
  return static_cast<std::uint64_t>(info.st_size);
}

void PosixFile::discard(std::uint64_t offset, std::uint64_t size) {
  if (size == 0 || !is_offset(offset) || !is_offset(size)) return;
  // A hint: a file system that cannot do it (EOPNOTSUPP) keeps its blocks.
  static_cast<void>(::fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(offset), static_cast<off_t>(size)));
}

Status locked_by(const std::string& path, const std::string& holder) {
  return Status(StatusCode::busy, path + " is locked by process " + holder);
}

Status PosixFile::take_lock() {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) return failure("fstat");
  identity_ = {info.st_dev, info.st_ino};
  if (!held_locks().add(identity_)) return locked_by(path_, std::to_string(::getpid()));
  is_lock_ = true;
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return failure("flock");
    char text[24];
    const Result<std::size_t> size = read_at(0, text, sizeof text);
    // Empty for the moment between the holder's flock and its write.
    return locked_by(path_, size.ok() && *size > 0 ? std::string(text, *size) : std::string("(unknown)"));
  }
  TRY(truncate(0));
  const std::string text = std::to_string(::getpid());
  return write_at(0, text.data(), text.size());
}

int open_flags(OpenMode mode) noexcept {
  switch (mode) {
    case OpenMode::read_only: return O_RDONLY;
    case OpenMode::read_write: return O_RDWR;
    case OpenMode::create: return O_RDWR | O_CREAT;
    case OpenMode::create_new: return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<File>> lock(const std::string& path) override;

 private:
  static Result<std::unique_ptr<PosixFile>> open_file(const std::string& path, OpenMode mode);
};

Result<std::unique_ptr<PosixFile>> PosixFileSystem::open_file(const std::string& path, OpenMode mode) {
  const int descriptor =
      uninterrupted([&] { return ::open(path.c_str(), open_flags(mode) | O_CLOEXEC, kFileMode); });
  if (descriptor < 0) {
    if (errno == EEXIST) return Status(StatusCode::already_exists, path + " exists", EEXIST);
    return system_failure("open", path, errno);
  }
  auto file = std::make_unique<PosixFile>(descriptor, path);
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return system_failure("fstat", path, errno);
  if (S_ISDIR(info.st_mode))
    return system_failure("open", path, EISDIR);  // POSIX would only say so at the first read
  return file;
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  auto file = open_file(path, mode);
  if (!file.ok()) return std::move(file).status();
  return std::unique_ptr<File>(std::move(*file));
}

Status PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return {};
  if (errno != EISDIR) return system_failure("unlink", path, errno);
  if (::rmdir(path.c_str()) != 0) return system_failure("rmdir", path, errno);
  return {};
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_failure("rename", from + " to " + to, errno);
  return {};
}

Status PosixFileSystem::sync_directory(const std::string& path) {
  const int descriptor =
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return system_failure("open", path, errno);
  const int rc = uninterrupted([&] { return ::fsync(descriptor); });
  const int error = errno;
  ::close(descriptor);
  return rc == 0 ? Status() : system_failure("fsync", path, error);
}

Status PosixFileSystem::create_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
  const int error = errno;
  struct stat info {};
  if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return system_failure("mkdir", path, error);
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()),
                                                      [](DIR* open) { return ::closedir(open); });
  if (!directory) return system_failure("opendir", path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return system_failure("readdir", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_failure("stat", path, errno);
}

Result<std::unique_ptr<File>> PosixFileSystem::lock(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && held_locks().contains({info.st_dev, info.st_ino}))
    return locked_by(path, std::to_string(::getpid()));
  auto file = open_file(path, OpenMode::create);
  if (!file.ok()) return std::move(file).status();
  TRY((*file)->take_lock());
  return std::unique_ptr<File>(std::move(*file));
}

}  // namespace

FileSystem& posix_file_system() noexcept {
  static FileSystem* const file_system = new PosixFileSystem;
  return *file_system;
}

}  // namespace isolith::base
