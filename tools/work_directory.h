// WorkDirectory: a directory for what a command makes; it goes away at the end unless it is to be kept.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::tools {

class WorkDirectory {
 public:
  WorkDirectory() = default;
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory();

  // Makes a directory of its own, "NAME-" and six letters, under the system's for temporary files; or takes
  // `wanted`, which must be absent or empty: nothing that the command did not make is ever removed.
  Status make(std::string_view name, const std::optional<std::string>& wanted = std::nullopt);

  void keep() noexcept { keep_ = true; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace isolith::tools
