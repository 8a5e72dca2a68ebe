// The waits, and who of them is over.
#include "anomalies/adapters/server_waits.h"

#include <utility>

namespace isolith::anomalies {

bool ServerWaits::wait(Statement& statement, const WaitInfo& info) {
  statement.decided_ = false;
  const std::uint32_t seen = statement.word_.load(std::memory_order_acquire);
  waiting_.push_back(&statement);
  const bool in_time = runner_.wait(statement.word_, seen, info, 0);
  std::erase(waiting_, &statement);
  return in_time;
}

void ServerWaits::hold() {
  if (waiting_.size() < 2) return;
  for (Statement* statement : waiting_) {
    if (statement->decided_ || statement->held_) continue;
    statement->held_ = true;
    statement->hold();
  }
}

// One that failed has released its locks, so those before it are looked at again.
void ServerWaits::look_again() {
  for (bool any = true; any;) {
    any = false;
    for (Statement* statement : waiting_) {
      if (std::exchange(statement->held_, false)) statement->go_on();
      if (statement->decided_ || !statement->is_decided()) continue;
      statement->decided_ = true;
      any = true;
    }
  }
  for (Statement* statement : waiting_) {
    if (!statement->decided_) continue;
    statement->word_.fetch_add(1, std::memory_order_release);
    runner_.wake_all(statement->word_);
  }
}

}  // namespace isolith::anomalies
