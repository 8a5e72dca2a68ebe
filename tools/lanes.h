// Lanes: draws a timeline: a column for the steps' names, one for each session, and one for the engine.
//
//      | A                     | B              | isolith
//   ---+-----------------------+----------------+----------------------------------
//   A1 | x = get accounts/a    |                | reads a = 100, first row
//      | -> 100                |                |
//
// Columns are as wide as what is in them, or share the width that there is; then text is wrapped.
//
// Threads: values; the timeline outlives it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tools/terminal.h"
#include "tools/timeline.h"

namespace isolith::tools {

// How output looks.
struct Look {
  std::size_t width = 100;
  bool unicode = false;  // box drawing and signs beyond ASCII
  Palette palette = Palette::plain();

  // As the descriptor's terminal wants it, or plain.
  static Look of(int descriptor);
};

// Text in the colour of its tone.
std::string dress(const Palette& palette, Tone tone, std::string_view text);

class Lanes {
 public:
  Lanes(const Timeline& timeline, const Look& look);

  // Each ends with a line feed.
  [[nodiscard]] std::string head() const;
  [[nodiscard]] std::string row(std::size_t place) const;
  [[nodiscard]] std::string foot() const;
  [[nodiscard]] std::string all() const;

 private:
  struct Cell {
    Tone tone = Tone::plain;
    std::string text;
  };
  using Cells = std::vector<Cell>;

  void share_width();
  [[nodiscard]] std::string_view sign_of(Mark mark) const;
  [[nodiscard]] Cells lane_cells(const TimelineRow& row, std::size_t width) const;
  [[nodiscard]] Cells engine_cells(const TimelineRow& row, std::size_t width) const;
  [[nodiscard]] std::string rule(std::string_view cross) const;

  const Timeline& timeline_;
  Look look_;
  std::size_t label_width_ = 0;
  std::vector<std::size_t> widths_;  // of the sessions, then of the engine
};

}  // namespace isolith::tools
