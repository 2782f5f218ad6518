// The tables of a model card that are about weights. The first row of each is its heading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/report/model_statistics.h"

namespace gladius::train {

using TableRows = std::vector<std::vector<std::string>>;

/// Tokens of the memory estimates, as in the model card.
inline constexpr std::int64_t kEstimatedTokens = 512;

/// Component, formula, sizes, parameters.
TableRows component_rows(const ModelConfig& config, const Components& parts);
/// A layer's tensors: name, shape, parameters.
TableRows layer_rows(const Components& parts);
/// Precision, model size, need for inference and for training, for kEstimatedTokens.
TableRows memory_rows(const LanguageModel& model, std::int64_t parameters);

/// "F32 (4 bytes a parameter)", or all types that a file's tensors have.
std::string types_of(const std::vector<SafetensorsEntry>& entries);
/// `format: "pt"`, or "no metadata".
std::string metadata_of(const SafetensorsFile& file);

}  // namespace gladius::train
