// KeySpan: the part of a table that --lo, --hi and --prefix on a command line ask for.
//
// Threads: one at a time.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "isolith/transaction.h"

namespace isolith::tools {

// What the command line says; views into `lo` and `hi` are good while the object lives.
class KeySpan {
 public:
  // Adds --lo, --hi and --prefix to `command`.
  void add_options(CLI::App& command);

  // Whether one of them was given.
  [[nodiscard]] bool given() const noexcept { return lo_text_ || hi_text_ || prefix_text_; }

  // Works out the range. `invalid_argument` for a bad escape or bounds that are the wrong way round.
  Status resolve(bool escaped);

  // Only after resolve() returned ok.
  [[nodiscard]] KeyRange range() const noexcept;

 private:
  std::optional<std::string> lo_text_;
  std::optional<std::string> hi_text_;
  std::optional<std::string> prefix_text_;
  std::string lo_;
  std::optional<std::string> hi_;
};

// The first key after all that begin with `prefix`; nothing if there is none.
std::optional<std::string> end_of_prefix(std::string prefix);

}  // namespace isolith::tools
