#include "gladius/models/generation/generation_config.h"

#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// Other settings that choose tokens, with the value that has no effect.
struct Setting {
  const char* name;
  double neutral;
};
constexpr Setting kUnsupported[] = {
    {"num_beams", 1},
    {"min_p", 0},
    {"typical_p", 1},
    {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},
    {"no_repeat_ngram_size", 0},
    {"min_length", 0},
    {"min_new_tokens", 0},
    {"guidance_scale", 1},
    {"penalty_alpha", 0},
    {"bad_words_ids", 0},
    {"sequence_bias", 0},
    {"stop_strings", 0},
    {"suppress_tokens", 0},
    {"top_h", 0},
    {"begin_suppress_tokens", 0},
    {"num_return_sequences", 1},
    {"forced_bos_token_id", -1},
    {"forced_eos_token_id", -1},
    {"exponential_decay_length_penalty", 0},
};

std::vector<std::string> unsupported_in(const Json& json) {
  std::vector<std::string> names;
  for (const auto& [name, neutral] : kUnsupported) {
    if (!json.contains(name) || json.at(name).is_null()) continue;
    const Json& value = json.at(name);
    if (!value.is_number() || value.get<double>() != neutral) names.emplace_back(name);
  }
  return names;
}

}  // namespace

GenerationConfig GenerationConfig::load(const std::filesystem::path& directory,
                                        const ModelConfig& config) {
  GenerationConfig result;
  result.eos_token_ids = config.eos_token_ids;
  const auto file = directory / "generation_config.json";
  if (!is_there(file)) return result;
  const Json json = read_json_file(file);
  const JsonFields fields(json, file.string());
  result.do_sample = fields.optional<bool>("do_sample");
  result.max_new_tokens = fields.optional<std::int64_t>("max_new_tokens");
  result.temperature = fields.optional<double>("temperature");
  result.top_p = fields.optional<double>("top_p");
  result.top_k = fields.optional<std::int64_t>("top_k");
  result.repetition_penalty = fields.optional<double>("repetition_penalty");
  result.unsupported = unsupported_in(json);
  if (fields.has("eos_token_id")) result.eos_token_ids = fields.token_ids("eos_token_id");
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
