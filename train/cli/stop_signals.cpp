#include "stop_signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace gladius::cli {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// A signal handler, which may run on any thread, can reach nothing else.
std::atomic<bool> stop_requested{false};
std::atomic<int> first_signal{0};
std::atomic<bool> silent{false};
std::atomic<const std::string*> last_words{nullptr};  // null: a signal is a request
std::array<std::string, 2> stop_texts;                // the one in last_words is not touched
std::array<struct sigaction, kSignals.size()> actions_before;

static_assert(std::atomic<bool>::is_always_lock_free &&
              std::atomic<const std::string*>::is_always_lock_free);

// Only calls that are safe in a handler from here on.
void write_error(std::string_view text) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  constexpr int kShellsCode = 128;
  ::_exit(kShellsCode + signal);  // the first process of a container outlives its own signals
}

void handle_stop(int signal, siginfo_t* info, void*) {
  const int error = errno;
  // Who reads a log does not decide whether the run goes on.
  const bool own_pipe = signal == SIGPIPE && info->si_pid == ::getpid();
  if (!own_pipe) {
    if (stop_requested.exchange(true)) end_by(signal);
    first_signal = signal;
    if (const std::string* words = last_words.load()) {
      write_error(*words);
      ::_exit(1);
    }
    if (!silent)
      write_error(
          "\ngladius: stopping after this step, with a checkpoint; once more stops at once\n");
  }
  errno = error;
}

}  // namespace

StopSignals::StopSignals(const std::string& message) {
  silent = false;
  end_at_once(message);
  install();
}

StopSignals::StopSignals() {
  silent = true;
  wait_for_step();
  install();
}

void StopSignals::install() {
  stop_requested = false;
  first_signal = 0;
  struct sigaction action {};
  action.sa_sigaction = handle_stop;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &actions_before[i]);
    if (actions_before[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i)
    ::sigaction(kSignals[i], &actions_before[i], nullptr);
}

void StopSignals::end_at_once(const std::string& message) {
  std::string& text = last_words == &stop_texts[0] ? stop_texts[1] : stop_texts[0];
  // A terminal may show a bar.
  text =
      (::isatty(STDERR_FILENO) == 1 ? "\ngladius: error: " : "gladius: error: ") + message + "\n";
  last_words = &text;
}

void StopSignals::wait_for_step() { last_words = nullptr; }

bool StopSignals::requested() const { return stop_requested; }

int StopSignals::signal() const { return first_signal; }

}  // namespace gladius::cli
