// UndoPool: undo logs to be used again; and the hold that keeps their contents while a checkpoint saves them.
//
// While held, a log that was given back is kept as it is: a checkpoint may be reading what it held at its
// instant.
//
// Threads: any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "mvcc/version_store.h"

namespace isolith::txn {

class UndoPool {
 public:
  mvcc::UndoLog* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      all_.push_back(std::make_unique<mvcc::UndoLog>());
      return all_.back().get();
    }
    mvcc::UndoLog* log = free_.back();
    free_.pop_back();
    return log;
  }

  void give_back(mvcc::UndoLog* log) {
    const std::lock_guard lock(mutex_);
    if (held_) {
      kept_.push_back(log);
      return;
    }
    log->reset();
    free_.push_back(log);
  }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void end_hold() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    for (mvcc::UndoLog* log : kept_) {
      log->reset();
      free_.push_back(log);
    }
    kept_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<mvcc::UndoLog>> all_;
  std::vector<mvcc::UndoLog*> free_;
  std::vector<mvcc::UndoLog*> kept_;
  bool held_ = false;
};

}  // namespace isolith::txn
