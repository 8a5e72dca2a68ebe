// CHECK, DCHECK and TRY: the only macros of isolith.
//
// CHECK(condition, "what it means") ends the process with file, line and text: a broken invariant must never
// reach the disk. DCHECK is CHECK in builds with assertions (ISOLITH_ASSERTIONS) and nothing otherwise.
// TRY(expression) returns the Status of a failed expression to the caller.
#pragma once

#include "isolith/status.h"

namespace isolith::base {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* text) noexcept;

inline Status take_status(Status&& status) noexcept { return std::move(status); }
inline Status take_status(const Status&& status) { return status; }

template <typename T>
Status take_status(Result<T>&& result) noexcept {
  return std::move(result).status();
}
template <typename T>
Status take_status(const Result<T>&& result) {
  return result.status();
}

}  // namespace isolith::base

#define CHECK(condition, text)            \
  (static_cast<bool>(condition) ? void(0) \
                                : ::isolith::base::check_failed(__FILE__, __LINE__, #condition, text))

#ifdef ISOLITH_ASSERTIONS
#define DCHECK(condition, text) CHECK(condition, text)
#else
#define DCHECK(condition, text) void(sizeof(static_cast<bool>(condition)))
#endif

#define TRY(expression)                                                                       \
  do {                                                                                        \
    if (auto&& try_result = (expression); !try_result.ok()) [[unlikely]]                        \
      return ::isolith::base::take_status(std::move(try_result));                             \
  } while (false)
