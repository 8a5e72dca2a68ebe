#include "tools/interruption.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace isolith::tools {

Interruption::Interruption(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGINT);
  sigaddset(&both, SIGTERM);
  signals_ = ::signalfd(-1, &both, SFD_CLOEXEC);
  end_ = ::eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || end_ < 0) return;  // then they end the program as ever
  ::pthread_sigmask(SIG_BLOCK, &both, &before_);
  thread_ = std::thread([this] { wait_for_signals(); });
}

Interruption::~Interruption() {
  if (thread_.joinable()) {
    ::eventfd_write(end_, 1);
    thread_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  for (const int file : {signals_, end_}) {
    if (file >= 0) ::close(file);
  }
}

void Interruption::die_of(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

void Interruption::wait_for_signals() {
  std::array<pollfd, 2> files = {{{signals_, POLLIN, 0}, {end_, POLLIN, 0}}};
  while (true) {
    if (::poll(files.data(), files.size(), -1) < 0 && errno != EINTR) return;
    if (files[1].revents != 0) return;
    signalfd_siginfo info = {};
    if (files[0].revents == 0 || ::read(signals_, &info, sizeof info) != sizeof info) continue;
    on_signal_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace isolith::tools
