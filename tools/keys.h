// Keys: what a person presses, one key at a time from a terminal, or one line at a time from anything else.
//
// On a terminal it is put into raw mode and given back as it was whatever happens: at the end of this object,
// and also when a signal asks the program to end. Such signals are blocked meanwhile and read like keys, so
// there must be no thread that does not have them blocked.
//
// Threads: one at a time; one object at a time.
#pragma once

#include <csignal>
#include <deque>
#include <memory>

#include "isolith/status.h"

struct termios;

namespace isolith::tools {

enum class Key {
  forward,  // space, enter, n, right, down; an empty line
  back,     // b, p, left, up
  quit,     // q, Ctrl-C, escape; the end of the input; a signal
  other,
};

class Keys {
 public:
  explicit Keys(int descriptor);
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  ~Keys();

  // Not ok: the terminal could not be put into raw mode.
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] bool is_terminal() const noexcept { return saved_ != nullptr; }

  Key next();

  // The signal that ended it, which is to be raised again once the terminal is as it was; 0: none.
  [[nodiscard]] int signal() const noexcept { return signal_; }

 private:
  void enter_raw_mode();
  Key next_from_terminal();
  Key next_from_line();
  void read_keys();

  int descriptor_;
  int signals_ = -1;  // a descriptor that tells of signals
  int signal_ = 0;
  ::sigset_t saved_mask_{};
  std::unique_ptr<::termios> saved_;  // how the terminal was; null: it is none
  std::deque<Key> pressed_;
  Status status_;
};

}  // namespace isolith::tools
