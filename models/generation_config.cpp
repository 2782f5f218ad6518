#include "gladius/models/generation_config.h"

#include "gladius/models/json_fields.h"
#include "gladius/models/json_file.h"
#include "gladius/tensor/io/file_descriptor.h"

namespace gladius {

GenerationConfig GenerationConfig::load(const std::filesystem::path& directory,
                                        const ModelConfig& config) {
  GenerationConfig result;
  result.eos_token_ids = config.eos_token_ids;
  const auto file = directory / "generation_config.json";
  if (!is_there(file)) return result;
  const nlohmann::ordered_json json = read_json_file(file);
  const JsonFields fields(json, file.string());
  result.temperature = fields.optional<double>("temperature");
  result.top_p = fields.optional<double>("top_p");
  result.top_k = fields.optional<std::int64_t>("top_k");
  result.repetition_penalty = fields.optional<double>("repetition_penalty");
  if (fields.has("eos_token_id")) result.eos_token_ids = fields.one_or_more("eos_token_id");
  return result;
}

std::string generation_config_text(const ModelConfig& config) {
  nlohmann::json json = {{"_from_model_config", true}};  // keys sorted, as transformers does
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id", "transformers_version"}) {
    if (config.source.contains(key) && !config.source[key].is_null())
      json[key] = config.source[key];
  }
  // Only what differs from the defaults.
  if (config.source.contains("use_cache") && config.source["use_cache"] == false)
    json["use_cache"] = false;
  return json.dump(2) + "\n";
}

}  // namespace gladius
