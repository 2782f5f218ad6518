// Ctrl-C and kill, as a wish to stop.
#pragma once

namespace gladius::cli {

/// While it lives, the first SIGINT or SIGTERM is a request to stop, which standard error repeats;
/// a second one, of either kind, ends the process at once. One at a time in a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool requested() const;
};

}  // namespace gladius::cli
