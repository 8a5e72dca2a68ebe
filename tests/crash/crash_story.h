// CrashStory: a database on a simulated disk that lives, crashes and lives on, and is looked at as it would
// be after a crash at very many points on the way.
//
//   life:   open -> workers' calls -> close, or crash, or crash while it is being opened again
//   state:  disk.crash(seed) right after a change of the disk, opened, compared with the ledger, verified;
//   now and then
//           written to, closed and opened once more
//
// The seed gives the program of the workers and the choice of points; threads of the engine may move what a
// point is.
//
// Threads: one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/simulated_disk.h"
#include "isolith/isolith.h"
#include "tests/crash/ledger.h"
#include "tests/crash/worker.h"

namespace isolith::crash {

struct StoryOptions {
  std::uint64_t seed = 0;
  unsigned workers = 3;
  bool threads = false;  // each worker in a thread of its own; otherwise their calls are interleaved
  unsigned lives = 3;
  unsigned calls = 900;            // of all workers, in one life
  std::uint64_t states_per_life = 30;
  std::uint64_t keys_max = 400;
  unsigned large_per_mille = 30;
};

// The options of small databases: the cache is smaller than the data, segments and checkpoints come often.
Options small_options(base::SimulatedDisk& disk);

class CrashStory {
 public:
  explicit CrashStory(const StoryOptions& options);

  // Returns what is wrong, or nothing.
  std::string run();

  [[nodiscard]] std::uint64_t states() const noexcept { return states_; }

 private:
  struct Point {
    std::unique_ptr<base::SimulatedDisk> disk;
    std::uint64_t acknowledged = 0;
    std::uint64_t change = 0;
  };

  std::string live();
  std::string work(Database& database);
  std::string work_in_threads(Database& database);
  void take_point(std::uint64_t change);
  std::string look_at_points();
  std::string look_at(const Point& point);
  std::string write_again(Database& database, Part& part);

  const StoryOptions options_;
  base::Random random_;
  Ledger ledger_;
  std::vector<Worker> workers_;
  std::unique_ptr<base::SimulatedDisk> disk_;
  std::uint64_t states_ = 0;

  std::mutex points_mutex_;  // for what follows: the engine's threads take points, too
  std::uint64_t one_in_ = 20;  // of the changes one is looked at
  base::Random point_random_;
  std::vector<Point> points_;
};

}  // namespace isolith::crash
