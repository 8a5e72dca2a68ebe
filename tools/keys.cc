#include "tools/keys.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "tools/terminal.h"

namespace isolith::tools {
namespace {

constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

Key key_of(char character) {
  switch (character) {
    case ' ':
    case '\r':
    case '\n':
    case 'n':
      return Key::forward;
    case 'b':
    case 'p':
      return Key::back;
    case 'q':
    case '\x03':  // Ctrl-C
    case '\x04':  // Ctrl-D
      return Key::quit;
    default:
      return Key::other;
  }
}

}  // namespace

Keys::Keys(int descriptor) : descriptor_(descriptor) {
  if (tools::is_terminal(descriptor)) enter_raw_mode();
}

void Keys::enter_raw_mode() {
  ::sigset_t ending;
  ::sigemptyset(&ending);
  for (const int signal : kEndingSignals) ::sigaddset(&ending, signal);
  auto saved = std::make_unique<::termios>();
  const auto failed = [this](std::string_view what) {
    status_ = Status(StatusCode::io_error,
                     fmt::format("{}: {}", what, std::generic_category().message(errno)), errno);
  };
  if (::tcgetattr(descriptor_, saved.get()) != 0) return failed("cannot read the mode of the terminal");
  signals_ = ::signalfd(-1, &ending, SFD_CLOEXEC);
  if (signals_ < 0) return failed("cannot wait for signals");
  // From here on a signal waits until the terminal is as it was.
  ::pthread_sigmask(SIG_BLOCK, &ending, &saved_mask_);
  ::termios raw = *saved;
  ::cfmakeraw(&raw);
  raw.c_oflag = saved->c_oflag;
  saved_ = std::move(saved);
  if (::tcsetattr(descriptor_, TCSANOW, &raw) != 0) failed("cannot set the mode of the terminal");
}

Keys::~Keys() {
  if (saved_ == nullptr) {
    if (signals_ >= 0) ::close(signals_);
    return;
  }
  ::tcsetattr(descriptor_, TCSANOW, saved_.get());
  ::close(signals_);
  ::pthread_sigmask(SIG_SETMASK, &saved_mask_, nullptr);
}

Key Keys::next() { return is_terminal() ? next_from_terminal() : next_from_line(); }

Key Keys::next_from_terminal() {
  while (pressed_.empty()) {
    std::array<::pollfd, 2> waiting{{{descriptor_, POLLIN, 0}, {signals_, POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return Key::quit;
    }
    if (waiting[1].revents != 0) {
      ::signalfd_siginfo info{};
      if (::read(signals_, &info, sizeof info) == sizeof info) signal_ = static_cast<int>(info.ssi_signo);
      return Key::quit;
    }
    read_keys();
  }
  const Key key = pressed_.front();
  pressed_.pop_front();
  return key;
}

// What has come so far; an arrow key comes as three bytes together.
void Keys::read_keys() {
  std::array<char, 64> buffer{};
  const ::ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) return pressed_.push_back(Key::quit);
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  while (!bytes.empty()) {
    if (bytes.front() != '\x1b') {
      pressed_.push_back(key_of(bytes.front()));
      bytes.remove_prefix(1);
    } else if (bytes.size() >= 3 && (bytes[1] == '[' || bytes[1] == 'O')) {
      const char arrow = bytes[2];
      const bool is_forward = arrow == 'C' || arrow == 'B';
      const bool is_back = arrow == 'D' || arrow == 'A';
      pressed_.push_back(is_forward ? Key::forward : is_back ? Key::back : Key::other);
      bytes.remove_prefix(3);
    } else {
      pressed_.push_back(Key::quit);
      return;
    }
  }
}

Key Keys::next_from_line() {
  char first = '\n';
  for (bool is_first = true;; is_first = false) {
    char byte = 0;
    const ::ssize_t got = ::read(descriptor_, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return is_first ? Key::quit : key_of(first);
    if (is_first) first = byte;
    if (byte == '\n') return key_of(first);
  }
}

}  // namespace isolith::tools
