// MariadbConnection: a session of MariaDB through its C library, whose statements are sent and waited for
// apart.
//
// Threads: from one thread at a time.
#pragma once

#include <mysql.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::anomalies {

struct MariadbResultDeleter {
  void operator()(MYSQL_RES* result) const noexcept { mysql_free_result(result); }
};
using MariadbResult = std::unique_ptr<MYSQL_RES, MariadbResultDeleter>;

class MariadbConnection {
 public:
  static constexpr int kAnswerSeconds = 30;  // longer than any answer takes that does not wait for a lock

  // To the server's database `database`; empty: to none.
  static Result<std::unique_ptr<MariadbConnection>> open(const std::string& socket, const char* database);
  MariadbConnection(const MariadbConnection&) = delete;
  MariadbConnection& operator=(const MariadbConnection&) = delete;
  ~MariadbConnection() { mysql_close(&connection_); }

  // The calls that return a bool give false on failure; `error_number` and `error` tell of it.
  bool send(std::string_view sql);
  // Whether the answer to what was sent begins to come within this time, or the connection is broken.
  [[nodiscard]] bool has_answer(int within_ms);
  bool receive();  // the answer; its rows are in `take_rows`, its count in `changed`
  bool execute(std::string_view sql) { return send(sql) && receive(); }

  [[nodiscard]] MariadbResult take_rows() noexcept { return std::move(rows_); }  // null: it had none
  [[nodiscard]] std::uint64_t changed() noexcept { return mysql_affected_rows(&connection_); }
  [[nodiscard]] std::uint64_t thread() noexcept { return mysql_thread_id(&connection_); }
  [[nodiscard]] unsigned error_number() noexcept { return mysql_errno(&connection_); }
  [[nodiscard]] std::string error() { return mysql_error(&connection_); }
  [[nodiscard]] bool is_gone();  // the last failure was of the connection
  [[nodiscard]] std::string server_version();

 private:
  MariadbConnection() { mysql_init(&connection_); }

  MYSQL connection_ = {};
  MariadbResult rows_;
};

}  // namespace isolith::anomalies
