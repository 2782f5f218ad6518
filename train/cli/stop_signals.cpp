#include "stop_signals.h"

#include <csignal>

namespace gladius::cli {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int) { stop_requested = 1; }

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
  install(request_stop, static_cast<int>(SA_RESETHAND) | SA_RESTART);
}

StopSignals::~StopSignals() { install(SIG_DFL, 0); }

bool StopSignals::requested() const { return stop_requested != 0; }

}  // namespace gladius::cli
