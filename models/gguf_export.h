// A model as a GGUF file.
#pragma once

#include <filesystem>

#include "gladius/models/model_directory.h"

namespace gladius {

/// Writes `model` with the tokenizer and the chat template that `paths` has, if it has one, whole
/// or not at all. Matrices become `dtype` (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K or
/// Q6_K), but
/// - norms and biases stay F32, as llama.cpp wants them;
/// - with four or five bits the output matrix, or the embedding that serves for it, is Q8_0, or
///   Q6_K with Q4_K;
/// - a matrix whose rows are no whole blocks of 256 is Q5_0 for Q4_K and Q8_0 for Q6_K, one whose
///   rows are no whole blocks of 32 is F16; `warn` is told.
/// ConfigError for what GGUF has no keys for; FormatError as save_model, or for numbers that blocks
/// cannot hold; IoError.
void save_gguf(const std::filesystem::path& file, const LanguageModel& model,
               const ModelPaths& paths, Dtype dtype, const Warn& warn = {});

}  // namespace gladius
