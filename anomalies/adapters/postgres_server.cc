// initdb, postgres, and the first connection.
#include "anomalies/adapters/postgres_server.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

constexpr auto kReadyLimit = std::chrono::seconds(60);
constexpr auto kReadyPoll = std::chrono::milliseconds(5);

// Each is the argument of a `-c`. A wait for a lock is looked into for deadlocks after the shortest time
// there is, and the scans use the index alone, as those of an ordered store do.
constexpr const char* kSettings[] = {
    "listen_addresses=",
    "port=5432",  // of the socket's name
    "unix_socket_permissions=0700",
    "max_connections=40",
    "shared_buffers=16MB",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "checkpoint_timeout=1d",
    "autovacuum=off",
    "deadlock_timeout=1ms",
    "enable_seqscan=off",
    "enable_bitmapscan=off",
    "plan_cache_mode=force_generic_plan",
    "max_parallel_workers_per_gather=0",
    "jit=off",
    "lc_messages=C",
    "logging_collector=off",
    "log_destination=stderr",
    "log_min_messages=fatal",
    "restart_after_crash=off",
};

bool has_programs(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(directory + "/postgres", error) &&
         std::filesystem::exists(directory + "/initdb", error);
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Made beside its place and moved there: a cluster that is there is whole.
Status make_cluster(const ServerHome& home, const std::string& programs, const std::string& cluster) {
  std::error_code error;
  const std::string unfinished = cluster + ".new";
  std::filesystem::remove_all(unfinished, error);
  const std::vector<std::string> initdb = {
      programs + "/initdb", "--pgdata=" + unfinished, "--username=isolith", "--auth=trust",
      "--locale=C",         "--encoding=SQL_ASCII",   "--no-sync",          "--no-instructions"};
  if (Status status = run_to_end(home, initdb); !status.ok()) return status;
  std::filesystem::rename(unfinished, cluster, error);
  if (!error) return {};
  return {StatusCode::io_error, "cannot make " + cluster + ": " + error.message(), error.value()};
}

// "15" of ".../postgresql/15/bin", or what the program says of itself.
std::string major_version(const ServerHome& home, const std::string& programs) {
  const std::string directory = std::filesystem::path(programs).parent_path().filename().string();
  if (!directory.empty() && directory.find_first_not_of("0123456789") == std::string::npos) return directory;
  std::error_code error;
  const std::uintmax_t before =
      std::filesystem::exists(home.log, error) ? std::filesystem::file_size(home.log, error) : 0;
  if (!run_to_end(home, {programs + "/postgres", "--version"}).ok()) return "";
  std::ifstream log(home.log);
  log.seekg(static_cast<std::streamoff>(before));
  std::string word;
  while (log >> word) {  // "postgres (PostgreSQL) 15.20"
    if (word.find_first_of("0123456789") == 0) return word.substr(0, word.find('.'));
  }
  return "";
}

Result<std::unique_ptr<PostgresConnection>> connect_when_ready(const ServerHome& home,
                                                               ServerProcess& process) {
  const auto limit = std::chrono::steady_clock::now() + kReadyLimit;
  while (true) {
    auto connection = PostgresConnection::open(home.scratch, false);
    if (connection.ok()) return connection;
    if (!process.is_running()) {
      return Status(StatusCode::io_error, "PostgreSQL's server did not start: " + last_words(home.log));
    }
    if (std::chrono::steady_clock::now() > limit) {
      return Status(StatusCode::io_error, "PostgreSQL's server is not ready after 60 s (" +
                                              in_one_line(connection.status().message()) +
                                              "); its log ends: " + last_words(home.log));
    }
    std::this_thread::sleep_for(kReadyPoll);
  }
}

}  // namespace

// Debian's place, the newest version first; else the path.
std::string postgres_programs() {
  int newest = -1;
  std::string found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
    const std::string name = entry.path().filename().string();
    int version = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), version);
    const std::string programs = entry.path().string() + "/bin";
    if (parsed.ec != std::errc() || version <= newest || !has_programs(programs)) continue;
    newest = version;
    found = programs;
  }
  if (!found.empty()) return found;
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (!directory.empty() && directory.front() == '/' && has_programs(directory)) return directory;
  }
  return "";
}

Status PostgresServer::gone(const std::string& why) const {
  return {StatusCode::io_error,
          "PostgreSQL's server (process " + std::to_string(process->server()) +
              ") is gone: " + in_one_line(why) +
              "; run the command again to start another one; this one's log ends: " + last_words(home.log)};
}

Result<PostgresServer> start_postgres(const std::string& directory) {
  const std::string programs = postgres_programs();
  if (programs.empty()) {
    return Status(StatusCode::invalid_argument,
                  "PostgreSQL's server is not installed; on Debian: apt-get install postgresql");
  }
  Result<ServerHome> home = prepare_home(directory, "postgres");
  if (!home.ok()) return home.status();
  PostgresServer server;
  server.home = *std::move(home);
  const std::string cluster = server.home.data + "/cluster";
  std::error_code error;
  Status status;
  if (!std::filesystem::exists(cluster, error)) {
    status = make_cluster(server.home, programs, cluster);
  } else if (const std::string made = first_line(cluster + "/PG_VERSION");
             made != major_version(server.home, programs)) {
    status = {StatusCode::invalid_argument, cluster + " is of PostgreSQL " + made + ", and " + programs +
                                                " is another version: remove it, or name another directory"};
  }
  if (!status.ok()) {
    std::filesystem::remove_all(server.home.scratch, error);
    return status;
  }
  std::vector<std::string> arguments = {programs + "/postgres", "-D", cluster, "-k", server.home.scratch};
  for (const char* setting : kSettings) arguments.insert(arguments.end(), {"-c", setting});
  auto process = ServerProcess::start(server.home, arguments, SIGQUIT);
  if (!process.ok()) return process.status();
  server.process = *std::move(process);
  auto control = connect_when_ready(server.home, *server.process);
  if (!control.ok()) return control.status();
  server.control = *std::move(control);
  return server;
}

}  // namespace isolith::anomalies
