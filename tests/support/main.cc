// The main function of every test program: GoogleTest, with rapidcheck fed from ISOLITH_TEST_SEED.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/seed.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  if (std::getenv("ISOLITH_TEST_SEED") != nullptr && std::getenv("RC_PARAMS") == nullptr) {
    const std::string parameters = "seed=" + std::to_string(isolith::testing::test_seed());
    setenv("RC_PARAMS", parameters.c_str(), 1);
  }
  return RUN_ALL_TESTS();
}
