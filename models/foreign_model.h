// Models of other formats that stand where a model directory is expected.
#pragma once

#include <filesystem>
#include <string>

namespace gladius {

/// "; " and what `path` holds instead of a model directory with safetensors, and what to do: a
/// LoRA adapter, PyTorch's files, GGUF. "" if that is not known.
std::string foreign_model(const std::filesystem::path& path);

}  // namespace gladius
