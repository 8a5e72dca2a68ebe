// The Status of a failed call to the operating system.
//
// Threads: a pure function.
#pragma once

#include <string>
#include <string_view>

#include "isolith/status.h"

namespace isolith::base {

// "<call> <path>: <what the errno means> (errno <number>)", as `no_space` for ENOSPC and EDQUOT, `not_found`
// for ENOENT and `io_error` for anything else.
Status system_failure(std::string_view call, std::string_view path, int error);

}  // namespace isolith::base
