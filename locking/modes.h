// Modes of locks as data: which go together, and what two of them held by one transaction amount to.
//
// Gray, Lorie, Putzolu, Traiger, "Granularity of Locks and Degrees of Consistency in a Shared Data Base"
// (1976). Keys and ranges know `read` and `write`; tables and the database all five.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace isolith::locking {

enum class Mode : std::uint8_t {
  intend_read,        // IS: reads some of it with locks
  intend_write,       // IX: writes some of it
  read,               // S: reads all of it
  read_intend_write,  // SIX: reads all of it and writes some
  write,              // X: writes any of it
};

inline constexpr std::size_t kModes = 5;

namespace modes {

constexpr bool kYes = true;
constexpr bool kNo = false;

// [held by one transaction][wanted by another one]
inline constexpr std::array<std::array<bool, kModes>, kModes> kCompatible = {{
    //           IS    IX    S     SIX   X
    /* IS  */ {{kYes, kYes, kYes, kYes, kNo}},
    /* IX  */ {{kYes, kYes, kNo, kNo, kNo}},
    /* S   */ {{kYes, kNo, kYes, kNo, kNo}},
    /* SIX */ {{kYes, kNo, kNo, kNo, kNo}},
    /* X   */ {{kNo, kNo, kNo, kNo, kNo}},
}};

// [held][wanted too]: the weakest mode that is both.
inline constexpr std::array<std::array<Mode, kModes>, kModes> kBoth = {{
    {{Mode::intend_read, Mode::intend_write, Mode::read, Mode::read_intend_write, Mode::write}},
    {{Mode::intend_write, Mode::intend_write, Mode::read_intend_write, Mode::read_intend_write, Mode::write}},
    {{Mode::read, Mode::read_intend_write, Mode::read, Mode::read_intend_write, Mode::write}},
    {{Mode::read_intend_write, Mode::read_intend_write, Mode::read_intend_write, Mode::read_intend_write,
      Mode::write}},
    {{Mode::write, Mode::write, Mode::write, Mode::write, Mode::write}},
}};

}  // namespace modes

constexpr bool are_compatible(Mode held, Mode wanted) noexcept {
  return modes::kCompatible[static_cast<std::size_t>(held)][static_cast<std::size_t>(wanted)];
}

constexpr Mode both(Mode held, Mode wanted) noexcept {
  return modes::kBoth[static_cast<std::size_t>(held)][static_cast<std::size_t>(wanted)];
}

// "intend_read", "write".
std::string_view to_string(Mode mode) noexcept;

}  // namespace isolith::locking
