// `isolith demo`, whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/tools/run_program.h"

namespace isolith::tools {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr const char* kUnicodeDirectory = "/usr/share/unicode";

class CliDemoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kUnicodeDirectory)) GTEST_SKIP() << "package unicode-data is not installed";
  }

  TestDirectory directory_;
};

TEST_F(CliDemoTest, EndsWithOkAndLeavesNothingBehind) {
  const ProgramResult result = directory_.isolith({"demo", "--seed", "3", "--seconds", "2", "--dir", "d"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, EndsWith("\ndemo: ok\n"));
  EXPECT_THAT(result.out, HasSubstr("seed 3"));
  EXPECT_THAT(result.out, HasSubstr("SIGKILL"));
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);  // no colour where no terminal is
  EXPECT_FALSE(std::filesystem::exists(directory_.path("d")));
}

TEST_F(CliDemoTest, KeepsTheDatabaseWhenAsked) {
  const ProgramResult result = directory_.isolith({"demo", "--seconds", "0.5", "--dir", "d", "--keep"});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("kept: d\n"));
  EXPECT_EQ(directory_.isolith({"tables", "d"}).out, "categories\ncharacters\ncollation\njournal\nnames\n");
  EXPECT_EQ(directory_.isolith({"verify", "d"}).exit_code, 0);
  EXPECT_THAT(directory_.isolith({"get", "d", "characters", "000041"}).out,
              HasSubstr("LATIN CAPITAL LETTER A"));
}

TEST_F(CliDemoTest, MissingFilesNameThePackage) {
  const ProgramResult result = directory_.isolith({"demo", "--data", "nowhere"});
  expect_one_line(result, 3);
  EXPECT_THAT(result.err, HasSubstr("apt-get install unicode-data"));
}

TEST_F(CliDemoTest, NeverTakesADirectoryThatHoldsSomething) {
  std::filesystem::create_directory(directory_.path("photos"));
  directory_.write("photos/cat.jpg", "a cat");
  expect_one_line(directory_.isolith({"demo", "--dir", "photos"}), 3);
  EXPECT_TRUE(std::filesystem::exists(directory_.path("photos/cat.jpg")));
}

TEST_F(CliDemoTest, TheWorkerSaysWhyItCannotWork) {
  const ProgramResult result =
      directory_.run({"bash", "-c", "\"$0\" demo-worker --dir nowhere --seed 1 --descriptor 1 | tr -d '\\0'",
                      isolith_command()});
  EXPECT_THAT(result.out, HasSubstr("not_found"));
}

}  // namespace
}  // namespace isolith::tools
