// `isolith run --step`.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "tools/keys.h"
#include "tools/output.h"
#include "tools/walk.h"

namespace isolith::tools {
namespace {

constexpr std::string_view kEnterScreen = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeaveScreen = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kClear = "\x1b[H\x1b[2J";

std::size_t screen_height() {
  constexpr std::size_t kUnknown = 24;
  ::winsize size{};
  const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  return is_known ? size.ws_row : kUnknown;
}

// The last `height` lines of a text.
std::string last_lines(const std::string& text, std::size_t height) {
  std::size_t begin = text.size();
  for (std::size_t lines = 0; begin > 0; --begin) {
    if (text[begin - 1] == '\n' && lines++ == height) break;
  }
  return text.substr(begin);
}

std::string next_text(const Walk& walk, std::size_t shown) {
  if (shown == walk.timeline.rows.size()) return "that was the last one";
  const TimelineRow& row = walk.timeline.rows[shown];
  return fmt::format("next: {} {}", row.label, row.step);
}

// The head stays, and as many of the latest rows as there is room for.
void draw(Output& output, const Walk& walk, const Lanes& lanes, std::size_t shown) {
  const std::string head = lanes.head();
  std::string rows;
  for (std::size_t i = 0; i < shown; ++i) rows += lanes.row(i);
  const auto head_lines = static_cast<std::size_t>(std::count(head.begin(), head.end(), '\n'));
  const std::size_t height = screen_height();
  const std::size_t room = height > head_lines + 4 ? height - head_lines - 4 : 1;
  const std::string help = fmt::format("{}/{}   {}\n  space, n: on   b, p: back   q: end", shown,
                                       walk.timeline.rows.size(), next_text(walk, shown));
  output.write(kClear);
  output.write(head + last_lines(rows, room) + lanes.foot() + "\n  " + walk.look.palette.faint(help));
  output.flush();
}

// Leaves the terminal as it was; what has been seen is then printed as without `--step`.
int walk_on_terminal(Keys& keys, Output& output, const Walk& walk, const Lanes& lanes) {
  std::size_t shown = 0;
  output.write(kEnterScreen);
  while (output.ok()) {
    draw(output, walk, lanes, shown);
    const Key key = keys.next();
    if (key == Key::quit) break;
    if (key == Key::back && shown > 0) --shown;
    if (key != Key::forward) continue;
    if (shown == walk.timeline.rows.size()) break;
    ++shown;
  }
  output.write(kLeaveScreen);
  output.flush();
  return keys.signal();
}

void walk_by_lines(Keys& keys, Output& output, const Walk& walk, const Lanes& lanes) {
  const std::size_t count = walk.timeline.rows.size();
  std::size_t shown = 0;
  output.write(walk.start + lanes.head());
  while (shown < count && output.ok()) {
    output.flush();
    const Key key = keys.next();
    if (key == Key::quit) break;
    if (key == Key::forward) output.write(lanes.row(shown++));
    if (key == Key::back && shown > 0) {
      --shown;
      output.write(fmt::format("  (back to before {})\n", walk.timeline.rows[shown].label));
    }
  }
  output.write(lanes.foot());
  output.write(shown == count ? walk.end : fmt::format("  ended after {} of {}\n", shown, count));
}

}  // namespace

ExitCode step_through(const Walk& walk) {
  Output output(STDOUT_FILENO);
  const Lanes lanes(walk.timeline, walk.look);
  int signal = 0;
  {
    Keys keys(STDIN_FILENO);
    if (!keys.status().ok()) return fail(keys.status(), "--step");
    if (!keys.is_terminal() || !is_terminal(STDOUT_FILENO)) {
      walk_by_lines(keys, output, walk, lanes);
      return finish(output);
    }
    signal = walk_on_terminal(keys, output, walk, lanes);
  }
  if (signal != 0) ::raise(signal);
  output.write(walk.start + lanes.all() + walk.end);
  return finish(output);
}

}  // namespace isolith::tools
