// gladius distill as one of several processes that mpirun or srun has started.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gladius/train/cluster/communicator.h"
#include "gladius/train/cluster/launcher.h"
#include "gladius/train/cluster/monitor.h"
#include "gladius/train/loop/ranks.h"
#include "gladius/train/run/run_config.h"
#include "stop_signals.h"

namespace gladius::cli {

/// Loads the run file on each rank; where that fails, or the library that connects them, rank 0
/// throws the error with the rank's name, and the others end without a word.
class RankProcess {
 public:
  /// `threads`: as asked for; 0: this machine's are divided among its ranks, unless the launcher
  /// has bound them to some. `resume_command` is what resumes the run.
  RankProcess(const cluster::Launch& launch, int threads, std::string resume_command);
  RankProcess(const RankProcess&) = delete;
  RankProcess& operator=(const RankProcess&) = delete;

  /// `load` of every rank.
  train::RunConfig load(const std::function<train::RunConfig()>& load);
  /// From here on another rank's failure ends this process. `say` is for rank 0's lines.
  void watch(const train::ClusterConfig& cluster, std::function<void(const std::string&)> say);

  train::Ranks& ranks() { return ranks_; }
  bool leads() const { return leads_; }
  /// Whether any rank was.
  bool stop_requested() const { return stop_requested_; }
  /// The run has begun, so that it can be resumed.
  void begun() { begun_ = true; }

  /// The run has ended for all: waits for them.
  void leave();
  /// Ends all ranks with exit code 1, and one line of one of them: this rank on this host, `cause`,
  /// and how to resume.
  [[noreturn]] void fail(const std::string& cause);

 private:
  void end(const cluster::Failure& failure) const;
  void stop(int rank, const std::string& why);
  void look_for_signals();

  std::string resume_command_;
  StopSignals signals_;
  std::unique_ptr<cluster::Communicator> communicator_;
  train::Ranks ranks_;
  const bool leads_ = ranks_.leads();  // also once the communicator is gone
  std::function<void(const std::string&)> say_;
  std::string stops_when_;
  std::atomic<bool> stop_requested_ = false, begun_ = false;
  bool passed_on_ = false;                   // the signal, on the monitor's thread
  std::optional<cluster::Monitor> monitor_;  // comes last: its thread uses the rest
};

}  // namespace gladius::cli
