#include "gladius/train/run/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 2;
constexpr std::string_view kPrefix = "step-";
constexpr const char* kState = "state.json";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kGradients = "gradients.safetensors";
constexpr const char* kFiles[] = {kWeights, kOptimizer, kGradients, kState};

// What step a name is of.
std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::size_t kDigits = 8;
  if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + kDigits) return {};
  std::int64_t step = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return error == std::errc() && rest == end ? std::optional(step) : std::nullopt;
}

NamedTensors read_tensors(const fs::path& file) {
  const SafetensorsFile opened = SafetensorsFile::open(file);
  NamedTensors tensors;
  for (const SafetensorsEntry& entry : opened.entries()) {
    tensors.emplace_back(entry.name, opened.tensor(entry.name));
  }
  return tensors;
}

// Writes a checkpoint's files; sums each on another thread while the next is written.
class Writer {
 public:
  explicit Writer(const fs::path& directory) : directory_(directory) {}

  void tensors(const char* name, const NamedTensors& tensors) {
    write_safetensors(directory_ / name, tensors);
    describe_later(name);
  }
  void state(const Json& json) {
    write_text_file(directory_ / kState, json.dump(2) + "\n");
    describe_later(kState);
  }
  void manifest() {
    Json files = Json::object();
    for (auto& [name, description] : descriptions_) files[name] = description.get();
    write_text_file(directory_ / kManifest,
                    Json{{"format", kFormat}, {"files", files}}.dump(2) + "\n");
  }

 private:
  void describe_later(const char* name) {
    descriptions_.emplace_back(name,
                               std::async(std::launch::async, describe_file, directory_ / name));
  }

  const fs::path& directory_;
  std::vector<std::pair<std::string, std::future<Json>>> descriptions_;
};

[[noreturn]] void fail_manifest(const fs::path& manifest, const std::string& what) {
  throw FormatError(fmt::format("{} {}", manifest.string(), what));
}

void check_manifest(const fs::path& directory) {
  const fs::path file = directory / kManifest;
  const Json manifest = read_json_object(file);
  const Json files = manifest.value("files", Json());
  if (manifest.value("format", Json()) != kFormat || !files.is_object()) {
    fail_manifest(file, fmt::format("is not the manifest of a checkpoint of format {}", kFormat));
  }
  for (const auto& [name, description] : files.items()) {
    if (std::ranges::find(kFiles, name) == std::end(kFiles)) {
      fail_manifest(file,
                    fmt::format("lists {}, which is no file of a checkpoint", in_quotes(name)));
    }
  }
  for (const char* name : kFiles) {
    const fs::path described = directory / name;
    if (!fs::exists(described)) fail_manifest(described, "is missing");
    if (files.value(name, Json()) != describe_file(described)) {
      fail_manifest(described, fmt::format("does not have the size and SHA-256 of {}", kManifest));
    }
  }
}

Json to_json(const BestStep& best) {
  return {{"step", best.step}, {"cross_entropy", best.cross_entropy}, {"data", best.data}};
}

BestStep read_best(const Json& json) {
  const JsonFields fields(json, "", "best", JsonKind::record);
  return {.step = fields.count("step"),
          .cross_entropy = fields.required<double>("cross_entropy"),
          .data = fields.required<std::string>("data")};
}

StepRecord read_record(const Json& json) {
  try {
    return StepRecord::from_json(json);
  } catch (const FormatError&) {
    throw FormatError("\"unevaluated\" is not a line of metrics");
  }
}

// What belongs to evaluations.
void read_evaluations(const Json& json, Checkpoint& checkpoint) {
  const Json record = json.value("unevaluated", Json()), best = json.value("best", Json());
  if (!record.is_null()) checkpoint.unevaluated = read_record(record);
  if (!best.is_null()) checkpoint.best = read_best(best);
}

MetricsMark read_mark(const Json& json) {
  const JsonFields fields(json, "", "", JsonKind::record);
  return {.bytes = static_cast<std::uint64_t>(fields.count("metrics_offset")),
          .sha256 = fields.value_or<std::string>("metrics_sha256", "")};
}

void use_checkpoint(const CheckpointEntry& entry, FoundCheckpoint& found,
                    const std::function<void(const Checkpoint&)>& use) {
  found.checkpoint = load_checkpoint(entry.path);
  if (found.checkpoint.state.step != entry.step) {
    throw FormatError(fmt::format("{} is named after another step than that of its {}, {}",
                                  entry.path.string(), kState, found.checkpoint.state.step));
  }
  try {
    use(found.checkpoint);
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("{}: {}", entry.path.string(), reason_of(error)));
  }
}

