#include "tools/work_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace isolith::tools {
namespace {

Status failure(std::string_view what, const std::error_code& error) {
  return {StatusCode::io_error, fmt::format("{}: {}", what, error.message()), error.value()};
}

}  // namespace

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

Status WorkDirectory::make(std::string_view name, const std::optional<std::string>& wanted) {
  std::error_code error;
  if (wanted) {
    if (std::filesystem::exists(*wanted, error) && !std::filesystem::is_empty(*wanted, error)) {
      return {StatusCode::invalid_argument, fmt::format("'{}' is there and not an empty directory", *wanted)};
    }
    std::filesystem::create_directories(*wanted, error);
    if (error) return failure(fmt::format("cannot make '{}'", *wanted), error);
    path_ = *wanted;
    return {};
  }
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) return failure("cannot find the directory for temporary files", error);
  std::string path = (parent / fmt::format("{}-XXXXXX", name)).string();
  if (::mkdtemp(path.data()) == nullptr) {
    return failure(fmt::format("cannot make '{}'", path), std::error_code(errno, std::generic_category()));
  }
  path_ = path;
  return {};
}

}  // namespace isolith::tools
