// The end of a process whose invariant is broken: one line on stderr, then abort, so that a core is left.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace isolith::base {

void check_failed(const char* file, int line, const char* condition, const char* text) noexcept {
  std::fprintf(stderr, "%s:%d: isolith: check failed: %s (%s)\n", file, line, text, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace isolith::base
