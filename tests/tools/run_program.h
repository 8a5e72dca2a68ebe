// Runs the built `isolith` command, or another program, and gives back what it said.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace isolith::tools {

struct ProgramResult {
  int exit_code = -1;  // -1: ended by a signal, or never started
  std::string out;
  std::string err;
};

// A directory for one test, removed at its end; programs run in it.
class TestDirectory {
 public:
  TestDirectory();
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory();

  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

  // Writes a file in it and returns its path.
  std::string write(const std::string& name, std::string_view content) const;

  // Runs a program that is found through PATH, with `input` as its standard input.
  [[nodiscard]] ProgramResult run(std::vector<std::string> words, std::string_view input = "") const;

  // Runs the built command with these arguments.
  [[nodiscard]] ProgramResult isolith(std::vector<std::string> arguments, std::string_view input = "") const;

 private:
  std::filesystem::path path_;
};

// Where the built command is.
std::string isolith_command();

// Whether a program of this name is found through PATH.
bool has_program(const std::string& name);

// Expects the exit code, and nothing but one line of the command on standard error.
void expect_one_line(const ProgramResult& result, int exit_code);

}  // namespace isolith::tools
