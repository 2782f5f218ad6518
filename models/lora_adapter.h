// LoRA adapters (Hu et al. 2021, arXiv:2106.09685) as PEFT saves them: adapter_config.json and
// adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <vector>

#include "gladius/nn/module.h"

namespace gladius {

/// The files of an adapter; none for an empty path.
std::vector<std::filesystem::path> lora_files(const std::filesystem::path& directory);

/// Adds the adapter's updates to the weights of its base model, by name: W + s B A with
/// s = lora_alpha / r, or lora_alpha / sqrt(r) with `use_rslora`. The sum is computed in F32 and
/// rounded once to the weight's type; a quantised weight becomes F32.
///
/// ConfigError for what changes more than that (DoRA, trained biases, whole modules saved, ...);
/// FormatError naming the tensor for one without its partner, of another shape, or whose weight the
/// model does not have. IoError.
void merge_lora(const std::filesystem::path& directory, NamedTensors& weights);

}  // namespace gladius
