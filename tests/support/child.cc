#include "tests/support/child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace isolith::testing {
namespace {

bool write_all(int to, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = write(to, text.data() + done, text.size() - done);
    if (size <= 0) return false;
    done += static_cast<std::size_t>(size);
  }
  return true;
}

std::string describe(int status) {
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status) == 0 ? "" : "the process failed";
  const int number = WTERMSIG(status);
  return number == SIGALRM ? "it hangs" : "the process died of signal " + std::to_string(number);
}

}  // namespace

ChildResult run_in_child(unsigned seconds, const std::function<std::string(std::string& output)>& body) {
  int ends[2];
  if (pipe(ends) != 0) return {"pipe", {}};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return {"fork", {}};
  if (child == 0) {
    close(ends[0]);
    alarm(seconds);
    std::string output;
    std::string text = body(output);  // then a zero byte, then the output
    text.append(1, '\0').append(output);
    _exit(write_all(ends[1], text) ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t size = 0; (size = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return {"waitpid", {}};
  ChildResult result;
  const std::size_t middle = text.find('\0');
  result.problem = text.substr(0, middle);
  if (middle != std::string::npos) result.output = text.substr(middle + 1);
  if (result.problem.empty()) result.problem = describe(status);
  return result;
}

}  // namespace isolith::testing
