// Opening and closing.
//
//   DIRECTORY/lock    locked while open; holds the process's id
//   DIRECTORY/data    pages (pages/README.md)
//   DIRECTORY/log/    segments (wal/README.md)
//   DIRECTORY/live    figures for other processes, while open (txn/live_report.cc)
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>

#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

std::uint64_t random_number() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status check_options(const Options& options) {
  const auto wrong = [](const char* what) { return Status(StatusCode::invalid_argument, what); };
  if (options.cache_bytes < pages::kCacheBytesMin) return wrong("cache_bytes is at least 1 MiB");
  if (options.cache_bytes / pages::kPageBytes >= pages::kNoFrame)
    return wrong("cache_bytes is at most 32 TiB");
  if (options.async_interval_ms < 1 || options.async_interval_ms > 60'000) {
    return wrong("async_interval_ms is from 1 to 60,000");
  }
  if (options.checkpoint_log_bytes < (std::uint64_t{1} << 20))
    return wrong("checkpoint_log_bytes is at least 1 MiB");
  if (options.log_segment_bytes < (std::uint64_t{256} << 10) ||
      options.log_segment_bytes > (std::uint64_t{1} << 30)) {
    return wrong("log_segment_bytes is from 256 KiB to 1 GiB");
  }
  return {};
}

}  // namespace

Core::Core(const Options& options, base::FileSystem& files, std::string path)
    : options_(options),
      files_(files),
      path_(std::move(path)),
      instance_(random_number() | 1),
      hook_(options.wait_hook != nullptr ? *options.wait_hook : default_wait_hook()),
      wait_teller_(*this, hook_),
      gate_(slots_, hook_),
      tracker_(options_.locks, hook_, published_ts_),
      stamp_(random_number() | 1) {}

Core::~Core() {
  stop_threads();
  log_.reset();  // its thread tells this object what is durable
}

Result<Core*> Core::open(const std::string& path, const Options& options) {
  TRY(check_options(options));
  if (path.empty()) return Status(StatusCode::invalid_argument, "the path is empty");
  base::FileSystem& files = options.file_system != nullptr ? *options.file_system : base::posix_file_system();
  std::unique_ptr<Core> self(new Core(options, files, path));
  TRY(self->open_files());
  return self.release();
}

Result<Core*> Core::open_in_memory(const Options& options) {
  TRY(check_options(options));
  auto memory = std::make_unique<base::SimulatedDisk>(false);
  base::SimulatedDisk& disk = *memory;
  std::unique_ptr<Core> self(new Core(options, disk, "/memory"));
  self->memory_ = std::move(memory);
  TRY(disk.create_directory(self->path_));
  TRY(self->open_files());
  return self.release();
}

Status Core::lock_directory() {
  const Result<bool> there = files_.exists(data_path());
  TRY(there);
  if (!*there) {
    if (!options_.create_if_missing || options_.read_only) {
      return {StatusCode::not_found, "there is no isolith database in " + path_};
    }
    TRY(files_.create_directory(path_));
    // Its name, too, must survive a crash.
    if (const Status status = files_.sync_directory(parent_of(path_)); !status.ok()) {
      (void)files_.remove(path_).ok();  // a failed sync is not tried again: the next opening makes a new name
      return status;
    }
    const Result<std::vector<std::string>> names = files_.list(path_);
    TRY(names);
    for (const std::string& name : *names) {
      if (name == "lock" || name == "log") continue;
      return {StatusCode::invalid_argument,
              path_ + " is not an isolith database: it holds " + name + " and no data file"};
    }
  }
  Result<std::unique_ptr<base::File>> lock = files_.lock(path_ + "/lock");
  // A reader may have no right to make the lock file; but never beside a process that writes.
  if (options_.read_only && !lock.ok() && !lock.status().is(StatusCode::busy)) return {};
  TRY(lock);
  directory_lock_ = *std::move(lock);
  return {};
}

