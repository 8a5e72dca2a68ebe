// Program: what a runner runs: sessions, and the steps that each of them takes in order.
//
// A step is a function of the program's own; it uses the transactions of its session and nothing of another
// one. It ends by itself, throws nothing, and does not call the runner's `run`. A wait for another
// transaction inside it is a point where the other sessions go on.
//
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace isolith::anomalies {

struct Event;

struct Session {
  std::string name;  // a letter or '_', then letters, digits and '_'; no two alike
  std::vector<std::function<void()>> steps;
};

struct Program {
  std::vector<Session> sessions;

  // The number of the session's transaction now, as `Transaction::id()` gives it, 0 for none. With it a trace
  // names the session that is waited for; without it, or where no session has that number, the transaction.
  // Optional.
  std::function<std::uint64_t(std::size_t session)> transaction_of;

  // Called for each event, right when it happened and before anything else goes on; it must not wait.
  // Optional.
  std::function<void(const Event& event)> on_event;
};

}  // namespace isolith::anomalies
