#include "gladius/train/run/fingerprint.h"

#include <fmt/format.h>

#include <map>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

constexpr const char* kInitFrom = "student.init_from";

fs::path config_file(const fs::path& path) {
  return fs::is_directory(path) ? path / "config.json" : path;
}

Paths model_files(const fs::path& directory) {
  const ModelPaths paths = find_model(directory).paths;
  Paths files{paths.config};
  for (const fs::path& file : weight_files(paths.weights)) files.push_back(file);
  // The size of an expert's tokenizer limits a truncated vocabulary.
  if (const fs::path tokenizer = paths.tokenizer / "tokenizer.json"; fs::exists(tokenizer)) {
    files.push_back(tokenizer);
  }
  return files;
}

// Key of the run file -> the files it means.
std::map<std::string, Paths> input_files(const RunConfig& config) {
  std::map<std::string, Paths> inputs;
  inputs["data.train"] = expand_patterns(config.data.train);
  inputs["student.config"] = {config_file(config.student.config)};
  if (config.student.init) inputs["student.init"] = model_files(*config.student.init);
  if (config.student.init_from) {
    inputs[kInitFrom] = model_files(config.student.init_from->model);
  }
  if (config.student.tokenizer) {
    inputs["student.tokenizer"] = tokenizer_files(*config.student.tokenizer);
  }
  for (std::size_t i = 0; i < config.experts.size(); ++i) {
    const ExpertConfig& expert = config.experts[i];
    inputs[fmt::format("experts.{}.model", i)] = model_files(expert.model);
    if (expert.vocabulary == VocabularyMode::align) {  // its tokens and template count
      inputs[fmt::format("experts.{}.tokenizer", i)] =
          tokenizer_files(find_model(expert.model).paths.tokenizer);
    }
  }
  return inputs;
}

// Hashes a file once, however often it is used.
class Fingerprints {
 public:
  const Json& of(const fs::path& file) {
    const auto known = known_.find(file);
    if (known != known_.end()) return known->second;
    return known_[file] = describe_file(file);
  }

 private:
  std::map<fs::path, Json> known_;
};

[[noreturn]] void fail(const std::string& key, const std::string& file, const char* what) {
  throw ConfigError(
      fmt::format("resume: {}: {} {} the run began, which would make it another run; put it back, "
                  "or begin one with another --out",
                  key, file, what));
}

}  // namespace

Json describe_inputs(const RunConfig& config) {
  Fingerprints fingerprints;
  Json described = Json::object();
  for (const auto& [key, files] : input_files(config)) {
    for (const fs::path& file : files) described[key][file.string()] = fingerprints.of(file);
  }
  return described;
}

void check_inputs(const Json& before, const RunConfig& config) {
  Fingerprints fingerprints;
  for (const auto& [key, files] : before.items()) {
    if (key == kInitFrom && !config.student.init_from) continue;
    for (const auto& [file, print] : files.items()) {
      if (!fs::exists(file)) {
        throw IoError(fmt::format("resume: {}: {} is gone; put it back", key, file));
      }
      if (fingerprints.of(file) != print) fail(key, file, "has changed since");
    }
  }
  for (const auto& [key, files] : input_files(config)) {
    const Json known = before.value(key, Json::object());
    for (const fs::path& file : files) {
      if (!known.contains(file.string())) fail(key, file.string(), "was not there when");
    }
  }
}

}  // namespace gladius::train
