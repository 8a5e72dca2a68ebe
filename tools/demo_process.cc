#include "tools/demo_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "tools/demo_worker.h"

namespace isolith::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMessageDescriptor = 3;  // in the worker
constexpr double kStartSecondsMax = 60;

Status system_failure(std::string_view call, int error) {
  return {StatusCode::io_error, fmt::format("{}: {}", call, std::strerror(error)), error};
}

// The worker process; killed and waited for at the latest when this goes.
class WorkerProcess {
 public:
  WorkerProcess() = default;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess() {
    if (process_ > 0) {
      kill();
      (void)wait();
    }
    if (messages_ >= 0) ::close(messages_);
  }

  Status start(const DemoPlan& plan);
  void kill() const noexcept { ::kill(process_, SIGKILL); }

  // Its wait status.
  int wait() noexcept {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
    process_ = -1;
    return status;
  }

  [[nodiscard]] ::pid_t process() const noexcept { return process_; }
  [[nodiscard]] int messages() const noexcept { return messages_; }

 private:
  ::pid_t process_ = -1;
  int messages_ = -1;
};

Status WorkerProcess::start(const DemoPlan& plan) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("pipe", errno);
  messages_ = ends[0];
  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // dup2 onto itself would leave the descriptor closed on exec; F_DUPFD keeps the pipe's own number above.
  const int writing = ::fcntl(ends[1], F_DUPFD_CLOEXEC, kMessageDescriptor + 1);
  ::close(ends[1]);
  ::posix_spawn_file_actions_adddup2(&actions, writing, kMessageDescriptor);

  const std::string seed = std::to_string(plan.seed);
  const std::string descriptor = std::to_string(kMessageDescriptor);
  std::vector<std::string> words{"isolith", "demo-worker", "--dir",        plan.directory,
                                 "--seed",  seed,          "--descriptor", descriptor};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int error =
      ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(writing);  // the worker's end is then the only one, and the messages end with the worker
  if (error == 0) return {};
  process_ = -1;
  return system_failure("cannot start the worker process", error);
}

// Puts messages together from what the pipe gives, and counts them.
class MessageLog {
 public:
  explicit MessageLog(DemoRun& run) : run_(run) { run_.last_acknowledged.assign(kDemoWriters, 0); }

  // Reads what is there; false at the end of the pipe.
  Result<bool> read_from(int descriptor) {
    std::array<char, 64 * sizeof(DemoMessage)> buffer;
    const ::ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count < 0) return system_failure("read from the worker process", errno);
    if (count == 0) return false;
    bytes_.append(buffer.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (; bytes_.size() - begin >= sizeof(DemoMessage); begin += sizeof(DemoMessage)) {
      DemoMessage message;
      std::memcpy(&message, bytes_.data() + begin, sizeof(message));
      if (Status status = take(message); !status.ok()) return status;
    }
    bytes_.erase(0, begin);
    return true;
  }

 private:
  Status take(const DemoMessage& message) {
    if (message.kind == DemoMessageKind::failed) return {StatusCode::internal, message.text};
    if (message.writer >= kDemoWriters || message.sequence != run_.last_acknowledged[message.writer] + 1) {
      return {StatusCode::internal, "the worker process announced a commit out of order"};
    }
    run_.last_acknowledged[message.writer] = message.sequence;
    run_.commits += 1;
    run_.runs_again = std::max(run_.runs_again, message.runs_again);
    run_.sums_checked = std::max(run_.sums_checked, message.sums_checked);
    run_.rows_read = std::max(run_.rows_read, message.rows_read);
    return {};
  }

  DemoRun& run_;
  std::string bytes_;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Milliseconds for poll until `seconds_max` after `begin`; 0 when that is over.
int remaining_ms(Clock::time_point begin, double seconds_max) {
  const double remaining = (seconds_max - seconds_since(begin)) * 1000;
  return remaining <= 0 ? 0 : static_cast<int>(std::min(remaining + 1, 1e9));
}

}  // namespace

Result<DemoRun> run_and_kill(const DemoPlan& plan) {
  DemoRun run;
  WorkerProcess worker;
  if (Status status = worker.start(plan); !status.ok()) return status;
  run.process = static_cast<int>(worker.process());
  MessageLog log(run);
  bool killed = false;
  Clock::time_point begin = Clock::now();
  for (;;) {
    const double seconds_max = run.commits == 0 ? kStartSecondsMax : plan.seconds_max;
    if (!killed) {
      ::pollfd waiting{worker.messages(), POLLIN, 0};
      const int ready = ::poll(&waiting, 1, remaining_ms(begin, seconds_max));
      if (ready < 0 && errno != EINTR) return system_failure("poll", errno);
    }
    const bool first = run.commits == 0;
    const bool time_is_over = !killed && remaining_ms(begin, seconds_max) == 0;
    if (!time_is_over) {
      const Result<bool> more = log.read_from(worker.messages());
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (first && run.commits > 0) begin = Clock::now();
    }
    if (killed || (run.commits < plan.kill_at_commit && !time_is_over)) continue;
    worker.kill();
    killed = true;
    run.killed_by_count = !time_is_over;
    run.seconds = seconds_since(begin);
  }
  const int status = worker.wait();
  if (!killed) return Status(StatusCode::internal, "the worker process ended before it was killed");
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    return Status(StatusCode::internal, "the worker process ended by itself while it was being killed");
  }
  if (run.commits == 0)
    return Status(StatusCode::internal, "no transaction was acknowledged in the time allowed");
  return run;
}

}  // namespace isolith::tools
