// The calls of libmariadb; each blocks for a limited time at most.
#include "anomalies/adapters/mariadb_connection.h"

#include <errmsg.h>
#include <poll.h>

#include <cerrno>

namespace isolith::anomalies {

Result<std::unique_ptr<MariadbConnection>> MariadbConnection::open(const std::string& socket,
                                                                   const char* database) {
  std::unique_ptr<MariadbConnection> made(new MariadbConnection);
  MYSQL* connection = &made->connection_;
  const unsigned seconds = kAnswerSeconds;
  for (const mysql_option option :
       {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT}) {
    mysql_options(connection, option, &seconds);
  }
  const char* name = *database == '\0' ? nullptr : database;
  if (mysql_real_connect(connection, nullptr, "isolith", nullptr, name, 0, socket.c_str(), 0) == nullptr) {
    return Status(StatusCode::io_error, made->error());
  }
  return made;
}

bool MariadbConnection::send(std::string_view sql) {
  rows_.reset();
  return mysql_send_query(&connection_, sql.data(), static_cast<unsigned long>(sql.size())) == 0;
}

bool MariadbConnection::has_answer(int within_ms) {
  pollfd socket{mysql_get_socket(&connection_), POLLIN, 0};
  const int ready = ::poll(&socket, 1, within_ms);
  return ready > 0 || (ready < 0 && errno != EINTR);
}

bool MariadbConnection::receive() {
  if (mysql_read_query_result(&connection_) != 0) return false;
  rows_.reset(mysql_store_result(&connection_));
  return rows_ != nullptr || mysql_errno(&connection_) == 0;
}

bool MariadbConnection::is_gone() {
  const unsigned number = error_number();
  return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
}

std::string MariadbConnection::server_version() {
  const std::string version = mysql_get_server_info(&connection_);
  return version.substr(0, version.find('-'));
}

}  // namespace isolith::anomalies
