#include "gladius/train/report/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "gladius/models/config.h"
#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/io/sha256.h"
#include "gladius/train/checkpoint.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json json = read_json_file(path);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", path.string()));
  return json;
}

std::vector<TimelineEntry> read_timeline(const fs::path& path) {
  std::vector<TimelineEntry> entries;
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("time") || !json.contains("event") ||
        !json["time"].is_string() || !json["event"].is_string()) {
      continue;  // a line that a killed process left half-written
    }
    entries.push_back({json["time"].get<std::string>(), json["event"].get<std::string>()});
  }
  return entries;
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
    const SafetensorsFile file = SafetensorsFile::open(path);
    record.weight_files.push_back({path, file.file_size(), sha256_file(path)});
    for (const SafetensorsEntry& entry : file.entries()) {
      record.tensors.push_back({.name = entry.name,
                                .dtype = std::string(entry.dtype.name),
                                .shape = entry.shape,
                                .parameters = numel(entry.shape),
                                .bytes = entry.end - entry.begin});
    }
  }
}

// The run's own copy: no path of a file that came from elsewhere is followed.
Json read_model_config(const RunPaths& paths) {
  try {
    return ModelConfig::load(paths.student_config()).source;
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

RunRecord RunRecord::read(const RunPaths& paths) {
  if (!fs::exists(paths.run_json())) {
    throw IoError(fmt::format("{} holds no run (no run.json)", paths.directory.string()));
  }
  RunRecord record;
  record.directory = paths.directory;
  record.config = RunConfig::load(paths.run_json());
  record.complete = fs::exists(paths.model());
  record.model_config = read_model_config(paths);
  if (fs::exists(paths.metrics())) record.metrics = read_metrics(paths.metrics());
  record.timeline = read_timeline(paths.timeline());
  record.environment = read_object(paths.environment());
  record.evaluation = read_object(paths.evaluation());
  const auto weights =
      record.complete ? std::optional(paths.model()) : newest_checkpoint(paths.checkpoints());
  if (weights) read_weights(*weights, record);
  return record;
}

}  // namespace gladius
