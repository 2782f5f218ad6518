#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>

#include "gladius/tensor/base/quoted.h"

namespace gladius::cli {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux ends a write at 2 GiB

// While it lives, a write to a pipe without a reader is an error and no signal, whatever is done
// about SIGPIPE elsewhere: that signal goes to the thread that writes. One that another process
// sends meanwhile is delivered afterwards.
class WithoutBrokenPipeSignal {
 public:
  WithoutBrokenPipeSignal() {
    sigemptyset(&broken_pipe_);
    sigaddset(&broken_pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe_, &before_);
  }
  ~WithoutBrokenPipeSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WithoutBrokenPipeSignal(const WithoutBrokenPipeSignal&) = delete;
  WithoutBrokenPipeSignal& operator=(const WithoutBrokenPipeSignal&) = delete;

  // After a write that failed with EPIPE: takes its signal, which comes before another process's.
  void discard() const {
    const timespec no_time{};
    sigtimedwait(&broken_pipe_, nullptr, &no_time);
  }

 private:
  sigset_t broken_pipe_{}, before_{};
};

// Writes all of the text; returns the error number that ended it, or 0.
int write_all(int stream, std::string_view text) {
  const WithoutBrokenPipeSignal guard;
  while (!text.empty()) {
    const ssize_t written = ::write(stream, text.data(), std::min(text.size(), kLargestWrite));
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else's end of the pipe made it non-blocking
      pollfd room{.fd = stream, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      const int error = errno;
      if (error == EPIPE) guard.discard();
      return error;
    }
  }
  return 0;
}

std::string reason(int error) { return error == EBADF ? "it is closed" : std::strerror(error); }

}  // namespace

OutputError::OutputError(int error)
    : IoError(fmt::format("cannot write to standard output: {}; results are lost", reason(error))),
      error_(error) {}

bool OutputError::reader_is_gone() const { return error_ == EPIPE; }

void occupy_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number, which is this one; opened so that its use fails.
    const int flags = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", flags) != stream) ::open("/", O_RDONLY);
  }
}

void print_text(std::string_view text) {
  if (const int error = write_all(STDOUT_FILENO, text)) throw OutputError(error);
}

std::string message_line(std::string_view message) {
  constexpr std::size_t kMost = 1000, kTail = 250;
  constexpr std::string_view kCut = " ... ";
  std::string line = printable(message);
  if (line.size() <= kMost) return line;
  const auto in_character = [&](std::size_t i) {
    return (static_cast<unsigned char>(line[i]) & 0xC0) == 0x80;
  };
  std::size_t head = kMost - kTail - kCut.size(), tail = line.size() - kTail;
  while (in_character(head)) --head;
  while (in_character(tail)) ++tail;
  return line.replace(head, tail - head, kCut);
}

void log_text(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

void close_output() {
  if (::close(STDOUT_FILENO) != 0 && errno != EBADF && errno != EINTR) throw OutputError(errno);
}

void end_by_broken_pipe() {
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  if (action.sa_handler != SIG_IGN) ::raise(SIGPIPE);
}

}  // namespace gladius::cli
