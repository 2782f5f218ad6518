#include "gladius/train/report/run_record.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/loop/best_model.h"
#include "gladius/train/loop/finished_model.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json read_object(const fs::path& path) {
  return fs::exists(path) ? read_json_object(path) : Json::object();
}

void read_weights(const fs::path& directory, RunRecord& record) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".safetensors" && path.filename().string().starts_with("model")) {
      files.push_back(path);
    }
  }
  std::ranges::sort(files);
  for (const fs::path& path : files) {
    record.weights.push_back(SafetensorsFile::open(path));
    record.weight_files.push_back(
        {path.lexically_relative(record.directory).string(), sha256_file(path)});
  }
}

// A process that is training may replace the newest checkpoint while it is read.
void read_newest_weights(const RunPaths& paths, RunRecord& record) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i) {
    const auto directory =
        record.complete ? std::optional(paths.model()) : newest_checkpoint(paths.checkpoints());
    if (!directory) return;
    try {
      read_weights(*directory, record);
      if (fs::exists(*directory)) return;
    } catch (const std::exception&) {
      if (fs::exists(*directory)) throw;
    }
    record.weights.clear();
    record.weight_files.clear();
  }
}

void list_model(const fs::path& model, RunRecord& record) {
  for (const auto& entry : fs::directory_iterator(model)) {
    if (entry.is_regular_file()) {
      record.model_files.push_back({entry.path().filename().string(), entry.file_size()});
    }
  }
  std::ranges::sort(record.model_files, {}, &ModelFile::name);
}

std::optional<std::time_t> time_of_last_change(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return status.st_mtime;
}

// The run's own copy: no path of a file that came from elsewhere is followed.
std::optional<ModelConfig> read_model_config(const RunPaths& paths) {
  try {
    return ModelConfig::load(paths.student_config());
  } catch (const Error&) {
    return {};
  }
}

RunRecord read_records(const RunPaths& paths,
                       const std::function<bool(const RunRecord&)>& is_complete) {
  paths.require_run();
  RunRecord record;
  record.directory = paths.directory;
  record.config = RunConfig::load_recorded(paths.run_json());
  record.complete = is_complete(record);
  record.model = read_model_config(paths);
  record.last_change = time_of_last_change(paths.metrics());
  if (record.last_change) record.metrics = read_metrics(paths.metrics());
  record.timeline = read_timeline(paths.timeline());
  record.environment = read_object(paths.environment());
  record.init_from = read_object(paths.init_from());
  // While a longer run goes on it is the shorter one's.
  if (record.complete) record.evaluation = read_object(paths.evaluation());
  if (record.complete) record.suite = read_object(paths.suite());
  record.samples = read_newest_samples(paths.samples());
  record.best = read_object(paths.best() / kBestEvaluation);
  record.expert_evaluations = read_object(paths.expert_evaluations());
  record.data = read_object(paths.data());
  return record;
}

}  // namespace

std::string RunRecord::name() const { return RunPaths{directory}.name(); }

std::optional<std::int64_t> RunRecord::trained_tokens() const {
  if (std::ssize(metrics) != steps()) return {};
  std::int64_t tokens = 0;
  for (const StepRecord& step : metrics) tokens += step.tokens;
  return tokens;
}

RunRecord RunRecord::read_results(const RunPaths& paths) {
  return read_records(paths, [](const RunRecord&) { return true; });
}

RunRecord RunRecord::read(const RunPaths& paths) {
  RunRecord record = read_records(paths, [&](const RunRecord& known) {
    const std::int64_t steps = known.plan().total_steps();
    return look_at_model(paths, steps, Look::sizes).status == ModelStatus::whole;
  });
  read_newest_weights(paths, record);
  if (record.complete) list_model(paths.model(), record);
  return record;
}

}  // namespace gladius::train
