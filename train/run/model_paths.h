// What a path of a model leads to, on a command line and in a run file.
#pragma once

#include <filesystem>
#include <string>

#include "gladius/models/model_directory.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::train {

struct FoundModel {
  ModelPaths paths;
  /// In words, where that is not what the path says by itself; else "".
  std::string note;
};

/// The model that `path` names:
/// - a model directory or a GGUF file: itself;
/// - a run's directory: its model or, as long as it has none, its newest checkpoint;
/// - a checkpoint: its weights, with the configuration and the tokenizer of its run;
/// - a models--ORG--NAME folder of Hugging Face's cache: the snapshot of refs/main, else the
/// newest. Anything else is taken for a model directory, so that whoever opens it says what is
/// missing. IoError for a run without a model or checkpoint and a cache's folder without a
/// snapshot.
FoundModel find_model(const std::filesystem::path& path);

/// The same for a path that may be a configuration's: a file or a directory with a config.json
/// stays as it is.
std::filesystem::path find_config(const std::filesystem::path& path);

/// The run that `path` is the directory, the model or a checkpoint of; else `path` itself.
RunPaths find_run(const std::filesystem::path& path);

}  // namespace gladius::train
