// SimulatedDisk: a FileSystem in memory that can crash and fail, for tests and for databases in memory.
//
// It keeps, for every file and directory, what was synced apart from what was only written. `crash` gives a
// new disk as it might look after the power failed: every unsynced write is split into sectors of 512 bytes
// (or 4 KiB, drawn once per crash), and each sector survives, is lost, or gives way to an older unsynced
// write of the same place, all drawn from the seed; unsynced file lengths and names survive or not likewise.
// What was synced always survives.
//
// Faults: `fail_call(n, fault)` makes the n-th call from now (0: the next) that can fail that way fail.
// `sync` after a fault on `sync` keeps failing for that file's earlier bytes to be lost: they count as never
// synced (fsyncgate).
//
// Threads: every member may be called from any thread (one mutex).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/file.h"

namespace isolith::base {

enum class Fault : std::uint8_t {
  io_error,     // EIO: any call
  no_space,     // ENOSPC: write_at, truncate, open that creates, create_directory
  short_write,  // write_at writes a part of its bytes and fails with EIO
  sync_error,  // sync and sync_directory fail with EIO; the bytes since the last good sync will not survive a
               // crash
};

class SimulatedDisk : public FileSystem {
 public:
  // With `track_crashes` false nothing is kept apart: an ordinary file system in memory, at the price of its
  // bytes.
  explicit SimulatedDisk(bool track_crashes = true);
  ~SimulatedDisk() override;
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  // What might be found after a crash now. May be called many times, also while the disk is in use: each call
  // is a crash state of its own. Locks are not carried over.
  [[nodiscard]] std::unique_ptr<SimulatedDisk> crash(std::uint64_t seed) const;

  // One state per write/sync: how many calls that change something have been made so far; a test that copies
  // the disk at several of these counts samples crash points.
  [[nodiscard]] std::uint64_t change_count() const noexcept;

  // Calls `observer` (outside the mutex, in the thread that made the call) after every call that changed
  // something, with its number. One observer at most; empty: none.
  void on_change(std::function<void(std::uint64_t)> observer);

  // The n-th call from now that can fail this way fails, once. Replaces an earlier one.
  void fail_call(std::uint64_t n, Fault fault);
  void clear_faults();
  [[nodiscard]] bool fault_happened() const noexcept;  // since the last fail_call

  // A limit on the bytes of all files; a write past it fails with `no_space`. 0: no limit.
  void set_capacity(std::uint64_t bytes);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<File>> lock(const std::string& path) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace isolith::base
