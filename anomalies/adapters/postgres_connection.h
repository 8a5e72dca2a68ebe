// PostgresConnection: a session of PostgreSQL through libpq, whose statements are sent and waited for apart.
//
// A session is made so that its server says itself when a statement has to wait: with `log_lock_waits` and
// `client_min_messages = log` it sends "process 7 still waiting for ..." once its search for deadlocks has
// found none, and "process 7 acquired ..." when the wait is over. So nothing is guessed from time, and the
// victim of a deadlock is who closes the cycle.
//
// Threads: from one thread at a time.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::anomalies {

struct ResultDeleter {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, ResultDeleter>;

class PostgresConnection {
 public:
  // Longer than any answer takes that does not wait for a lock.
  static constexpr int kAnswerMs = 30'000;

  // `sockets`: the directory with the server's socket. `tells_waits`: for sessions, see above.
  static Result<std::unique_ptr<PostgresConnection>> open(const std::string& sockets, bool tells_waits);
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // Sends one statement or several, or the prepared one of this name with binary parameters.
  void send(const char* sql);
  void send_prepared(const char* name, std::span<const std::string_view> parameters);
  // The types of the parameters are what the columns have that they stand beside.
  void send_prepare(const char* name, const char* sql);

  enum class Progress : std::uint8_t {
    answered,  // `take_result` has it
    waiting,   // for a lock
    silent,    // nothing was heard for `silence_ms`
    gone,      // the server, or the way to it
  };
  Progress advance(int silence_ms = kAnswerMs);
  // What the server has said of a wait so far counts no more: the next `advance` goes on when that is over.
  void expect_end_of_wait() noexcept { wait_ = Wait::ending; }

  // The first result that is an error, else the last one. Only when answered.
  [[nodiscard]] PostgresResult take_result() { return std::move(result_); }

  // Sends and waits for the answer, where nothing waits for locks. Null if the server is gone.
  PostgresResult execute(const char* sql);
  PostgresResult execute_prepared(const char* name, std::span<const std::string_view> parameters);
  PostgresResult answer();

  void cancel();  // the statement that was sent

  [[nodiscard]] int backend() const noexcept { return PQbackendPID(connection_.get()); }
  [[nodiscard]] bool in_transaction() const noexcept {
    return PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS ||
           PQtransactionStatus(connection_.get()) == PQTRANS_INERROR;
  }
  [[nodiscard]] std::string server_version() const;
  [[nodiscard]] std::string error() const;  // libpq's words, on one line

 private:
  enum class Wait : std::uint8_t {
    none,
    ending,  // for one whose end was not said yet
    waiting,
  };

  PostgresConnection() = default;
  static void on_notice(void* self, const PGresult* notice);
  bool collect();

  struct Closer {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Closer> connection_;
  PostgresResult result_;
  Wait wait_ = Wait::none;
};

}  // namespace isolith::anomalies
