#include "stop_signals.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace gladius::cli {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t stop_requested = 0;

// Only calls that are safe in a handler. A second signal, of either kind, ends the process.
void request_stop(int signal) {
  if (stop_requested != 0) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);  // delivered on return from here
    return;
  }
  stop_requested = 1;
  constexpr std::string_view kText =
      "\ngladius: stopping after this step, with a checkpoint; once more stops at once\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, kText.data(), kText.size());
}

void install(void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  stop_requested = 0;
  install(request_stop, SA_RESTART);
}

StopSignals::~StopSignals() { install(SIG_DFL, 0); }

bool StopSignals::requested() const { return stop_requested != 0; }

}  // namespace gladius::cli
