#include "locking/modes.h"

namespace isolith::locking {

std::string_view to_string(Mode mode) noexcept {
  switch (mode) {
    case Mode::intend_read:
      return "intend_read";
    case Mode::intend_write:
      return "intend_write";
    case Mode::read:
      return "read";
    case Mode::read_intend_write:
      return "read_intend_write";
    case Mode::write:
      return "write";
  }
  return "";
}

}  // namespace isolith::locking
