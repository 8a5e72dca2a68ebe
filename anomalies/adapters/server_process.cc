// Forks, and what runs in the children: between fork and exec only calls that are safe there, since other
// threads of the program may have held any lock at the fork.
#include "anomalies/adapters/server_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace isolith::anomalies {
namespace {

constexpr int kStopSeconds = 10;  // then the server is killed
constexpr int kCannotRun = 127;   // exit status of a child that could not become the program

Status failed(const std::string& what, int error) {
  return {StatusCode::io_error, what + ": " + std::generic_category().message(error), error};
}

// What a child needs, made before the fork.
struct Launch {
  std::vector<char*> arguments;  // with a null at the end
  std::optional<Account> account;
  std::string scratch;
  int log = -1;
  int stop_signal = SIGKILL;
};

Launch prepare_launch(const ServerHome& home, const std::vector<std::string>& arguments) {
  Launch launch;
  for (const std::string& argument : arguments)
    launch.arguments.push_back(const_cast<char*>(argument.c_str()));
  launch.arguments.push_back(nullptr);
  launch.account = home.account;
  launch.scratch = home.scratch;
  launch.log = home.log_file.number();
  return launch;
}

// ---- in children ----

bool become(const std::optional<Account>& account) {
  return !account ||
         (::setgroups(0, nullptr) == 0 && ::setgid(account->group) == 0 && ::setuid(account->user) == 0);
}

// The signals of the program's, as a new process expects them.
void reset_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Becomes the program, to be ended with `parent` if that is killed. The account comes first: changing it
// takes the wish for a signal back.
[[noreturn]] void become_program(const Launch& launch, pid_t parent) {
  reset_signals();
  const int null = ::open("/dev/null", O_RDONLY);
  if (!become(launch.account) || null < 0 || ::dup2(null, STDIN_FILENO) < 0 ||
      ::dup2(launch.log, STDOUT_FILENO) < 0 || ::dup2(launch.log, STDERR_FILENO) < 0) {
    ::_exit(kCannotRun);
  }
  ::prctl(PR_SET_PDEATHSIG, launch.stop_signal);
  if (::getppid() != parent || ::chdir("/") != 0) ::_exit(kCannotRun);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::execv(launch.arguments.front(), launch.arguments.data());
  ::_exit(kCannotRun);
}

extern "C" void on_child_end(int /*signal*/) {}  // there only to end a ppoll

// Waits until the server has ended by itself or the lifeline was closed, and then for its end.
void watch(pid_t server, int lifeline, int stop_signal, const sigset_t& unblocked) {
  timespec limit{kStopSeconds, 0};
  bool stopping = false;
  while (::waitpid(server, nullptr, WNOHANG) == 0) {
    pollfd program{lifeline, POLLIN, 0};
    const int ready =
        stopping ? ::ppoll(nullptr, 0, &limit, &unblocked) : ::ppoll(&program, 1, nullptr, &unblocked);
    if (ready > 0) {
      ::kill(server, stop_signal);
      stopping = true;
    } else if (ready == 0) {
      ::kill(server, SIGKILL);
    }
  }
}

// The watcher's life. A session of its own: what a person types into the terminal is for the program.
[[noreturn]] void watcher_main(const Launch& launch, int lifeline, int report) {
  ::setsid();
  reset_signals();
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  sigset_t unblocked;
  sigset_t blocked;
  sigemptyset(&unblocked);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_child_end;
  ::sigaction(SIGCHLD, &action, nullptr);

  const pid_t self = ::getpid();
  const pid_t server = ::fork();
  if (server == 0) become_program(launch, self);
  const bool told = ::write(report, &server, sizeof server) == sizeof server;
  // Nothing else stays open: another server's lifeline would never be seen to close.
  ::dup2(lifeline, STDIN_FILENO);
  ::dup2(launch.log, STDOUT_FILENO);
  ::dup2(launch.log, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  if (server > 0 && told) watch(server, STDIN_FILENO, launch.stop_signal, unblocked);
  ::execl("/bin/rm", "rm", "-rf", "--", launch.scratch.c_str(), nullptr);
  ::_exit(kCannotRun);
}

// ---- in the program ----

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::optional<Account> find_account(const char* name) {
  std::vector<char> buffer(std::size_t{1} << 14);
  passwd entry = {};
  passwd* found = nullptr;
  if (::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return Account{entry.pw_uid, entry.pw_gid};
}

bool give(const std::string& path, const std::optional<Account>& account) {
  return !account || ::chown(path.c_str(), account->user, account->group) == 0;
}

// Whether the account can go there and write: a directory above may be closed to it.
bool reaches(const std::string& path, const std::optional<Account>& account) {
  if (!account) return true;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(become(account) && ::access(path.c_str(), R_OK | W_OK | X_OK) == 0 ? 0 : 1);
  return child > 0 && wait_for(child) == 0;
}

bool make_own(const std::string& path, const std::optional<Account>& account) {
  return (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) && give(path, account);
}

}  // namespace

File::~File() {
  if (number_ >= 0) ::close(number_);
}

Result<ServerHome> prepare_home(const std::string& directory, const char* account) {
  ServerHome home;
  if (::geteuid() == 0) {
    home.account = find_account(account);
    if (!home.account) home.account = find_account("nobody");
    if (!home.account || home.account->user == 0) {
      return Status(StatusCode::io_error, std::string("a server does not run as root, and there is neither "
                                                      "an account ") +
                                              account + " nor nobody");
    }
  }
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(directory, error).string();
  if (error) return failed("cannot find " + directory, error.value());
  home.data = absolute + "/data";
  home.log = absolute + "/server.log";
  home.note = absolute + "/server";
  home.log_file = File(::open(home.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (home.log_file.number() < 0) return failed("cannot write " + home.log, errno);
  if (::flock(home.log_file.number(), LOCK_EX | LOCK_NB) != 0) {
    return Status(StatusCode::busy,
                  "a server runs in " + absolute + " already: stop it, or name another directory");
  }
  if (!make_own(home.data, home.account)) return failed("cannot make " + home.data, errno);
  home.scratch = "/tmp/isolith-server-XXXXXX";
  if (::mkdtemp(home.scratch.data()) == nullptr || !give(home.scratch, home.account)) {
    return failed("cannot make " + home.scratch, errno);
  }
  if (!reaches(home.data, home.account)) {
    home.data = home.scratch + "/data";
    if (!make_own(home.data, home.account)) return failed("cannot make " + home.data, errno);
  }
  return home;
}

Status run_to_end(const ServerHome& home, const std::vector<std::string>& arguments) {
  Launch launch = prepare_launch(home, arguments);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become_program(launch, self);
  const int error = errno;
  if (child < 0) return failed("cannot start " + arguments.front(), error);
  if (wait_for(child) == 0) return {};
  return {StatusCode::io_error, arguments.front() + " failed: " + last_words(home.log)};
}

std::string in_one_line(std::string_view text) {
  std::string line;
  bool blank = false;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_blank && blank && !line.empty()) line += ' ';
    if (!is_blank) line += c;
    blank = is_blank;
  }
  return line;
}

std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (lines.size() == 3) lines.erase(lines.begin());
    lines.push_back(std::move(line));
  }
  if (lines.empty()) return "it said nothing";
  std::string words;
  for (const std::string& line : lines) words += (words.empty() ? "" : " | ") + in_one_line(line);
  return words;
}

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(const ServerHome& home,
                                                            const std::vector<std::string>& arguments,
                                                            int stop_signal) {
  Launch launch = prepare_launch(home, arguments);
  launch.stop_signal = stop_signal;
  std::array<int, 2> lifeline = {-1, -1};  // a socket: writing to a watcher that is gone is no SIGPIPE
  std::array<int, 2> report = {-1, -1};
  std::unique_ptr<ServerProcess> process(new ServerProcess);
  int error = 0;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline.data()) != 0 ||
      ::pipe2(report.data(), O_CLOEXEC) != 0) {
    error = errno;
  } else {
    process->watcher_ = ::fork();
    if (process->watcher_ == 0) {
      ::close(lifeline[1]);
      watcher_main(launch, lifeline[0], report[1]);
    }
    if (process->watcher_ < 0) error = errno;
  }
  process->lifeline_ = lifeline[1];
  for (const int file : {lifeline[0], report[1]}) {
    if (file >= 0) ::close(file);
  }
  ssize_t size = 0;
  if (error == 0) size = ::read(report[0], &process->server_, sizeof process->server_);
  if (report[0] >= 0) ::close(report[0]);
  if (process->watcher_ < 0) {
    std::error_code ignored;
    std::filesystem::remove_all(home.scratch, ignored);
  }
  if (error != 0) return failed("cannot start " + arguments.front(), error);
  if (size != sizeof process->server_ || process->server_ < 0) {
    return Status(StatusCode::io_error, "cannot start " + arguments.front());
  }
  process->note_ = home.note;
  std::ofstream(home.note) << "process " << process->server_ << "\nsocket in " << home.scratch << '\n';
  return process;
}

ServerProcess::~ServerProcess() {
  if (!note_.empty()) ::unlink(note_.c_str());
  if (lifeline_ >= 0) {
    // Said in so many words: a child that the program forked may hold the lifeline too.
    (void)::send(lifeline_, "", 1, MSG_NOSIGNAL);
    ::close(lifeline_);
  }
  if (watcher_ > 0) wait_for(watcher_);
}

bool ServerProcess::is_running() {
  if (watcher_ < 0 || ::waitpid(watcher_, nullptr, WNOHANG) == 0) return watcher_ > 0;
  watcher_ = -1;
  return false;
}

}  // namespace isolith::anomalies
