#include "gladius/models/tokenizer/tokenizer_files.h"

#include <system_error>

#include "gladius/models/gguf/tokenizer_json.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::text {

bool has_tokenizer(const std::filesystem::path& path) {
  if (gguf::is_gguf(path)) return gguf::has_tokenizer(gguf::File::open(path));
  return is_there(path / "tokenizer.json");
}

template <class Json>
Json read_tokenizer_json(const std::filesystem::path& path) {
  if (gguf::is_gguf(path)) return gguf::tokenizer_json(gguf::File::open(path));
  std::error_code ignored;
  const bool within = std::filesystem::is_directory(path, ignored);
  return read_json_file<Json>(within ? path / "tokenizer.json" : path);
}

template nlohmann::json read_tokenizer_json(const std::filesystem::path&);
template nlohmann::ordered_json read_tokenizer_json(const std::filesystem::path&);

nlohmann::ordered_json read_tokenizer_config(const std::filesystem::path& path) {
  if (gguf::is_gguf(path)) return gguf::tokenizer_config_json(gguf::File::open(path));
  const auto file = path / "tokenizer_config.json";
  return is_there(file) ? read_json_file(file) : nlohmann::ordered_json::object();
}

}  // namespace gladius::text
