// Interruption: while it lives, SIGINT and SIGTERM end in a call instead of the end of the program.
//
// Example:
//   Interruption interruption([&](int signal) { stop = true; });
//
// Invariants:
//   1. Both signals are blocked in the thread that made it and in those that it starts meanwhile; one thread
//      waits for them and makes the calls. So make it before other threads.
//   2. There is one at a time.
//
// Threads: the calls come from a thread of its own; else from the one that made it.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace isolith::tools {

class Interruption {
 public:
  explicit Interruption(std::function<void(int signal)> on_signal);
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  // Ends the program by the signal, as if nobody had waited for it.
  [[noreturn]] static void die_of(int signal);

 private:
  void wait_for_signals();

  std::function<void(int)> on_signal_;
  sigset_t before_ = {};
  int signals_ = -1;  // a signalfd
  int end_ = -1;      // an eventfd
  std::thread thread_;
};

}  // namespace isolith::tools
