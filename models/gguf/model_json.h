// A GGUF file's keys as the config.json of the same model.
#pragma once

#include <nlohmann/json.hpp>

#include "gladius/models/gguf/file.h"

namespace gladius::gguf {

/// What ModelConfig::parse takes; the end of turn counts as an end, so that generation stops there.
/// ConfigError naming the key for what is missing, of the wrong kind or not supported: another
/// architecture, experts, parts of a split model, adapters, settings that would change results.
nlohmann::ordered_json model_json(const File& file);

}  // namespace gladius::gguf
