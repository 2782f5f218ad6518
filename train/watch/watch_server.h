// The server of the live page.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gladius/train/run/run_directory.h"

namespace gladius::train {

struct WatchOptions {
  std::vector<RunPaths> runs;
  std::string host = "127.0.0.1";
  int port = 6007;          // 0: one that is free
  bool allow_stop = false;  // POST /api/stop
};

/// Shows runs, which it only reads, in a browser (HTTP/1.1; cpp-httplib). Paths:
/// - `/` and the files of page/: the page, which loads nothing from elsewhere;
/// - `/api/runs`: a list of WatchedRun::summary(), each with `can_stop`;
/// - `/api/series?run=I&points=N[&begin=STEP][&end=STEP]`: WatchedRun::series();
/// - `/api/samples?run=I[&step=STEP]`: WatchedRun::samples(), the newest ones without a step;
/// - `/api/alignment?run=I`: WatchedRun::alignment();
/// - `/api/events`: server-sent events, the data of each like `/api/runs`, when a run has changed;
/// - POST `/api/stop?run=I`, where it is allowed: request_stop(), answered with 202, or 409 and why
///   not.
/// RequestGuard says whose requests are answered.
class WatchServer {
 public:
  /// IoError, FormatError or ConfigError for what is no run, and IoError for an address or port
  /// that cannot be had.
  explicit WatchServer(const WatchOptions& options);
  ~WatchServer();
  WatchServer(const WatchServer&) = delete;
  WatchServer& operator=(const WatchServer&) = delete;

  /// Where a browser finds the page; with the token where one is needed.
  std::string url() const;
  /// Answers until stop(). Once.
  void serve();
  /// By any thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gladius::train
