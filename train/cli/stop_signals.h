// Ctrl-C, kill and a terminal that closes, as a wish to stop.
#pragma once

#include <string>

namespace gladius::cli {

/// While it lives, SIGINT, SIGTERM, SIGHUP and SIGPIPE do what was last said: end the process at
/// once, or are a request to stop, which standard error repeats; after a request a second one, of
/// any kind, ends the process at once. A signal that is ignored when this is made stays ignored
/// (nohup), and so does the SIGPIPE of this process's own writing. One at a time in a process.
class StopSignals {
 public:
  /// Ends the process at once, until it is told otherwise.
  explicit StopSignals(const std::string& message);
  /// For a process that is one of several: a signal is a request from the beginning, and standard
  /// error does not repeat it.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// From now on a signal ends the process with exit code 1 and "gladius: error: MESSAGE".
  void end_at_once(const std::string& message);
  /// From now on a signal is a request.
  void wait_for_step();
  bool requested() const;
  /// The signal that was the request; 0: none.
  int signal() const;

 private:
  void install();
};

}  // namespace gladius::cli