void write_checkpoint(const fs::path& target, const Checkpoint& checkpoint) {
  StagedDirectory staged(target);
  Writer writer(staged.path());
  writer.tensors(kOptimizer, checkpoint.optimizer);  // the largest first
  writer.tensors(kWeights, checkpoint.weights);
  writer.tensors(kGradients, checkpoint.gradients);
  writer.state(
      {{"metrics_offset", checkpoint.metrics.bytes},
       {"metrics_sha256", checkpoint.metrics.sha256},
       {"state", checkpoint.state.to_json()},
       {"unevaluated", checkpoint.unevaluated ? checkpoint.unevaluated->to_json() : Json()},
       {"best", checkpoint.best ? to_json(*checkpoint.best) : Json()},
       {"run", checkpoint.run}});
  writer.manifest();
  staged.commit();
}

void set_aside(const fs::path& checkpoint) {
  const fs::path target = checkpoint.string() + ".damaged";
  std::error_code error;
  fs::remove_all(target, error);
  if (!error) fs::rename(checkpoint, target, error);
  if (error) throw_io_error("set aside", checkpoint, error.value());
}

}  // namespace

void save_checkpoint(const fs::path& checkpoints, const Checkpoint& checkpoint, std::int64_t keep) {
  const fs::path target = checkpoints / fmt::format("{}{:08}", kPrefix, checkpoint.state.step);
  // One of this step is this one: what a resumed run does not use is set aside.
  if (!is_there(target)) write_checkpoint(target, checkpoint);
  prune_checkpoints(checkpoints, keep);
}

void prune_checkpoints(const fs::path& checkpoints, std::int64_t keep) {
  const std::vector<CheckpointEntry> all = list_checkpoints(checkpoints);
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i) {
    remove_directory(all[i].path);
  }
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& checkpoints) {
  std::vector<CheckpointEntry> found;
  if (!is_there(checkpoints)) return found;
  if (!fs::is_directory(checkpoints)) {
    throw IoError(fmt::format("{} is not a directory; it should have the run's checkpoints",
                              checkpoints.string()));
  }
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const auto step = step_of(entry.path().filename().string());
    if (step) found.push_back({*step, entry.path()});
  }
  std::ranges::sort(found, {}, &CheckpointEntry::step);
  return found;
}

std::optional<fs::path> newest_checkpoint(const fs::path& checkpoints) {
  const std::vector<CheckpointEntry> all = list_checkpoints(checkpoints);
  return all.empty() ? std::nullopt : std::optional(all.back().path);
}

Checkpoint load_checkpoint(const fs::path& directory) {
  check_manifest(directory);
  const fs::path state_file = directory / kState;
  const Json json = read_json_object(state_file);
  Checkpoint checkpoint;
  try {
    checkpoint.state = TrainerState::from_json(json.value("state", Json()));
    checkpoint.metrics = read_mark(json);
    read_evaluations(json, checkpoint);
    checkpoint.run = json.value("run", Json());
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("{}: {}", state_file.string(), reason_of(error)));
  }
  checkpoint.weights = read_tensors(directory / kWeights);
  checkpoint.optimizer = read_tensors(directory / kOptimizer);
  checkpoint.gradients = read_tensors(directory / kGradients);
  return checkpoint;
}

std::optional<FoundCheckpoint> find_checkpoint(const fs::path& checkpoints, std::int64_t last_step,
                                               const std::function<void(const Checkpoint&)>& use) {
  FoundCheckpoint found;
  std::vector<CheckpointEntry> all = list_checkpoints(checkpoints);
  std::erase_if(all, [&](const CheckpointEntry& entry) { return entry.step > last_step; });
  if (all.empty()) return {};
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    try {
      use_checkpoint(*entry, found, use);
      return found;
    } catch (const std::exception& error) {
      found.unusable.push_back({entry->path, reason_of(error)});
    }
  }
  throw FormatError(fmt::format(
      "none of the {} checkpoints in {} can be used (the newest: {}); begin the run again with "
      "another --out",
      all.size(), checkpoints.string(), found.unusable.front().reason));
}

void set_aside_unusable(const FoundCheckpoint& found,
                        const std::function<void(const std::string&)>& warn) {
  for (const auto& [path, reason] : found.unusable) {
    set_aside(path);
    warn(fmt::format("{} is damaged ({}) and set aside as {}.damaged; resuming from step {}",
                     path.string(), reason, path.filename().string(), found.checkpoint.state.step));
  }
}

}  // namespace gladius::train
