#include "gladius/train/run/overwrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// Whether both are there and are one file: by device and inode.
bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

}  // namespace

std::vector<fs::path> files_of_model(const ModelPaths& paths) {
  std::vector<fs::path> files{paths.config};
  if (has_weights(paths.weights)) {
    for (const fs::path& file : weight_files(paths.weights)) files.push_back(file);
  }
  for (const fs::path& directory : std::set{paths.weights, paths.tokenizer}) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
      if (entry.path().extension() != ".safetensors") files.push_back(entry.path());
    }
  }
  return files;
}

void require_not_among(const std::string& option, const fs::path& out,
                       const std::vector<fs::path>& inputs) {
  const auto input =
      std::ranges::find_if(inputs, [&](const fs::path& file) { return same_file(out, file); });
  if (input == inputs.end()) return;
  throw ConfigError(fmt::format("{} {} would overwrite {}, which is read; choose another file",
                                option, out.string(), input->string()));
}

void require_outside(const std::string& option, const fs::path& out, const fs::path& directory) {
  std::error_code ignored;
  for (fs::path at = fs::weakly_canonical(fs::absolute(out), ignored); !at.empty();
       at = at.parent_path()) {
    if (same_file(at, directory)) {
      throw ConfigError(fmt::format("{} {} is in {}, which is read; choose another directory",
                                    option, out.string(), directory.string()));
    }
    if (at == at.root_path()) return;
  }
}

}  // namespace gladius::train
