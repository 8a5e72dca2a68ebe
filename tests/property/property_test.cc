// Generated sequences of calls against the model.
//
// ISOLITH_TEST_SEQUENCES=<number> runs so many of each property instead of 1,000. Each sequence runs in a
// process of its own, so that one that ends the process is made smaller like any other.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <string>

#include "tests/property/operation.h"
#include "tests/property/world.h"
#include "tests/support/child.h"
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

bool holds(const char* what, unsigned slots) {
  return rc::check(what, [slots] {
    const Operations operations = *any_operations(slots);
    const std::string problem =
        testing::run_in_child(kHangSeconds, [&](std::string&) { return run_here(operations); }).problem;
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
