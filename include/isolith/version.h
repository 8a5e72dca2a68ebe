// The version of isolith that a program was compiled with.
//
// Before 1.0 a minor version may change the interface; the file format has a number of its own.
#pragma once

#include <string_view>

namespace isolith {

inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 1;
inline constexpr int kVersionPatch = 0;

// "major.minor.patch".
constexpr std::string_view version_string() noexcept { return "0.1.0"; }

}  // namespace isolith
