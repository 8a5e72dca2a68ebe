#include "tools/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace isolith::tools {

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

std::size_t terminal_width(int descriptor) noexcept {
  constexpr std::size_t kUnknown = 100;
  ::winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUnknown;
  return size.ws_col;
}

bool shows_unicode(int descriptor) noexcept {
  if (!is_terminal(descriptor)) return false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos ||
           locale.find("utf-8") != std::string_view::npos;
  }
  return false;
}

std::string with_separators(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t from_end = 3; from_end < digits.size(); from_end += 4) {
    digits.insert(digits.size() - from_end, 1, ',');
  }
  return digits;
}

std::string readable_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double amount = static_cast<double>(bytes) / 1024;
  std::string_view unit = "KiB";
  for (const std::string_view larger : {"MiB", "GiB", "TiB"}) {
    if (amount < 1023.95) break;
    amount /= 1024;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", amount, unit);
}

std::string readable_seconds(double seconds) {
  return seconds < 1 ? fmt::format("{:.2f} ms", seconds * 1000) : fmt::format("{:.2f} s", seconds);
}

Palette::Palette(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = (no_color != nullptr && *no_color != '\0') ||
                       (terminal != nullptr && std::string_view(terminal) == "dumb");
  colours_ = is_terminal(descriptor) && !refused;
}

std::string Palette::dress(std::string_view code, std::string_view text) const {
  return colours_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

Progress::Progress(std::string title)
    : title_(std::move(title)), enabled_(is_terminal(STDERR_FILENO)), begin_(Clock::now()), next_(begin_) {}

// Whether the line is to be written now; then it is.
bool Progress::is_due() {
  constexpr std::chrono::milliseconds kInterval{200};
  if (!enabled_) return false;
  const Clock::time_point now = Clock::now();
  if (now < next_) return false;
  next_ = now + kInterval;
  shown_ = true;
  return true;
}

void Progress::show(std::string_view figures) {
  if (!is_due()) return;
  const std::string line = fmt::format("\r\x1b[K{}  {}", title_, figures);
  std::fputs(line.c_str(), stderr);
}

void Progress::show(std::uint64_t rows, std::uint64_t bytes) {
  if (!is_due()) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const auto rows_per_second =
      static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(rows) / seconds : 0);
  const std::string line = fmt::format("\r\x1b[K{}  {} rows  {}  {} rows/s", title_, with_separators(rows),
                                       readable_bytes(bytes), with_separators(rows_per_second));
  std::fputs(line.c_str(), stderr);
}

void Progress::clear() {
  if (!std::exchange(shown_, false)) return;
  std::fputs("\r\x1b[K", stderr);
}

}  // namespace isolith::tools
