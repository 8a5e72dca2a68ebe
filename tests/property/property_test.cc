// Generated sequences of calls against the model.
//
// ISOLITH_TEST_SEQUENCES=<number> runs so many of each property instead of 1,000. Each sequence runs in a
// process of its own, so that one that ends the process is made smaller like any other.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/property/operation.h"
#include "tests/property/world.h"
#include "tests/support/seed.h"

namespace isolith::property {
namespace {

constexpr unsigned kHangSeconds = 20;

class Property : public ::testing::Test {
 protected:
  // rapidcheck reads its parameters once, at its first property.
  static void SetUpTestSuite() {
    const char* sequences = std::getenv("ISOLITH_TEST_SEQUENCES");
    const char* given = std::getenv("RC_PARAMS");
    std::string parameters = given != nullptr ? given : "seed=" + std::to_string(testing::test_seed());
    if (parameters.find("max_success") == std::string::npos) {
      parameters += " max_success=";
      parameters += sequences != nullptr ? sequences : "1000";
    }
    setenv("RC_PARAMS", parameters.c_str(), 1);
  }
};

// What went wrong, or nothing.
std::string run_here(const Operations& operations) {
  World world;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const std::string problem = world.run(operations[i]);
    if (!problem.empty())
      return "operation " + std::to_string(i + 1) + ", " + to_string(operations[i]) + ": " + problem;
  }
  const std::string problem = world.finish();
  return problem.empty() ? problem : "at the end: " + problem;
}

std::string run_in_child(const Operations& operations) {
  int ends[2];
  if (pipe(ends) != 0) return "pipe";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return "fork";
  if (child == 0) {
    close(ends[0]);
    alarm(kHangSeconds);
    const std::string problem = run_here(operations);
    const bool told = problem.empty() || write(ends[1], problem.data(), problem.size()) > 0;
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  std::string problem;
  char buffer[512];
  for (ssize_t size = 0; (size = read(ends[0], buffer, sizeof buffer)) > 0;) {
    problem.append(buffer, static_cast<std::size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return "waitpid";
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return number == SIGALRM ? "it hangs" : "the process died of signal " + std::to_string(number);
  }
  return WEXITSTATUS(status) == 0 || !problem.empty() ? problem : "the process failed";
}

bool holds(const char* what, unsigned slots) {
  return rc::check(what, [slots] {
    const Operations operations = *any_operations(slots);
    const std::string problem = run_in_child(operations);
    if (!problem.empty()) RC_FAIL(problem);
  });
}

TEST_F(Property, OneTransactionAtATimeAnswersAsTheModel) {
  EXPECT_TRUE(holds("one transaction at a time answers as the model", 1));
}

TEST_F(Property, SeveralTransactionsAnswerAsTheModel) {
  EXPECT_TRUE(holds("several transactions answer as the model", kSlots));
}

}  // namespace
}  // namespace isolith::property
