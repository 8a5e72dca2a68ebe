// ChosenEngine: the engine that a command line names, with the runner and the files that it needs.
//
// Threads: as Engine.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/runner.h"
#include "isolith/status.h"
#include "tools/interruption.h"
#include "tools/work_directory.h"

namespace isolith::tools {

// For the help of `--engine`: "isolith, sqlite or lmdb".
std::string engines_help();

class ChosenEngine {
 public:
  ChosenEngine() = default;
  ChosenEngine(const ChosenEngine&) = delete;
  ChosenEngine& operator=(const ChosenEngine&) = delete;

  // "isolith", or the name of an adapter. `invalid_argument` names those that there are.
  Status open(const std::string& name);

  // From now on the first SIGINT or SIGTERM makes `is_stopped` true; another one ends the program. Without it
  // the first one does, once the engine's files are removed.
  void stop_at_signal() noexcept { stops_ = true; }
  [[nodiscard]] bool is_stopped() const noexcept { return stopped_; }

  [[nodiscard]] anomalies::Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] anomalies::Runner& runner() noexcept { return runner_; }
  [[nodiscard]] anomalies::IsolithEngine* isolith() noexcept { return isolith_; }  // null: it is another one

  // The level that is taken where none is named: read_committed; where the engine has it not serializable;
  // else its first.
  [[nodiscard]] const std::string& default_level() const;

  // These levels in the engine's order, each once; "all" is all of them. `invalid_argument` names those that
  // there are, and what may have been meant.
  Status choose_levels(const std::vector<std::string>& wanted, std::vector<std::string>& levels) const;

 private:
  void take_signal(int signal);

  std::atomic<bool> stops_ = false;
  std::atomic<bool> stopped_ = false;
  WorkDirectory directory_;
  Interruption interruption_{[this](int signal) { take_signal(signal); }};  // before the runner's threads
  anomalies::Runner runner_;
  std::unique_ptr<anomalies::Engine> engine_;
  anomalies::IsolithEngine* isolith_ = nullptr;
};

}  // namespace isolith::tools
