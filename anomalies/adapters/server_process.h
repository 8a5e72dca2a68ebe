// ServerProcess: a database server that an adapter starts, and that never outlives the program.
//
// Between the program and the server stands a process that does nothing but watch both: it stops the server
// when the program says so or is no more, however it ended, and then removes the server's scratch directory.
//
// Invariants:
//   1. The server runs only while its ServerProcess lives, and ends with the program at the latest.
//   2. It never runs as root: where this process does, it runs as the account of its `ServerHome`.
//   3. It holds none of the program's files but its log.
//
// Threads: from one thread at a time.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolith/status.h"

namespace isolith::anomalies {

struct Account {
  uid_t user = 0;
  gid_t group = 0;
};

// Of the operating system; closed at the end.
class File {
 public:
  explicit File(int number = -1) noexcept : number_(number) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~File();
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

// Where a server lives. Its files are in the adapter's directory, or, where the account can not reach that,
// in the scratch directory. Sockets are always in the latter: their paths may have 107 bytes and no more.
struct ServerHome {
  std::optional<Account> account;  // to run as; none: as this process
  std::string data;                // there, and the account's own
  std::string scratch;             // in /tmp, the account's own; goes with the server
  std::string log;                 // what the server says, in the adapter's directory
  File log_file;                   // locked: by this process, and by the server while it runs
  std::string note;                // there too while the server runs: its process, and where its socket is
};

// `account`: the name of the server's own one; where there is none, it is `nobody`'s.
// `io_error`: a directory can not be made. `busy`: a server runs there.
Result<ServerHome> prepare_home(const std::string& directory, const char* account);

// Runs a program of the server to its end. `io_error` with the last lines of the log if it fails.
Status run_to_end(const ServerHome& home, const std::vector<std::string>& arguments);

// With one blank for each stretch of blanks, tabs and ends of lines.
std::string in_one_line(std::string_view text);

// The last lines of what the server said, on one line.
std::string last_words(const std::string& log);

class ServerProcess {
 public:
  // `stop_signal`: how the server is told to end at once. The scratch directory of `home` is the process's
  // from here on, also when this fails.
  static Result<std::unique_ptr<ServerProcess>> start(const ServerHome& home,
                                                      const std::vector<std::string>& arguments,
                                                      int stop_signal);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();  // stops the server, and returns when it has ended

  [[nodiscard]] pid_t server() const noexcept { return server_; }
  [[nodiscard]] bool is_running();

 private:
  ServerProcess() = default;

  std::string note_;
  pid_t watcher_ = -1;
  pid_t server_ = -1;
  int lifeline_ = -1;  // the watcher ends the server when this is closed
};

}  // namespace isolith::anomalies
