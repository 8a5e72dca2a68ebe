// ServerWaits: statements that a server has not answered, since they wait there for other sessions' locks.
//
// The server decides who waits; what is decided here is when the runner hears of it. After each call that may
// have released a lock every waiting statement is looked at until the server has answered it or lets it wait
// again, and only then are those woken that have their answer: so a run does not depend on the server's
// speed.
//
// Threads: with the runner's baton.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "anomalies/runner.h"
#include "isolith/wait_hook.h"

namespace isolith::anomalies {

class ServerWaits {
 public:
  // A statement that was sent.
  class Statement {
   public:
    virtual ~Statement() = default;
    // Returns when the server has decided: true: it has answered, or is gone; false: the statement waits.
    virtual bool is_decided() = 0;
    // The server does nothing for it until `go_on`, whatever it is given meanwhile. Optional.
    virtual void hold() {}
    virtual void go_on() {}

   private:
    friend class ServerWaits;
    std::atomic<std::uint32_t> word_{0};
    bool decided_ = false;
    bool held_ = false;
  };

  explicit ServerWaits(Runner& runner) : runner_(runner) {}
  ServerWaits(const ServerWaits&) = delete;
  ServerWaits& operator=(const ServerWaits&) = delete;

  // Lets other sessions go on until the statement is decided. False: its wait was ended from outside.
  bool wait(Statement& statement, const WaitInfo& info);

  // Before a call that may release something that several wait for: they will get it one after the other, in
  // the order in which they began to wait, if their server lets them be held.
  void hold();

  // After a call that may have released something.
  void look_again();

 private:
  Runner& runner_;
  std::vector<Statement*> waiting_;  // each lives in its call of `wait`
};

}  // namespace isolith::anomalies
