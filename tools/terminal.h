// Terminal: what depends on whether a person is looking.
//
// Colour and progress appear on terminals only, and colour not when the environment variable NO_COLOR is set
// (to anything but nothing) or TERM is "dumb".
//
// Threads: any.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace isolith::tools {

bool is_terminal(int descriptor) noexcept;

// How many columns the terminal has; 100 where it is none or does not say.
std::size_t terminal_width(int descriptor) noexcept;

// Whether box drawing and other signs beyond ASCII may be written: a terminal, and a locale with UTF-8.
bool shows_unicode(int descriptor) noexcept;

// 1234567 -> "1,234,567".
std::string with_separators(std::uint64_t number);

// 1536 -> "1.5 KiB"; whole bytes below 1 KiB.
std::string readable_bytes(std::uint64_t bytes);

// 0.00042 -> "0.42 ms", 1.5 -> "1.50 s".
std::string readable_seconds(double seconds);

class Palette {
 public:
  // Colours if `descriptor` is a terminal that wants them.
  explicit Palette(int descriptor);

  // Never a colour.
  static Palette plain() { return Palette(false); }

  [[nodiscard]] std::string bold(std::string_view text) const { return dress("1", text); }
  [[nodiscard]] std::string green(std::string_view text) const { return dress("32", text); }
  [[nodiscard]] std::string red(std::string_view text) const { return dress("31", text); }
  [[nodiscard]] std::string yellow(std::string_view text) const { return dress("33", text); }
  [[nodiscard]] std::string blue(std::string_view text) const { return dress("36", text); }
  [[nodiscard]] std::string faint(std::string_view text) const { return dress("2", text); }

 private:
  explicit Palette(bool colours) : colours_(colours) {}
  [[nodiscard]] std::string dress(std::string_view code, std::string_view text) const;

  bool colours_;
};

// One line on standard error that is written over and over while something long goes on; nothing if that is
// no terminal.
class Progress {
 public:
  explicit Progress(std::string title);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // Shows the figures, at most a few times a second.
  void show(std::uint64_t rows, std::uint64_t bytes);

  // ... or these, in words.
  void show(std::string_view figures);

  // Takes the line away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due();

  std::string title_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point begin_;
  Clock::time_point next_;
};

}  // namespace isolith::tools
