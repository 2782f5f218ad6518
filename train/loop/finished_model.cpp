#include "gladius/train/loop/finished_model.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/loop/best_model.h"
#include "gladius/train/loop/student.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// Nothing where the manifest does not say it, as that of an earlier version.
MetricsMark metrics_of(const Json& manifest) {
  const Json metrics = manifest.value("metrics", Json());
  if (!metrics.is_object() || !metrics.value("bytes", Json()).is_number_unsigned() ||
      !metrics.value("sha256", Json()).is_string()) {
    return {};
  }
  return {.bytes = metrics.at("bytes"), .sha256 = metrics.at("sha256")};
}

// Of the files of a run that evaluations are in, by directory.
Json describe_evaluations(const RunPaths& paths) {
  Json described{{"evaluations", Json::object()}, {"best", Json::object()}};
  for (const fs::path& file : {paths.evaluation(), paths.expert_evaluations()}) {
    if (fs::exists(file)) described["evaluations"][file.filename().string()] = describe_file(file);
  }
  const fs::path best = paths.best() / kBestEvaluation;
  if (fs::exists(best)) described["best"][kBestEvaluation] = describe_file(best);
  return described;
}

std::string wrong_of(const Json& manifest, const char* key, const fs::path& directory) {
  const Json described = manifest.value(key, Json());
  return described.is_object() ? wrong_file(directory, described, Look::every_byte) : "";
}

FinishedModel look_at_files(const RunPaths& paths, const Json& manifest, std::int64_t steps,
                            Look look) {
  std::string wrong = wrong_file(paths.model(), manifest.at("files"), look);
  if (!wrong.empty()) {
    return {.status = ModelStatus::damaged, .reason = std::move(wrong)};
  }
  const bool same_steps = manifest.value("steps", Json()) == steps;
  return {.status = same_steps ? ModelStatus::whole : ModelStatus::of_fewer_steps,
          .metrics = metrics_of(manifest),
          .wrong_evaluations = wrong_of(manifest, "evaluations", paths.directory),
          .wrong_best = wrong_of(manifest, "best", paths.best())};
}

FinishedModel look_without_manifest(const RunPaths& paths, std::int64_t steps) {
  try {
    ModelConfig::load(paths.model() / "config.json");
    open_weights(paths.model());
  } catch (const Error& error) {
    return {.status = ModelStatus::damaged, .reason = error.what()};
  }
  const auto checkpoints = list_checkpoints(paths.checkpoints());
  const bool fewer = !checkpoints.empty() && checkpoints.back().step < steps;
  return {.status = fewer ? ModelStatus::of_fewer_steps : ModelStatus::whole};
}

bool lists_files(const Json& manifest) {
  return !manifest.is_null() && manifest.value("files", Json()).is_object() &&
         !manifest.at("files").empty();
}

}  // namespace

void save_finished_model(const RunPaths& paths, const LanguageModel& model,
                         const StudentConfig& config, std::int64_t steps,
                         const MetricsMark& metrics, const WriteCard& card) {
  StagedDirectory staged(paths.model());
  save_student(staged.path(), model, config);
  Json manifest{{"steps", steps},
                {"files", describe_files(staged.path())},
                {"metrics", {{"bytes", metrics.bytes}, {"sha256", metrics.sha256}}}};
  manifest.update(describe_evaluations(paths));
  write_text_file(staged.path() / kCard, card(staged.path()));
  manifest["card"] = describe_file(staged.path() / kCard);
  if (is_there(paths.model())) remove_directory(paths.model());
  write_text_file(paths.model_manifest(), manifest.dump(2) + "\n");
  staged.commit();
}

void renew_card(const RunPaths& paths, const WriteCard& card) {
  const fs::path file = paths.model() / kCard;
  Json manifest = read_optional_json(paths.model_manifest());
  const bool changed = is_there(file) && (!manifest.is_object() ||
                                          manifest.value("card", Json()) != describe_file(file));
  if (changed) return;
  write_text_file(file, card(paths.model()));
  if (!manifest.is_object()) return;  // of an earlier version
  const Json before = std::exchange(manifest["card"], describe_file(file));
  if (manifest["card"] != before) {
    write_text_file(paths.model_manifest(), manifest.dump(2) + "\n");
  }
}

FinishedModel look_at_model(const RunPaths& paths, std::int64_t steps, Look look) {
  if (!is_there(paths.model())) return {};
  if (!fs::is_directory(paths.model())) {
    return {.status = ModelStatus::damaged, .reason = "it is not a directory"};
  }
  if (!is_there(paths.model_manifest())) return look_without_manifest(paths, steps);
  const Json manifest = read_optional_json(paths.model_manifest());
  if (!lists_files(manifest)) {
    return {.status = ModelStatus::damaged,
            .reason = fmt::format("{} does not list its files",
                                  paths.model_manifest().filename().string()),
            .metrics = {}};
  }
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

}  // namespace gladius::train
