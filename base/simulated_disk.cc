// SimulatedDisk: the mutex, the faults, the counting and the handles around SimulatedNames and SimulatedFile.
//
// Invariants:
//   1. Everything below State is touched with its mutex held; the observer is called without it.
//   2. A handle keeps the state and its node alive, so it may outlive its name and the disk.
//   3. A call that is made to fail changes nothing, except that a short write leaves the first half of its
//      bytes, a full disk what there was room for, and a failed sync the mark that its bytes met one.
#include "base/simulated_disk.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/simulated_names.h"
#include "base/system_failure.h"

namespace isolith::base {

namespace {

using Observer = std::function<void(std::uint64_t)>;

// The faults that a call can meet besides io_error.
struct CanMeet {
  bool no_space = false;
  bool short_write = false;
  bool sync_error = false;

  [[nodiscard]] bool meets(Fault fault) const noexcept {
    switch (fault) {
      case Fault::io_error:
        return true;
      case Fault::no_space:
        return no_space;
      case Fault::short_write:
        return short_write;
      case Fault::sync_error:
        return sync_error;
    }
    return false;
  }
};

struct State {
  explicit State(bool track_crashes) : tracked(track_crashes), names(track_crashes) {}

  // Runs `call(changed)` with the mutex; counts it and tells the observer where it set `changed`.
  template <typename Call>
  auto run(Call call) {
    std::unique_lock lock(mutex);
    bool changed = false;
    auto result = call(changed);
    if (!changed) return result;
    const std::uint64_t number = ++change_count;
    const std::shared_ptr<Observer> told = observer;
    lock.unlock();
    if (told) (*told)(number);
    return result;
  }

  // Whether a fault strikes this call: its errno, or 0. With the mutex.
  int strike(CanMeet can_meet) {
    if (!fault || !can_meet.meets(*fault)) return 0;
    if (calls_before_fault > 0) {
      --calls_before_fault;
      return 0;
    }
    const int error = *fault == Fault::no_space ? ENOSPC : EIO;
    struck = std::exchange(fault, std::nullopt);
    return error;
  }

  // How far a file may grow that ends at `size`, to at most `wanted`. With the mutex.
  [[nodiscard]] std::uint64_t room_up_to(std::uint64_t size, std::uint64_t wanted) const {
    if (wanted <= size || capacity == 0) return wanted;
    return size + std::min(wanted - size, capacity - std::min(capacity, total_bytes));
  }

  void resized(const SimulatedNode& node, std::uint64_t size_before) {
    if (node.is_linked) total_bytes += node.file.contents().size() - size_before;
  }

  void unlinked(SimulatedNode& node) {
    node.is_linked = false;
    total_bytes -= node.file.contents().size();
  }

  mutable std::mutex mutex;
  const bool tracked;
  SimulatedNames names;
  std::uint64_t change_count = 0;
  std::shared_ptr<Observer> observer;
  std::optional<Fault> fault;  // to come
  std::uint64_t calls_before_fault = 0;
  std::optional<Fault> struck;  // since fail_call
  std::uint64_t capacity = 0;
  std::uint64_t total_bytes = 0;  // of files that have a name
};

class SimulatedHandle final : public File {
 public:
  SimulatedHandle(std::shared_ptr<State> state, NodePtr node, std::string path, bool writable, bool is_lock)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        is_lock_(is_lock) {}

  ~SimulatedHandle() override {
    if (!is_lock_) return;
    const std::lock_guard lock(state_->mutex);
    node_->is_locked = false;
  }
  SimulatedHandle(const SimulatedHandle&) = delete;
  SimulatedHandle& operator=(const SimulatedHandle&) = delete;

  Result<std::size_t> read_at(std::uint64_t offset, void* buffer, std::size_t size) override {
    const std::lock_guard lock(state_->mutex);
    if (const int error = state_->strike({}); error != 0) return system_failure("pread", path_, error);
    return node_->file.contents().read(offset, buffer, size);
  }

  Status write_at(std::uint64_t offset, const void* data, std::size_t size) override {
    return state_->run([&](bool& changed) { return write_locked(offset, data, size, changed); });
  }

  Status sync() override {
    return state_->run([&](bool& changed) -> Status {
      changed = true;
      if (const int error = state_->strike({.sync_error = true}); error != 0) {
        node_->file.fail_sync();
        return system_failure("fdatasync", path_, error);
      }
      node_->file.sync();
      return {};
    });
  }

  Status truncate(std::uint64_t size) override {
    return state_->run([&](bool& changed) { return truncate_locked(size, changed); });
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard lock(state_->mutex);
    if (const int error = state_->strike({}); error != 0) return system_failure("fstat", path_, error);
    return node_->file.contents().size();
  }

