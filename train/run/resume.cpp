#include "gladius/train/run/resume.h"

#include <fmt/format.h>

#include <fstream>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/run/samples.h"
#include "gladius/train/run/timeline.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

std::size_t count_lines(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) ++count;
  return count;
}

// What says that the run has had a checkpoint; empty: nothing.
std::string trace_of_checkpoint(const RunPaths& paths) {
  std::string trace;
  for (const TimelineEntry& entry : read_timeline(paths.timeline())) {
    if (entry.event.starts_with(kCheckpointEvent)) {
      trace =
          fmt::format("{} says {}", paths.timeline().filename().string(), in_quotes(entry.event));
    }
  }
  if (trace.empty() && is_there(paths.model())) trace = "there is a model/";
  const auto steps = static_cast<std::int64_t>(count_lines(paths.metrics()));
  if (trace.empty() && steps > RunConfig::load_recorded(paths.run_json()).checkpoint_every) {
    trace = fmt::format("{} has {} steps", paths.metrics().filename().string(), steps);
  }
  return trace;
}

void require_none_is_lost(const RunPaths& paths) {
  const std::string trace = trace_of_checkpoint(paths);
  if (trace.empty()) return;
  throw FormatError(fmt::format(
      "resume: {} has no checkpoint of the run, though {}; put the checkpoints back, or begin the "
      "run again with another --out",
      paths.checkpoints().string(), trace));
}

}  // namespace

ResumePoint find_resume_point(const RunPaths& paths, std::int64_t last_step,
                              const std::function<void(const Checkpoint&)>& use) {
  ResumePoint point;
  for (const CheckpointEntry& entry : list_checkpoints(paths.checkpoints())) {
    if (entry.step > last_step) point.superseded.push_back(entry.path);
  }
  point.found = find_checkpoint(paths.checkpoints(), last_step, use);
  if (!point.found) {
    require_none_is_lost(paths);
    return point;
  }
  const Checkpoint& checkpoint = point.found->checkpoint;
  point.metrics =
      find_kept_metrics(paths.metrics(), checkpoint.metrics, checkpoint.recorded_steps());
  return point;
}

void return_to(const ResumePoint& point, const RunPaths& paths, std::int64_t keep_checkpoints,
               const std::function<void(const std::string&)>& warn) {
  if (!point.metrics.warning.empty()) warn(point.metrics.warning);
  if (point.found) {
    set_aside_unusable(*point.found, warn);
  } else {
    warn(fmt::format("{} has no checkpoint yet, so the run begins again at step 0",
                     paths.checkpoints().string()));
  }
  for (const fs::path& checkpoint : point.superseded) remove_directory(checkpoint);
  prune_checkpoints(paths.checkpoints(), keep_checkpoints);
  keep_metrics(paths.metrics(), point.metrics);
  keep_samples(paths.samples(), point.found ? point.found->checkpoint.recorded_steps() : 0);
}

}  // namespace gladius::train
