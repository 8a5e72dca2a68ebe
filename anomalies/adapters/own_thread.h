// OwnThread: one thread that does what it is told, for stores some of whose calls belong to a thread.
//
// Example:
//   OwnThread thread;
//   thread.call([&] { code = mdb_txn_begin(environment, nullptr, 0, &transaction); });
//
// Threads: `call` from any, one call at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace isolith::anomalies {

class OwnThread {
 public:
  OwnThread();
  ~OwnThread();
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;

  // Returns when `work` was done there. It calls nothing of this object and waits for nobody.
  void call(const std::function<void()>& work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;  // null: there is none
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace isolith::anomalies
