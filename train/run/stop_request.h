// A wish of another process that a run ends with a checkpoint.
#pragma once

#include <utility>

#include "gladius/train/run/run_directory.h"

namespace gladius::train {

/// Asks the process that runs in the directory to stop, by a file DIR/stop: no process is
/// signalled, so none can be the wrong one. Error where none runs there; IoError.
void request_stop(const RunPaths& paths);
/// Whether a request waits for the run to see it.
bool is_stop_requested(const RunPaths& paths);

/// The running process's side, which it asks between steps (a look at the directory). Requests from
/// before the process had the directory's lock are not for it (RunDirectory removes them). For one
/// thread at a time.
class StopRequest {
 public:
  explicit StopRequest(RunPaths paths) : paths_(std::move(paths)) {}

  /// Whether a stop has been asked for. The file is removed when it is first seen.
  bool seen();

 private:
  RunPaths paths_;
  bool seen_ = false;
};

}  // namespace gladius::train
