// Results that would take the place of what they are made from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gladius/models/model_directory.h"

namespace gladius::train {

/// The files in a model's directories, one of which may be a tokenizer's alone. Left out are
/// safetensors files that are none of its weights, such as results that were written there.
std::vector<std::filesystem::path> files_of_model(const ModelPaths& paths);

/// ConfigError if `out` is one of the files `inputs`, however the two are spelled and linked.
/// `option` names it in the message.
void require_not_among(const std::string& option, const std::filesystem::path& out,
                       const std::vector<std::filesystem::path>& inputs);

/// ConfigError if the directory `out` is `directory` or would lie in it. `option` names it in the
/// message.
void require_outside(const std::string& option, const std::filesystem::path& out,
                     const std::filesystem::path& directory);

}  // namespace gladius::train
