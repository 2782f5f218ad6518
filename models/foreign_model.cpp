#include "gladius/models/foreign_model.h"

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;

bool holds(const fs::path& directory, const char* extension) {
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == extension) return true;
  }
  return false;
}

}  // namespace

std::string foreign_model(const fs::path& path) {
  // `path` may be the file that a directory was taken for.
  const fs::path directory = path.filename() == "config.json" ? path.parent_path() : path;
  if (is_there(directory / "adapter_config.json")) {
    return "; this is a LoRA adapter, not a model: name its base model, and this directory with "
           "--adapter (gladius convert merges them)";
  }
  if (holds(directory, ".gguf")) {
    return "; there is a GGUF file: name the file itself in the directory's place";
  }
  if (holds(directory, ".bin") || holds(directory, ".pth") || holds(directory, ".pt")) {
    return "; there are PyTorch's files: convert them to safetensors with transformers "
           "(AutoModelForCausalLM.from_pretrained(...).save_pretrained(...))";
  }
  return "";
}

}  // namespace gladius
