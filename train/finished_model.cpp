#include "gladius/train/finished_model.h"

#include <fmt/format.h>

#include <fstream>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"
#include "gladius/tensor/io/sha256.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/checkpoint.h"
#include "gladius/train/staged_directory.h"
#include "gladius/train/student.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json describe_files(const fs::path& directory) {
  Json files = Json::object();
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename().string()] = {{"bytes", entry.file_size()},
                                               {"sha256", sha256_file(entry.path())}};
  }
  return files;
}

// What is wrong with a file of the model; empty: nothing.
std::string wrong_with(const fs::path& file, const Json& description, Look look) {
  const std::string name = file.filename().string();
  if (!fs::is_regular_file(file)) return name + " is missing";
  const bool same =
      description.is_object() && description.value("bytes", Json()) == fs::file_size(file) &&
      (look == Look::sizes || description.value("sha256", Json()) == sha256_file(file));
  return same ? "" : name + " is not the file that the run wrote";
}

FinishedModel look_at_files(const RunPaths& paths, const Json& manifest, std::int64_t steps,
                            Look look) {
  for (const auto& [name, description] : manifest.at("files").items()) {
    // Of the name no more than its last part: the manifest leads nowhere else.
    std::string wrong = wrong_with(paths.model() / fs::path(name).filename(), description, look);
    if (!wrong.empty()) return {ModelStatus::damaged, std::move(wrong)};
  }
  const bool same_steps = manifest.value("steps", Json()) == steps;
  return {same_steps ? ModelStatus::whole : ModelStatus::of_fewer_steps, ""};
}

FinishedModel look_without_manifest(const RunPaths& paths, std::int64_t steps) {
  try {
    ModelConfig::load(paths.model() / "config.json");
    open_weights(paths.model());
  } catch (const Error& error) {
    return {ModelStatus::damaged, error.what()};
  }
  const auto checkpoints = list_checkpoints(paths.checkpoints());
  const bool fewer = !checkpoints.empty() && checkpoints.back().step < steps;
  return {fewer ? ModelStatus::of_fewer_steps : ModelStatus::whole, ""};
}

// The files that model.json lists; nothing where it is missing or no such list.
Json read_manifest(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const Json manifest = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  const bool lists = manifest.is_object() && manifest.value("files", Json()).is_object() &&
                     !manifest.at("files").empty();
  return lists ? manifest : Json();
}

}  // namespace

void save_finished_model(const RunPaths& paths, const CausalLM& model, const StudentConfig& config,
                         std::int64_t steps) {
  StagedDirectory staged(paths.model());
  save_student(staged.path(), model, config);
  const Json manifest{{"steps", steps}, {"files", describe_files(staged.path())}};
  if (is_there(paths.model())) remove_directory(paths.model());
  write_text_file(paths.model_manifest(), manifest.dump(2) + "\n");
  staged.commit();
}

FinishedModel look_at_model(const RunPaths& paths, std::int64_t steps, Look look) {
  if (!is_there(paths.model())) return {};
  if (!fs::is_directory(paths.model())) return {ModelStatus::damaged, "it is not a directory"};
  const Json manifest = read_manifest(paths.model_manifest());
  if (manifest.is_null()) return look_without_manifest(paths, steps);
  return look_at_files(paths, manifest, steps, look);
}

void set_aside_model(const RunPaths& paths, const std::string& reason,
                     const std::function<void(const std::string&)>& warn) {
  const fs::path model = paths.model(), target = model.string() + ".damaged";
  std::error_code error;
  const bool empty = fs::is_directory(model, error) && fs::is_empty(model, error);
  fs::remove_all(empty ? model : target, error);
  if (!error && !empty) fs::rename(model, target, error);
  if (error) throw_io_error("set aside", model, error.value());
  warn(fmt::format("{} is not whole ({}){}; it is made again from the last checkpoint",
                   model.string(), reason,
                   empty ? "" : fmt::format(" and set aside as {}", target.filename().string())));
}

}  // namespace gladius
