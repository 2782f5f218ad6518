#include "distill_ranks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/parallel.h"
#include "gladius/train/cluster/mpi_transport.h"
#include "output.h"

namespace gladius::cli {
namespace {

// A process that the launcher has bound to some processors sees those alone.
void share_processors(const cluster::Launch& launch) {
  const int all = static_cast<int>(std::thread::hardware_concurrency());
  if (num_threads() < all || launch.local_size < 2) return;
  set_num_threads(std::max(1, all / launch.local_size));
}

std::string name_of_signal(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "SIGPIPE";
  }
}

}  // namespace

RankProcess::RankProcess(const cluster::Launch& launch, int threads, std::string resume_command)
    : resume_command_(std::move(resume_command)),
      communicator_(cluster::make_mpi_communicator()),
      ranks_(*communicator_) {
  if (threads == 0) share_processors(launch);
}

train::RunConfig RankProcess::load(const std::function<train::RunConfig()>& load) {
  std::optional<train::RunConfig> config;
  std::string error;
  try {
    config = load();
  } catch (const std::exception& wrong) {
    error = fmt::format("rank {} on {}: {}", ranks_.rank(), cluster::host_name(), wrong.what());
  }
  std::string first;
  for (const std::string& one : cluster::gather_texts(*communicator_, error)) {
    if (first.empty()) first = one;
  }
  first = cluster::broadcast_text(*communicator_, first);
  if (first.empty()) return std::move(*config);
  if (leads()) throw ConfigError(first);
  communicator_.reset();  // finalises MPI
  ::_exit(1);
}

void RankProcess::watch(const train::ClusterConfig& cluster,
                        std::function<void(const std::string&)> say) {
  say_ = std::move(say);
  stops_when_ = cluster.local_updates > 0 ? "where the ranks next average their weights"
                                          : "after this update";
  monitor_.emplace(*communicator_,
                   cluster::Monitor::Options{
                       .timeout_s = cluster.timeout_s,
                       .on_failure = [this](const auto& failure) { end(failure); },
                       .on_stop = [this](int rank, const std::string& why) { stop(rank, why); },
                       .on_tick = [this] { look_for_signals(); }});
}

void RankProcess::leave() {
  cluster::barrier(*communicator_);
  monitor_->leave();
  cluster::barrier(*communicator_);
  monitor_.reset();
  communicator_.reset();
}

void RankProcess::fail(const std::string& cause) {
  if (monitor_) monitor_->fail(cause);  // which ends the process
  log("gladius: error: {}\n",
      message_line(fmt::format("rank {} on {}: {}", ranks_.rank(), cluster::host_name(), cause)));
  ::_exit(1);
}

// On the monitor's thread, while another waits for messages that do not come.
void RankProcess::end(const cluster::Failure& failure) const {
  // A launcher that was told to stop all kills those that are slow.
  const bool killed_after_stop = stop_requested_ && failure.rank != ranks_.rank();
  if (!failure.told && !killed_after_stop) {
    const std::string how = begun_ && failure.cause.find("to resume:") == std::string::npos
                                ? "; to resume: " + resume_command_
                                : "";
    log("{}gladius: error: {}{}\n", ::isatty(STDERR_FILENO) == 1 ? "\n" : "",
        message_line(failure.describe()), how);
  }
  ::_exit(1);
}

void RankProcess::stop(int rank, const std::string& why) {
  if (stop_requested_.exchange(true)) return;
  const std::string who = fmt::format("rank {} was asked to stop by {}", rank, why);
  if (!begun_) return monitor_->fail(who + " before the run began; the same command begins it");
  say_(fmt::format("{}: the run stops {}, with a checkpoint; to resume: {}", who, stops_when_,
                   resume_command_));
}

void RankProcess::look_for_signals() {
  if (!signals_.requested() || std::exchange(passed_on_, true)) return;
  monitor_->ask_to_stop(name_of_signal(signals_.signal()));
}

}  // namespace gladius::cli
