#include "gladius/train/run/model_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/run/checkpoint.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Runs ------------------------------------------------------------------------------------------

// Where the directory really is.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  const fs::path found = fs::canonical(path, error);
  return error ? path : found;
}

// The run that a directory is a checkpoint of, if it is one.
std::optional<RunPaths> run_of_checkpoint(const fs::path& path) {
  const fs::path parent = real_path(path).parent_path();
  const RunPaths run{parent.parent_path()};
  const bool found =
      parent == run.checkpoints() && is_there(path / "state.json") && is_there(run.run_json());
  return found ? std::optional(run) : std::nullopt;
}

// The one that run.json names, else the one that the run's model has.
fs::path tokenizer_of(const RunPaths& run) {
  const Json json = read_json_file(run.run_json());
  const Json student = json.is_object() ? json.value("student", Json()) : Json();
  const Json named = student.is_object() ? student.value("tokenizer", Json()) : Json();
  if (named.is_string() && text::has_tokenizer(named.get<std::string>()))
    return named.get<std::string>();
  return run.model();
}

ModelPaths checkpoint_paths(const fs::path& checkpoint, const RunPaths& run) {
  return {.weights = checkpoint, .config = run.student_config(), .tokenizer = tokenizer_of(run)};
}

FoundModel find_in_run(const RunPaths& run) {
  if (is_there(run.model() / "config.json")) return {ModelPaths::of(run.model()), ""};
  const auto checkpoint = newest_checkpoint(run.checkpoints());
  if (!checkpoint) {
    throw IoError(fmt::format("{} is a run that has neither a model nor a checkpoint yet",
                              run.directory.string()));
  }
  return {checkpoint_paths(*checkpoint, run),
          fmt::format("the run in {} has no model yet; its newest checkpoint, {}, is taken",
                      run.directory.string(), checkpoint->filename().string())};
}

// Hugging Face's cache --------------------------------------------------------------------------

std::vector<fs::path> list_snapshots(const fs::path& snapshots) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(snapshots)) {
    if (is_there(entry.path() / "config.json")) found.push_back(entry.path());
  }
  return found;
}

FoundModel find_in_cache(const fs::path& folder) {
  const fs::path snapshots = folder / "snapshots", main = folder / "refs" / "main";
  if (is_there(main)) {
    std::string commit = read_text_file(main);
    std::erase_if(commit, [](unsigned char c) { return std::isspace(c) != 0; });
    if (!commit.empty() && is_folder(snapshots / commit)) {
      return {ModelPaths::of(snapshots / commit), ""};
    }
  }
  const std::vector<fs::path> all = list_snapshots(snapshots);
  if (all.empty()) {
    throw IoError(
        fmt::format("{} is a folder of Hugging Face's cache without a snapshot that has "
                    "a config.json; download the model again",
                    folder.string()));
  }
  const fs::path newest = *std::ranges::max_element(
      all, {}, [](const fs::path& snapshot) { return fs::last_write_time(snapshot); });
  return {ModelPaths::of(newest),
          fmt::format("{} has no snapshot for refs/main; {}{} is taken", folder.string(),
                      all.size() == 1 ? "" : "the newest, ", newest.filename().string())};
}

}  // namespace

FoundModel find_model(const fs::path& path) {
  if (is_folder(path) && !is_there(path / "config.json")) {
    if (is_there(RunPaths{path}.run_json())) return find_in_run({path});
    if (const auto run = run_of_checkpoint(path)) return {checkpoint_paths(path, *run), ""};
    if (is_folder(path / "snapshots")) return find_in_cache(path);
  }
  return {ModelPaths::of(path), ""};
}

fs::path find_config(const fs::path& path) {
  const bool plain = !is_folder(path) || is_there(path / "config.json");
  return plain ? path : find_model(path).paths.config;
}

RunPaths find_run(const fs::path& path) {
  if (is_there(RunPaths{path}.run_json())) return {path};
  if (const auto run = run_of_checkpoint(path)) return *run;
  const RunPaths run{real_path(path).parent_path()};
  return real_path(path) == run.model() && is_there(run.run_json()) ? run : RunPaths{path};
}

}  // namespace gladius::train
