// Turns an errno into a Status.
#include "base/system_failure.h"

#include <cerrno>
#include <system_error>

namespace isolith::base {

Status system_failure(std::string_view call, std::string_view path, int error) {
  StatusCode code = StatusCode::io_error;
  if (error == ENOSPC || error == EDQUOT) code = StatusCode::no_space;
  if (error == ENOENT) code = StatusCode::not_found;
  std::string message(call);
  message.append(" ").append(path).append(": ").append(std::generic_category().message(error));
  message.append(" (errno ").append(std::to_string(error)).append(")");
  return Status(code, std::move(message), error);
}

}  // namespace isolith::base