  void discard(std::uint64_t offset, std::uint64_t size) override {
    static_cast<void>(state_->run([&](bool& changed) {
      changed = writable_ && size > 0;
      if (changed) node_->file.discard(offset, size);
      return 0;
    }));
  }

 private:
  Status write_locked(std::uint64_t offset, const void* data, std::size_t size, bool& changed);
  Status truncate_locked(std::uint64_t size, bool& changed);

  std::shared_ptr<State> state_;
  NodePtr node_;
  std::string path_;
  bool writable_;
  bool is_lock_;
};

Status SimulatedHandle::write_locked(std::uint64_t offset, const void* data, std::size_t size,
                                     bool& changed) {
  if (!writable_) return system_failure("pwrite", path_, EBADF);
  if (size == 0) return {};
  if (offset > SparseImage::kMaxBytes || size > SparseImage::kMaxBytes - offset)
    return system_failure("pwrite", path_, EFBIG);
  const std::uint64_t size_before = node_->file.contents().size();
  const std::uint64_t end = state_->room_up_to(size_before, offset + size);
  const bool is_full = end < offset + size;
  std::size_t kept = end <= offset ? 0 : static_cast<std::size_t>(end - offset);
  const int error = state_->strike({.no_space = true, .short_write = true});
  if (error != 0) kept = state_->struck == Fault::short_write ? std::min(kept, size / 2) : 0;
  if (kept > 0) {
    changed = true;
    node_->file.write(offset, data, kept);
    state_->resized(*node_, size_before);
  }
  if (error != 0) return system_failure("pwrite", path_, error);
  return is_full ? system_failure("pwrite", path_, ENOSPC) : Status();
}

Status SimulatedHandle::truncate_locked(std::uint64_t size, bool& changed) {
  if (!writable_) return system_failure("ftruncate", path_, EINVAL);
  if (size > SparseImage::kMaxBytes) return system_failure("ftruncate", path_, EFBIG);
  if (const int error = state_->strike({.no_space = true}); error != 0)
    return system_failure("ftruncate", path_, error);
  const std::uint64_t size_before = node_->file.contents().size();
  if (state_->room_up_to(size_before, size) < size) return system_failure("ftruncate", path_, ENOSPC);
  changed = true;
  node_->file.resize(size);
  state_->resized(*node_, size_before);
  return {};
}

// Finds the file, or makes it where the mode says so. With the mutex.
Result<NodePtr> open_locked(State& state, const std::string& path, OpenMode mode, bool& changed) {
  const bool may_create = mode == OpenMode::create || mode == OpenMode::create_new;
  Result<NodePtr> found = state.names.find("open", path);
  const bool is_missing = found.status().is(StatusCode::not_found);
  if (const int error = state.strike({.no_space = may_create && is_missing}); error != 0)
    return system_failure("open", path, error);
  if (is_missing && may_create) {
    Result<NodePtr> created = state.names.create("open", path, false);
    changed = created.ok();
    return created;
  }
  if (!found.ok()) return found;
  if (mode == OpenMode::create_new) return Status(StatusCode::already_exists, path + " exists", EEXIST);
  if ((*found)->is_directory) return system_failure("open", path, EISDIR);
  return found;
}

}  // namespace

class SimulatedDisk::Impl {
 public:
  explicit Impl(bool track_crashes) : state(std::make_shared<State>(track_crashes)) {}

  std::shared_ptr<State> state;
};

SimulatedDisk::SimulatedDisk(bool track_crashes) : impl_(std::make_unique<Impl>(track_crashes)) {}
SimulatedDisk::~SimulatedDisk() = default;

std::unique_ptr<SimulatedDisk> SimulatedDisk::crash(std::uint64_t seed) const {
  const State& state = *impl_->state;
  auto disk = std::make_unique<SimulatedDisk>(state.tracked);
  State& after = *disk->impl_->state;
  CrashDraw draw(seed);
  const std::lock_guard lock(state.mutex);
  after.names = state.names.after_crash(draw);
  after.total_bytes = after.names.total_bytes();
  after.capacity = state.capacity;
  return disk;
}

std::uint64_t SimulatedDisk::change_count() const noexcept {
  const std::lock_guard lock(impl_->state->mutex);
  return impl_->state->change_count;
}

void SimulatedDisk::on_change(std::function<void(std::uint64_t)> observer) {
  const std::lock_guard lock(impl_->state->mutex);
  impl_->state->observer = observer ? std::make_shared<Observer>(std::move(observer)) : nullptr;
}

void SimulatedDisk::fail_call(std::uint64_t n, Fault fault) {
  const std::lock_guard lock(impl_->state->mutex);
  impl_->state->fault = fault;
  impl_->state->calls_before_fault = n;
  impl_->state->struck.reset();
}

void SimulatedDisk::clear_faults() {
  const std::lock_guard lock(impl_->state->mutex);
  impl_->state->fault.reset();
}

bool SimulatedDisk::fault_happened() const noexcept {
  const std::lock_guard lock(impl_->state->mutex);
  return impl_->state->struck.has_value();
}

void SimulatedDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(impl_->state->mutex);
  impl_->state->capacity = bytes;
}

