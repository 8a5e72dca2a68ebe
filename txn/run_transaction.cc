#include <algorithm>
#include <random>
#include <thread>

#include "isolith/database.h"

namespace isolith {

Status run_transaction(Database& database, const std::function<Status(Transaction&)>& body,
                       const TransactionOptions& options, const RetryOptions& retry) {
  // Full jitter (Brooker, "Exponential Backoff And Jitter", 2015): whoever met here is kept from meeting
  // again.
  thread_local std::minstd_rand random{std::random_device{}()};
  auto pause = retry.first_pause;
  for (int attempt = 1;; ++attempt) {
    Result<Transaction> transaction = database.begin(options);
    // At `serial` the beginning is what waits, and what fails.
    Status status = transaction.ok() ? body(*transaction) : transaction.status();
    if (status.ok()) {
      // A body may end the transaction itself, or swallow the conflict that ended it.
      status = transaction->commit();
    } else if (transaction.ok() && transaction->active()) {
      if (const Status aborted = transaction->abort(); !aborted.ok()) return aborted;
    }
    if (!status.is_retryable() || attempt >= retry.attempts_max) return status;
    std::uniform_int_distribution<std::int64_t> jitter(0, std::max<std::int64_t>(pause.count(), 0));
    std::this_thread::sleep_for(std::chrono::microseconds(jitter(random)));
    pause = std::min(pause * 2, retry.longest_pause);
  }
}

}  // namespace isolith
