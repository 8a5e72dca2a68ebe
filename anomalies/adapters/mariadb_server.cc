// mariadbd, and the first connection.
#include "anomalies/adapters/mariadb_server.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

constexpr auto kReadyLimit = std::chrono::seconds(60);
constexpr auto kReadyPoll = std::chrono::milliseconds(5);

constexpr const char* kOptions[] = {
    "--skip-networking",
    "--skip-grant-tables",
    "--skip-log-bin",
    "--default-storage-engine=InnoDB",
    "--max-allowed-packet=64M",
    "--net-buffer-length=1M",  // an answer comes as a whole, or its statement still runs
    "--transaction-isolation=REPEATABLE-READ",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-stats-persistent=0",
    "--innodb-deadlock-detect=ON",
    "--innodb-lock-wait-timeout=100000000",
    "--innodb-status-output-locks=ON",  // for parse_innodb_waits
};

Result<std::unique_ptr<MariadbConnection>> connect_when_ready(const MariadbServer& server) {
  const auto limit = std::chrono::steady_clock::now() + kReadyLimit;
  while (true) {
    auto connection = MariadbConnection::open(server.socket(), "");
    if (connection.ok()) return connection;
    if (!server.process->is_running()) {
      return Status(StatusCode::io_error, "MariaDB's server did not start: " + last_words(server.home.log));
    }
    if (std::chrono::steady_clock::now() > limit) {
      return Status(StatusCode::io_error, "MariaDB's server is not ready after 60 s (" +
                                              in_one_line(connection.status().message()) +
                                              "); its log ends: " + last_words(server.home.log));
    }
    std::this_thread::sleep_for(kReadyPoll);
  }
}

std::string find_server() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(std::string(path == nullptr ? "" : path) + ":/usr/sbin");
  std::error_code error;
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (directory.empty() || directory.front() != '/') continue;
    if (std::filesystem::exists(directory + "/mariadbd", error)) return directory;
  }
  return "";
}

}  // namespace

// mariadbd is in /usr/sbin on Debian, which is not in everybody's path.
std::string mariadb_programs() { return find_server(); }

Status MariadbServer::gone(const std::string& why) const {
  return {StatusCode::io_error,
          "MariaDB's server (process " + std::to_string(process->server()) +
              ") is gone: " + in_one_line(why) +
              "; run the command again to start another one; this one's log ends: " + last_words(home.log)};
}

Result<MariadbServer> start_mariadb(const std::string& directory) {
  const std::string programs = mariadb_programs();
  if (programs.empty()) {
    return Status(StatusCode::invalid_argument,
                  "MariaDB's server is not installed; on Debian: apt-get install mariadb-server");
  }
  Result<ServerHome> home = prepare_home(directory, "mysql");
  if (!home.ok()) return home.status();
  MariadbServer server;
  server.home = *std::move(home);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(server.home.data, error)) {
    std::filesystem::remove_all(entry.path(), error);
  }
  std::vector<std::string> arguments = {programs + "/mariadbd",
                                        "--no-defaults",  // the first there is, or it is not looked at
                                        "--datadir=" + server.home.data,
                                        "--socket=" + server.socket(),
                                        "--pid-file=" + server.home.scratch + "/pid",
                                        "--tmpdir=" + server.home.scratch};
  arguments.insert(arguments.end(), std::begin(kOptions), std::end(kOptions));
  auto process = ServerProcess::start(server.home, arguments, SIGKILL);  // its files are thrown away
  if (!process.ok()) return process.status();
  server.process = *std::move(process);
  auto control = connect_when_ready(server);
  if (!control.ok()) return control.status();
  server.control = *std::move(control);
  const std::string name = kMariadbDatabase;
  for (const std::string& sql : {"CREATE DATABASE IF NOT EXISTS " + name, "USE " + name}) {
    if (!server.control->execute(sql)) return Status(StatusCode::io_error, server.control->error());
  }
  return server;
}

}  // namespace isolith::anomalies
