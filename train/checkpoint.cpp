#include "gladius/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/io/sha256.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/staged_directory.h"

namespace gladius {
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

// Complete ones, oldest first: the numbers have leading zeros.
std::vector<fs::path> list_checkpoints(const fs::path& checkpoints) {
  std::vector<fs::path> found;
  if (!fs::exists(checkpoints)) return found;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.find('.') == std::string::npos) {
      found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

NamedTensors read_tensors(const fs::path& file) {
  const SafetensorsFile opened = SafetensorsFile::open(file);
  NamedTensors tensors;
  for (const SafetensorsEntry& entry : opened.entries()) {
    tensors.emplace_back(entry.name, opened.tensor(entry.name));
  }
  return tensors;
}

Json read_object(const fs::path& file) {
  Json json = read_json_file(file);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", file.string()));
  return json;
}

Json describe_file(const fs::path& file) {
  return {{"bytes", fs::file_size(file)}, {"sha256", sha256_file(file)}};
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

void check_manifest(const fs::path& directory) {
  const Json manifest = read_object(directory / kManifest);
  if (manifest.value("format", Json()) != kFormat || !manifest.contains("files")) {
    throw FormatError(fmt::format("{}: not the manifest of a checkpoint of format {}",
                                  (directory / kManifest).string(), kFormat));
  }
  for (const char* name : kFiles) {
    const fs::path file = directory / name;
    if (!fs::exists(file)) throw FormatError(fmt::format("{} is missing", file.string()));
    if (manifest.at("files").value(name, Json()) != describe_file(file)) {
      throw FormatError(
          fmt::format("{} does not have the size and SHA-256 of {}", file.string(), kManifest));
    }
  }
}

Json to_json(const BestStep& best) {
  return {{"step", best.step}, {"cross_entropy", best.cross_entropy}, {"data", best.data}};
}

BestStep read_best(const Json& json) {
  return {.step = json.at("step").get<std::int64_t>(),
          .cross_entropy = json.at("cross_entropy").get<double>(),
          .data = json.at("data").get<std::string>()};
}

// Why it cannot be used, or nothing.
std::optional<std::string> load_into(std::optional<Checkpoint>& checkpoint, const fs::path& path) {
  try {
    checkpoint = load_checkpoint(path);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

void set_aside(const fs::path& checkpoint) {
  const fs::path target = checkpoint.string() + ".damaged";
  std::error_code error;
  fs::remove_all(target, error);
  if (!error) fs::rename(checkpoint, target, error);
  if (error) throw_io_error("set aside", checkpoint, error.value());
}

}  // namespace

Json TrainerState::to_json() const {
  return {{"step", step},
          {"data_position", data_position},
          {"skipped_lines", skipped_lines},
          {"data_read", data_read.to_json()},
          {"updates", updates},
          {"skipped_updates", skipped_updates},
          {"skipped_in_a_row", skipped_in_a_row},
          {"group_is_spoiled", group_is_spoiled},
          {"loss_sum", loss_sum},
          {"losses", losses},
          {"recent_losses", recent_losses},
          {"first_loss", first_loss ? Json(*first_loss) : Json(nullptr)},
          {"grad_norm", grad_norm ? Json(*grad_norm) : Json(nullptr)},
          {"elapsed_s", elapsed_s}};
}

TrainerState TrainerState::from_json(const Json& json) try {
  TrainerState state;
  json.at("step").get_to(state.step);
  json.at("data_position").get_to(state.data_position);
  json.at("skipped_lines").get_to(state.skipped_lines);
  // Checkpoints of earlier versions have no counts.
  state.data_read = DataCounts::from_json(json.value("data_read", Json()));
  json.at("updates").get_to(state.updates);
  json.at("skipped_updates").get_to(state.skipped_updates);
  json.at("skipped_in_a_row").get_to(state.skipped_in_a_row);
  json.at("group_is_spoiled").get_to(state.group_is_spoiled);
  json.at("loss_sum").get_to(state.loss_sum);
  json.at("losses").get_to(state.losses);
  state.recent_losses = json.value("recent_losses", std::vector<double>());
  if (!json.at("first_loss").is_null()) state.first_loss = json.at("first_loss").get<double>();
  if (!json.at("grad_norm").is_null()) state.grad_norm = json.at("grad_norm").get<double>();
  json.at("elapsed_s").get_to(state.elapsed_s);
  return state;
} catch (const Json::exception& error) {
  throw FormatError(fmt::format("not the state of a run: {}", error.what()));
}

void save_checkpoint(const fs::path& checkpoints, const Checkpoint& checkpoint, std::int64_t keep) {
  const fs::path target = checkpoints / fmt::format("{}{:08}", kPrefix, checkpoint.state.step);
  if (!fs::exists(target)) {
    StagedDirectory staged(target);
    Writer writer(staged.path());
    writer.tensors(kOptimizer, checkpoint.optimizer);  // the largest first
    writer.tensors(kWeights, checkpoint.weights);
    writer.tensors(kGradients, checkpoint.gradients);
    writer.state(
        {{"metrics_offset", checkpoint.metrics_offset},
         {"state", checkpoint.state.to_json()},
         {"unevaluated", checkpoint.unevaluated ? checkpoint.unevaluated->to_json() : Json()},
         {"best", checkpoint.best ? to_json(*checkpoint.best) : Json()}});
    writer.manifest();
    staged.commit();
  }
  const std::vector<fs::path> all = list_checkpoints(checkpoints);
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i) {
    remove_directory(all[i]);
  }
}

std::optional<fs::path> newest_checkpoint(const fs::path& checkpoints) {
  const std::vector<fs::path> all = list_checkpoints(checkpoints);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

Checkpoint load_checkpoint(const fs::path& directory) {
  check_manifest(directory);
  const fs::path state_file = directory / kState;
  const Json json = read_object(state_file);
  Checkpoint checkpoint;
  try {
    checkpoint.state = TrainerState::from_json(json.at("state"));
    json.at("metrics_offset").get_to(checkpoint.metrics_offset);
    if (const Json record = json.value("unevaluated", Json()); !record.is_null()) {
      checkpoint.unevaluated = StepRecord::from_json(record);
    }
    if (const Json best = json.value("best", Json()); !best.is_null()) {
      checkpoint.best = read_best(best);
    }
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("{}: {}", state_file.string(), error.what()));
  }
  checkpoint.weights = read_tensors(directory / kWeights);
  checkpoint.optimizer = read_tensors(directory / kOptimizer);
  checkpoint.gradients = read_tensors(directory / kGradients);
  return checkpoint;
}

std::optional<Checkpoint> load_newest_checkpoint(
    const fs::path& checkpoints, const std::function<void(const std::string&)>& warn) {
  const std::vector<fs::path> all = list_checkpoints(checkpoints);
  std::vector<std::pair<fs::path, std::string>> damaged;
  std::optional<Checkpoint> checkpoint;
  for (auto path = all.rbegin(); path != all.rend() && !checkpoint; ++path) {
    if (const auto reason = load_into(checkpoint, *path)) damaged.emplace_back(*path, *reason);
  }
  if (!checkpoint && !damaged.empty()) {
    throw FormatError(fmt::format(
        "none of the {} checkpoints in {} can be used (the newest: {}); begin the run again with "
        "another --out",
        damaged.size(), checkpoints.string(), damaged.front().second));
  }
  for (const auto& [path, reason] : damaged) {
    set_aside(path);
    warn(fmt::format("{} is damaged ({}) and set aside as {}.damaged; going on from step {}",
                     path.string(), reason, path.filename().string(), checkpoint->state.step));
  }
  return checkpoint;
}

}  // namespace gladius
