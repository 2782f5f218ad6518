// Whether the other ranks are still there, beside the messages that they compute with.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gladius/train/cluster/communicator.h"

namespace gladius::cluster {

/// Why the ranks cannot go on.
struct Failure {
  int rank = 0;  // where
  std::string host;
  std::string cause;
  bool told = false;  // another rank tells it to the user

  /// "rank 2 on pi: CAUSE".
  std::string describe() const;
};

/// A thread of each rank that is joined to rank 0's by a TCP connection. It notices within
/// milliseconds that a rank's process has ended, and after the time-out that a machine or the
/// network has stopped; it passes on what one rank fails with, so that all end and one tells it,
/// and what one is asked for (a signal). MPI itself says nothing of all that, or ends the process.
///
/// The functions of a monitor may be called by any thread.
class Monitor {
 public:
  struct Options {
    double timeout_s = 30;
    /// Called once on the monitor's thread; the process is to end then. The ranks that are left
    /// know.
    std::function<void(const Failure&)> on_failure = [](const Failure&) {};
    /// Called on rank 0's thread when a rank, or rank 0 itself, has called ask_to_stop.
    std::function<void(int rank, const std::string& why)> on_stop = [](int, const std::string&) {};
    /// Called ten times a second on the monitor's thread.
    std::function<void()> on_tick = [] {};
  };

  /// All ranks call it; the communicator is used until it returns. Rank 0 listens on a free port of
  /// all its addresses until the others have come, who prove themselves by a secret that they have
  /// by the communicator. ClusterError if one does not come within the time-out.
  Monitor(Communicator& ranks, Options options);
  /// Without a word to the others, who take it for a failure unless leave() was called.
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// This rank cannot go on: the others are told, and on_failure is called. Returns after that, on
  /// the monitor's own thread before.
  void fail(const std::string& cause);
  /// Rank 0 is told that this rank is to stop, as for a signal.
  void ask_to_stop(const std::string& why);
  /// ClusterError if a rank has failed: for Communicator::set_watch.
  void check() const;
  /// From here on the end of this process, and of others that have said so, is no failure.
  void leave();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

/// This machine's name; "?" if it has none.
std::string host_name();

}  // namespace gladius::cluster
