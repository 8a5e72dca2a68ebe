// libpq, without its blocking calls: a server that does not answer is an error after a while, not a hang.
#include "anomalies/adapters/postgres_connection.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace isolith::anomalies {
namespace {

constexpr int kBinary = 1;
constexpr std::size_t kMaxParameters = 2;

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool is_error(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const std::string& sockets,
                                                                     bool tells_waits) {
  const char* options = tells_waits ? "-c client_min_messages=log -c log_lock_waits=on" : "";
  // Each that the environment could set is named.
  const std::array<const char*, 9> keywords = {
      "host", "port", "user", "dbname", "options", "sslmode", "gssencmode", "connect_timeout", nullptr};
  const std::array<const char*, 9> values = {sockets.c_str(), "5432",    "isolith", "postgres", options,
                                             "disable",       "disable", "10",      nullptr};
  std::unique_ptr<PostgresConnection> made(new PostgresConnection);
  made->connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
  if (PQstatus(made->connection_.get()) != CONNECTION_OK) return Status(StatusCode::io_error, made->error());
  PQsetNoticeReceiver(made->connection_.get(), on_notice, made.get());
  return made;
}

// The texts are those of ProcSleep in src/backend/storage/lmgr/proc.c; the server runs with messages in C.
void PostgresConnection::on_notice(void* self, const PGresult* notice) {
  const char* text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (text == nullptr) return;
  const std::string_view message = text;
  Wait& wait = static_cast<PostgresConnection*>(self)->wait_;
  if (message.find(" acquired ") != std::string_view::npos) {
    wait = Wait::none;
  } else if (message.find(" still waiting for ") != std::string_view::npos && wait != Wait::ending) {
    wait = Wait::waiting;  // said again of the same wait, it is not a new one
  }
}

void PostgresConnection::send(const char* sql) {
  result_.reset();
  wait_ = Wait::none;
  PQsendQuery(connection_.get(), sql);  // if it fails, `advance` finds the connection broken
}

void PostgresConnection::send_prepared(const char* name, std::span<const std::string_view> parameters) {
  result_.reset();
  wait_ = Wait::none;
  std::array<const char*, kMaxParameters> values = {};
  std::array<int, kMaxParameters> lengths = {};
  std::array<int, kMaxParameters> formats = {kBinary, kBinary};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    values[i] = parameters[i].data() == nullptr ? "" : parameters[i].data();  // null would be NULL
    lengths[i] = static_cast<int>(parameters[i].size());
  }
  PQsendQueryPrepared(connection_.get(), name, static_cast<int>(parameters.size()), values.data(),
                      lengths.data(), formats.data(), kBinary);
}

void PostgresConnection::send_prepare(const char* name, const char* sql) {
  result_.reset();
  wait_ = Wait::none;
  PQsendPrepare(connection_.get(), name, sql, 0, nullptr);
}

// Whether the whole answer is there.
bool PostgresConnection::collect() {
  while (PQisBusy(connection_.get()) == 0) {
    PostgresResult result(PQgetResult(connection_.get()));
    if (result == nullptr) return true;
    if (result_ == nullptr || !is_error(result_.get())) result_ = std::move(result);
  }
  return false;
}

PostgresConnection::Progress PostgresConnection::advance(int silence_ms) {
  while (true) {
    const bool complete = collect();
    if (PQstatus(connection_.get()) != CONNECTION_OK) return Progress::gone;
    if (complete) return Progress::answered;
    if (wait_ == Wait::waiting) return Progress::waiting;
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    const int ready = ::poll(&socket, 1, silence_ms);
    if (ready == 0) return Progress::silent;
    if (ready < 0 && errno != EINTR) return Progress::gone;
    if (ready > 0) PQconsumeInput(connection_.get());
  }
}

PostgresResult PostgresConnection::answer() {
  while (true) {
    switch (advance()) {
      case Progress::answered:
        return take_result();
      case Progress::waiting:
        wait_ = Wait::ending;
        break;
      case Progress::silent:
      case Progress::gone:
        return nullptr;
    }
  }
}

PostgresResult PostgresConnection::execute(const char* sql) {
  send(sql);
  return answer();
}

PostgresResult PostgresConnection::execute_prepared(const char* name,
                                                    std::span<const std::string_view> parameters) {
  send_prepared(name, parameters);
  return answer();
}

void PostgresConnection::cancel() {
  PGcancel* cancel = PQgetCancel(connection_.get());
  if (cancel == nullptr) return;
  std::array<char, 256> error = {};
  PQcancel(cancel, error.data(), static_cast<int>(error.size()));  // if it fails, the server is gone
  PQfreeCancel(cancel);
}

std::string PostgresConnection::server_version() const {
  const char* version = PQparameterStatus(connection_.get(), "server_version");
  const std::string_view text = version == nullptr ? "" : version;
  return std::string(text.substr(0, text.find(' ')));
}

std::string PostgresConnection::error() const { return on_one_line(PQerrorMessage(connection_.get())); }

}  // namespace isolith::anomalies
