#include "gladius/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/staged_directory.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kPrefix = "step-";

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

Json read_state(const fs::path& file) {
  const Json json = read_json_file(file);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    throw FormatError(
        fmt::format("{}: not the state of a checkpoint of format {}", file.string(), kFormat));
  }
  return json;
}

}  // namespace

Json TrainerState::to_json() const {
  return {{"step", step},
          {"data_position", data_position},
          {"updates", updates},
          {"skipped_updates", skipped_updates},
          {"group_is_spoiled", group_is_spoiled},
          {"loss_sum", loss_sum},
          {"losses", losses},
          {"first_loss", first_loss ? Json(*first_loss) : Json(nullptr)},
          {"grad_norm", grad_norm ? Json(*grad_norm) : Json(nullptr)},
          {"elapsed_s", elapsed_s}};
}

TrainerState TrainerState::from_json(const Json& json) try {
  TrainerState state;
  json.at("step").get_to(state.step);
  json.at("data_position").get_to(state.data_position);
  json.at("updates").get_to(state.updates);
  json.at("skipped_updates").get_to(state.skipped_updates);
  json.at("group_is_spoiled").get_to(state.group_is_spoiled);
  json.at("loss_sum").get_to(state.loss_sum);
  json.at("losses").get_to(state.losses);
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
    write_safetensors(staged.path() / "model.safetensors", checkpoint.weights);
    write_safetensors(staged.path() / "optimizer.safetensors", checkpoint.optimizer);
    write_safetensors(staged.path() / "gradients.safetensors", checkpoint.gradients);
    write_text_file(staged.path() / "state.json",
                    Json{{"format", kFormat},
                         {"metrics_offset", checkpoint.metrics_offset},
                         {"state", checkpoint.state.to_json()}}
                            .dump(2) +
                        "\n");
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
  const fs::path state_file = directory / "state.json";
  const Json json = read_state(state_file);
  Checkpoint checkpoint;
  try {
    checkpoint.state = TrainerState::from_json(json.at("state"));
    json.at("metrics_offset").get_to(checkpoint.metrics_offset);
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("{}: {}", state_file.string(), error.what()));
  }
  checkpoint.weights = read_tensors(directory / "model.safetensors");
  checkpoint.optimizer = read_tensors(directory / "optimizer.safetensors");
  checkpoint.gradients = read_tensors(directory / "gradients.safetensors");
  return checkpoint;
}

}  // namespace gladius
