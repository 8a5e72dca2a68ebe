#include "tools/lanes.h"

#include <algorithm>
#include <numeric>

#include "tools/text_layout.h"

namespace isolith::tools {
namespace {

constexpr std::size_t kLaneWidthMin = 12;
constexpr std::size_t kEngineWidthMin = 24;
constexpr std::size_t kSessionShares = 2;
constexpr std::size_t kEngineShares = 3;
constexpr std::size_t kIndent = 2;  // of wrapped lines

Tone tone_of(Mark mark) {
  switch (mark) {
    case Mark::step:
      return Tone::strong;
    case Mark::result:
      return Tone::plain;
    case Mark::waits:
      return Tone::waits;
    case Mark::goes_on:
    case Mark::ends:
      return Tone::good;
    case Mark::fails:
      return Tone::bad;
    case Mark::aside:
      return Tone::faint;
  }
  return Tone::plain;
}

}  // namespace

Look Look::of(int descriptor) {
  return {terminal_width(descriptor), shows_unicode(descriptor), Palette(descriptor)};
}

std::string dress(const Palette& palette, Tone tone, std::string_view text) {
  switch (tone) {
    case Tone::plain:
      break;
    case Tone::faint:
      return palette.faint(text);
    case Tone::good:
      return palette.green(text);
    case Tone::bad:
      return palette.red(text);
    case Tone::waits:
      return palette.yellow(text);
    case Tone::strong:
      return palette.bold(text);
  }
  return std::string(text);
}

Lanes::Lanes(const Timeline& timeline, const Look& look) : timeline_(timeline), look_(look) {
  for (const TimelineRow& row : timeline.rows)
    label_width_ = std::max(label_width_, display_width(row.label));
  share_width();
}

std::string_view Lanes::sign_of(Mark mark) const {
  const bool unicode = look_.unicode;
  switch (mark) {
    case Mark::step:
      return "";
    case Mark::result:
      return unicode ? "→ " : "-> ";
    case Mark::waits:
      return unicode ? "■ " : "# ";
    case Mark::goes_on:
      return unicode ? "▶ " : "> ";
    case Mark::fails:
      return unicode ? "✗ " : "! ";
    case Mark::ends:
      return unicode ? "✓ " : "* ";
    case Mark::aside:
      return unicode ? "· " : ". ";
  }
  return "";
}

// Each column gets what it wants while there is enough for all; else small ones get it, and the others share
// what is left, the engine half as much again as a session.
void Lanes::share_width() {
  const std::size_t sessions = timeline_.sessions.size();
  std::vector<std::size_t> wanted;
  for (const std::string& head : timeline_.sessions) wanted.push_back(display_width(head));
  wanted.push_back(display_width(timeline_.engine));
  for (const TimelineRow& row : timeline_.rows) {
    for (const LaneLine& line : row.lane) {
      const std::size_t width = display_width(sign_of(line.mark)) + display_width(line.text);
      wanted[row.session] = std::max(wanted[row.session], width);
    }
    for (const Note& note : row.engine)
      wanted[sessions] = std::max(wanted[sessions], display_width(note.text));
  }
  const std::size_t frame = 2 + label_width_ + 3 * (sessions + 1);
  std::size_t left = look_.width > frame ? look_.width - frame : 0;
  std::size_t shares = kSessionShares * sessions + kEngineShares;
  widths_.assign(sessions + 1, 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i <= sessions; ++i) {
      const std::size_t own_shares = i == sessions ? kEngineShares : kSessionShares;
      if (widths_[i] != 0 || wanted[i] > own_shares * left / std::max<std::size_t>(shares, 1)) continue;
      widths_[i] = std::max<std::size_t>(wanted[i], 1);
      left -= std::min(left, widths_[i]);
      shares -= own_shares;
      changed = true;
    }
  }
  for (std::size_t i = 0; i <= sessions; ++i) {
    if (widths_[i] != 0) continue;
    const std::size_t own_shares = i == sessions ? kEngineShares : kSessionShares;
    const std::size_t minimum = i == sessions ? kEngineWidthMin : kLaneWidthMin;
    widths_[i] = std::max(minimum, own_shares * left / shares);
  }
}

Lanes::Cells Lanes::lane_cells(const TimelineRow& row, std::size_t width) const {
  Cells cells;
  for (const LaneLine& line : row.lane) {
    const std::string text = std::string(sign_of(line.mark)) + line.text;
    for (std::string& part : wrap(text, width, kIndent))
      cells.push_back({tone_of(line.mark), std::move(part)});
  }
  return cells;
}

Lanes::Cells Lanes::engine_cells(const TimelineRow& row, std::size_t width) const {
  Cells cells;
  for (const Note& note : row.engine) {
    for (std::string& part : wrap(note.text, width, kIndent)) cells.push_back({note.tone, std::move(part)});
  }
  return cells;
}

std::string Lanes::rule(std::string_view cross) const {
  const std::string_view dash = look_.unicode ? "─" : "-";
  std::string line = "  ";
  const auto fill = [&](std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) line += dash;
  };
  fill(label_width_ + 1);
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    line += cross;
    fill(widths_[i] + (i + 1 < widths_.size() ? 2 : 1));
  }
  return look_.palette.faint(line) + "\n";
}

std::string Lanes::head() const {
  const std::string bar = look_.palette.faint(look_.unicode ? " │ " : " | ");
  std::vector<std::vector<std::string>> heads;
  std::size_t height = 1;
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    const bool is_engine = i + 1 == widths_.size();
    heads.push_back(wrap(is_engine ? timeline_.engine : timeline_.sessions[i], widths_[i], kIndent));
    height = std::max(height, heads.back().size());
  }
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    text += "  " + std::string(label_width_, ' ');
    for (std::size_t i = 0; i < widths_.size(); ++i) {
      const std::string head = line < heads[i].size() ? heads[i][line] : std::string();
      const bool is_engine = i + 1 == widths_.size();
      text += bar + look_.palette.bold(is_engine ? head : pad(head, widths_[i]));
    }
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text + rule(look_.unicode ? "┼" : "+");
}

std::string Lanes::row(std::size_t place) const {
  const TimelineRow& row = timeline_.rows[place];
  const std::string bar = look_.palette.faint(look_.unicode ? " │ " : " | ");
  const std::size_t sessions = timeline_.sessions.size();
  const Cells lane = lane_cells(row, widths_[row.session]);
  const Cells engine = engine_cells(row, widths_[sessions]);
  const std::size_t height = std::max<std::size_t>({lane.size(), engine.size(), 1});
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    text += "  " + pad(line == 0 ? row.label : "", label_width_);
    for (std::size_t i = 0; i < sessions; ++i) {
      Cell cell;
      if (i == row.session && line < lane.size()) {
        cell = lane[line];
      } else if (row.waiting[i]) {
        cell = {Tone::waits, look_.unicode ? "┊" : ":"};
      }
      const std::string padded = pad(cell.text, widths_[i]);
      text += bar + (cell.text.empty() ? padded : dress(look_.palette, cell.tone, padded));
    }
    text += bar;
    if (line < engine.size()) text += dress(look_.palette, engine[line].tone, engine[line].text);
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text;
}

std::string Lanes::foot() const { return rule(look_.unicode ? "┴" : "+"); }

std::string Lanes::all() const {
  std::string text = head();
  for (std::size_t i = 0; i < timeline_.rows.size(); ++i) text += row(i);
  return text + foot();
}

}  // namespace isolith::tools
