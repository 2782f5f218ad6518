#include "gladius/train/run/file_sums.h"

#include <nlohmann/json.hpp>

#include "gladius/tensor/base/sha256.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

bool is_as_described(const fs::path& file, const Json& description, Look look) {
  return description.is_object() && description.value("bytes", Json()) == fs::file_size(file) &&
         (look == Look::sizes || description.value("sha256", Json()) == sha256_file(file));
}

}  // namespace

Json describe_file(const fs::path& file) {
  return {{"bytes", fs::file_size(file)}, {"sha256", sha256_file(file)}};
}

Json describe_files(const fs::path& directory) {
  Json files = Json::object();
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename().string()] = describe_file(entry.path());
  }
  return files;
}

std::string wrong_file(const fs::path& directory, const Json& described, Look look) {
  for (const auto& [listed, description] : described.items()) {
    // No more than its last part: the list leads nowhere else.
    const fs::path name = fs::path(listed).filename();
    if (!fs::is_regular_file(directory / name)) return name.string() + " is missing";
    if (!is_as_described(directory / name, description, look)) {
      return name.string() + " is not the file that the run wrote";
    }
  }
  return "";
}

}  // namespace gladius::train