Result<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path, OpenMode mode) {
  const std::shared_ptr<State>& state = impl_->state;
  return state->run([&](bool& changed) -> Result<std::unique_ptr<File>> {
    Result<NodePtr> node = open_locked(*state, path, mode, changed);
    if (!node.ok()) return std::move(node).status();
    const bool writable = mode != OpenMode::read_only;
    return std::unique_ptr<File>(std::make_unique<SimulatedHandle>(state, *node, path, writable, false));
  });
}

Result<std::unique_ptr<File>> SimulatedDisk::lock(const std::string& path) {
  const std::shared_ptr<State>& state = impl_->state;
  return state->run([&](bool& changed) -> Result<std::unique_ptr<File>> {
    Result<NodePtr> node = open_locked(*state, path, OpenMode::create, changed);
    if (!node.ok()) return std::move(node).status();
    const std::string pid = std::to_string(::getpid());
    if ((*node)->is_locked) return Status(StatusCode::busy, path + " is locked by process " + pid);
    changed = true;
    (*node)->is_locked = true;
    const std::uint64_t size_before = (*node)->file.contents().size();
    (*node)->file.resize(0);
    (*node)->file.write(0, pid.data(), pid.size());
    state->resized(**node, size_before);
    return std::unique_ptr<File>(std::make_unique<SimulatedHandle>(state, *node, path, true, true));
  });
}

Status SimulatedDisk::remove(const std::string& path) {
  State& state = *impl_->state;
  return state.run([&](bool& changed) -> Status {
    if (const int error = state.strike({}); error != 0) return system_failure("unlink", path, error);
    Result<NodePtr> removed = state.names.remove(path);
    if (!removed.ok()) return std::move(removed).status();
    changed = true;
    state.unlinked(**removed);
    return {};
  });
}

Status SimulatedDisk::rename(const std::string& from, const std::string& to) {
  State& state = *impl_->state;
  return state.run([&](bool& changed) -> Status {
    if (const int error = state.strike({}); error != 0)
      return system_failure("rename", from + " to " + to, error);
    Result<NodePtr> replaced = state.names.rename(from, to);
    if (!replaced.ok()) return std::move(replaced).status();
    changed = true;
    if (*replaced) state.unlinked(**replaced);
    return {};
  });
}

Status SimulatedDisk::sync_directory(const std::string& path) {
  State& state = *impl_->state;
  return state.run([&](bool& changed) -> Status {
    Result<NodePtr> found = state.names.find("open", path);
    if (!found.ok()) return std::move(found).status();
    if (!(*found)->is_directory) return system_failure("open", path, ENOTDIR);
    changed = true;
    if (const int error = state.strike({.sync_error = true}); error != 0) {
      state.names.fail_sync(*found);
      return system_failure("fsync", path, error);
    }
    state.names.sync(*found);
    return {};
  });
}

Status SimulatedDisk::create_directory(const std::string& path) {
  State& state = *impl_->state;
  return state.run([&](bool& changed) -> Status {
    Result<NodePtr> found = state.names.find("mkdir", path);
    const bool is_missing = found.status().is(StatusCode::not_found);
    if (const int error = state.strike({.no_space = is_missing}); error != 0)
      return system_failure("mkdir", path, error);
    if (found.ok() && (*found)->is_directory) return {};
    Result<NodePtr> created = state.names.create("mkdir", path, true);
    if (!created.ok()) return std::move(created).status();
    changed = true;
    return {};
  });
}

Result<std::vector<std::string>> SimulatedDisk::list(const std::string& path) {
  State& state = *impl_->state;
  const std::lock_guard lock(state.mutex);
  if (const int error = state.strike({}); error != 0) return system_failure("opendir", path, error);
  Result<NodePtr> found = state.names.find("opendir", path);
  if (!found.ok()) return std::move(found).status();
  if (!(*found)->is_directory) return system_failure("opendir", path, ENOTDIR);
  std::vector<std::string> names;
  for (const auto& [name, node] : (*found)->names) names.push_back(name);
  return names;
}

Result<bool> SimulatedDisk::exists(const std::string& path) {
  State& state = *impl_->state;
  const std::lock_guard lock(state.mutex);
  if (const int error = state.strike({}); error != 0) return system_failure("stat", path, error);
  return state.names.find("stat", path).ok();
}

}  // namespace isolith::base