// The data file, made if it is not there or was never finished.
Status Core::create_if_needed() {
  const Result<bool> there = files_.exists(data_path());
  TRY(there);
  Status missing(StatusCode::not_found);
  if (*there) {
    Result<std::unique_ptr<pages::PageFile>> file =
        pages::PageFile::open(files_, data_path(), options_.read_only);
    if (file.ok()) {
      file_ = *std::move(file);
      return {};
    }
    missing = std::move(file).status();
  }
  if (!missing.is(StatusCode::not_found) || options_.read_only || !options_.create_if_missing) return missing;
  Result<std::unique_ptr<pages::PageFile>> file =
      pages::PageFile::create(files_, data_path(), random_number());
  TRY(file);
  file_ = *std::move(file);
  return {};
}

Status Core::open_files() {
  TRY(lock_directory());
  TRY(create_if_needed());
  const auto begin = std::chrono::steady_clock::now();
  recovery_.checkpoint_number = file_->header().number;
  Result<std::unique_ptr<pages::PageCache>> cache = pages::PageCache::create(*file_, options_.cache_bytes);
  TRY(cache);
  cache_ = *std::move(cache);
  TRY(recover());
  locks_ = std::make_unique<locking::LockManager>(wait_teller_, options_.locks,
                                                  [this](const std::function<void(locking::Owner&)>& visit) {
                                                    for (std::uint32_t i = 0; i < slots_.count(); ++i)
                                                      visit(slots_.at(i).owner);
                                                  });
  recovery_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  begin_live_report();
  if (log_ != nullptr) background_ = std::thread([this] { run_background(); });
  // A new database's catalog is in its first real checkpoint, before anything is promised.
  return recovery_.created && log_ != nullptr ? run_checkpoint(false) : Status();
}

void Core::stop_threads() {
  if (background_.joinable()) {
    {
      const std::lock_guard lock(background_mutex_);
      background_stop_ = true;
    }
    background_wake_.notify_all();
    background_.join();
  }
}

Status Core::close() {
  if (closed_.load(std::memory_order_acquire)) return {};
  std::uint64_t handles = 1;  // the Database's own
  stop_threads();
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    TransactionState& state = slots_.at(i);
    if (state.in_use.load(std::memory_order_acquire) == 0) continue;
    if (state.phase == Phase::active) (void)abort(state).ok();
    handles += state.handles.load(std::memory_order_acquire);
  }
  Status status;
  if (log_ != nullptr) {
    TransactionState* self = slots_.acquire();
    if (self != nullptr) collect(*self, Effort::whole);
    status = run_checkpoint(true);
    // Once more where pages were moved to the front: then the end of the file is free and goes.
    if (status.ok() && file_->map().slot_end() > file_->map().slots_used() + file_->map().slots_used() / 16) {
      status = run_checkpoint(true);
    }
    if (status.ok()) (void)file_->shrink().ok();
    // Where the data file cannot be written the log may be, and then no commit is lost.
    if (!status.ok()) (void)log_->make_durable(log_->appended_lsn(), kNoTransaction).ok();
  }
  live_file_.reset();
  log_.reset();
  cache_.reset();
  file_.reset();
  directory_lock_.reset();
  orphans_.store(handles, std::memory_order_relaxed);
  closed_.store(true, std::memory_order_release);
  return status;
}

Status Core::check_key(std::string_view key) const {
  if (key.size() <= kMaxKeyBytes) [[likely]]
    return {};
  return {StatusCode::too_large,
          "a key of " + std::to_string(key.size()) + " bytes; the limit is " + std::to_string(kMaxKeyBytes)};
}

Status Core::writing_health() const {
  if (!writing_failed_.load(std::memory_order_acquire)) [[likely]]
    return {};
  const std::lock_guard lock(health_mutex_);
  return writing_failure_;
}

// From now on nothing is written: what is on disk stays what it is, for the next opening to recover from.
void Core::fail_writing(const Status& reason) {
  const std::lock_guard lock(health_mutex_);
  if (writing_failed_.load(std::memory_order_relaxed)) return;
  writing_failure_ = reason.is(StatusCode::read_only)
                         ? reason
                         : Status(StatusCode::read_only, "writing has stopped: " + reason.to_string());
  writing_failed_.store(true, std::memory_order_release);
}

}  // namespace isolith::txn
