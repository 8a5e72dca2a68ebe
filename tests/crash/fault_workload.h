// FaultWorkload: two lives of a small database on a disk that fails one call, beside a model of its rows.
//
//   first life:  made; tables, rows that split leaves, large values, appends, savepoints, a rollback,
//                checkpoints, commits of every durability, more data than the cache holds; closed
//   second life: opened again without a crash; read, erased (leaves merge), a table dropped and made again;
//                closed
//
// A call that fails leaves the model as it was, or ends the transaction. Work goes on after it: what is read
// is right or refused, and what is acknowledged is in the ledger.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/simulated_disk.h"
#include "isolith/isolith.h"
#include "tests/crash/ledger.h"

namespace isolith::crash {

// The disk as a crash would leave it, and how many commits must be on it.
struct CrashedDisk {
  std::unique_ptr<base::SimulatedDisk> disk;
  std::uint64_t acknowledged = 0;
  std::string when;
};

inline constexpr const char* kDatabase = "database";

// Everything as small as it may be.
Options small_database(base::SimulatedDisk& disk);

// True for a failure that a failing disk explains.
bool is_disk_failure(const Status& status);

class FaultWorkload {
 public:
  // With `crashes` the disk is crashed at the fault and at the end of each life.
  FaultWorkload(base::SimulatedDisk& disk, std::uint64_t seed, bool crashes);

  // The lives. Each returns what is wrong, or nothing.
  std::string first_life();
  std::string second_life();

  // What a healthy database must allow: it is opened, holds at least `acknowledged` commits, verifies, takes
  // writes, is closed, opened and crashed. Returns what is wrong, or nothing.
  std::string look_at(base::SimulatedDisk& disk, std::uint64_t acknowledged);

  [[nodiscard]] std::uint64_t acknowledged() const { return ledger_.acknowledged(); }
  [[nodiscard]] std::vector<CrashedDisk>& crashed() noexcept { return crashed_; }
  // Commits at `sync` that were told of a failed sync of the log.
  [[nodiscard]] std::uint64_t failed_sync_commits() const noexcept { return failed_sync_commits_; }
  // Answers that the disk is full.
  [[nodiscard]] std::uint64_t no_space_answers() const noexcept { return no_space_answers_; }

 private:
  class Work;

  void open();
  void transact(Durability durability, const std::function<void(Work&)>& body);
  void commit(Work& work, Durability durability);
  void find_out();
  void read_all();
  void checkpoint();
  void sync();
  void close();
  std::string end_life();
  bool good(const Status& status, const char* call);
  void look_for_fault();
  void take_crash(const char* when);

  void make_tables();
  void fill(unsigned part, Durability durability);
  void append_and_roll_back();
  void shrink();

  base::SimulatedDisk& disk_;
  base::Random random_;
  const bool takes_crashes_;
  Ledger ledger_;
  std::optional<Database> database_;
  Part committed_;             // as the database shows it now
  std::uint64_t newest_ = 0;   // the newest commit that answered ok in this life
  bool log_failed_ = false;    // in this life: no commit is acknowledged any more
  bool lost_ = false;          // in this life: what the database shows could not be found out
  bool fault_seen_ = false;
  std::uint64_t failed_sync_commits_ = 0;
  std::uint64_t no_space_answers_ = 0;
  std::vector<CrashedDisk> crashed_;
  std::string problem_;        // the first
};

}  // namespace isolith::crash
