#include "gladius/models/config.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "gladius/tensor/error.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// Checked access to the keys of one config.json. A key that is null counts as missing.
class Fields {
 public:
  Fields(const Json& json, const std::string& where) : json_(json), where_(where) {
    if (!json.is_object()) fail("expected a JSON object");
  }

  template <class T>
  T required(const char* key) const {
    if (!has(key)) fail(fmt::format("\"{}\" is missing", key));
    return get<T>(key);
  }
  template <class T>
  T value_or(const char* key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  std::int64_t positive(const char* key, std::optional<std::int64_t> fallback = {}) const {
    const std::int64_t value =
        fallback ? value_or<std::int64_t>(key, *fallback) : required<std::int64_t>(key);
    if (value < 1) fail(fmt::format("\"{}\" is {}; it must be positive", key, value));
    return value;
  }
  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
  const Json& at(const char* key) const { return json_.at(key); }

  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(fmt::format("{}: {}", where_, what));
  }

 private:
  template <class T>
  T get(const char* key) const {
    const Json& value = json_.at(key);
    const bool fits = std::is_same_v<T, bool>          ? value.is_boolean()
                      : std::is_same_v<T, std::string> ? value.is_string()
                      : std::is_floating_point_v<T>    ? value.is_number()
                                                       : value.is_number_integer();
    if (!fits) fail(fmt::format("\"{}\" is {}, which is of the wrong type", key, value.dump()));
    return value.get<T>();
  }

  const Json& json_;
  const std::string& where_;
};

// What an architecture sets where config.json is silent.
struct Family {
  const char* architecture;
  const char* model_type;
  bool qkv_bias;  // fixed by the architecture; Llama reads attention_bias
  bool reads_attention_bias;
};

constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", false, true},
    {"Qwen2ForCausalLM", "qwen2", true, false},
};

const Family& family_of(const Fields& fields) {
  const auto names = fields.has("architectures") ? fields.at("architectures") : Json::array();
  const std::string architecture =
      names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>() : "";
  const std::string type = fields.value_or<std::string>("model_type", "");
  std::string known;
  for (const Family& family : kFamilies) {
    if (architecture.empty() ? type == family.model_type : architecture == family.architecture)
      return family;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.architecture);
  }
  fields.fail(fmt::format("architecture \"{}\" is not supported (known: {})",
                          architecture.empty() ? type : architecture, known));
}

void read_attention(const Fields& fields, const Family& family, ModelConfig& config) {
  config.num_attention_heads = fields.positive("num_attention_heads");
  config.num_key_value_heads = fields.positive("num_key_value_heads", config.num_attention_heads);
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fields.fail(fmt::format("num_attention_heads {} is not a multiple of num_key_value_heads {}",
                            config.num_attention_heads, config.num_key_value_heads));
  }
  if (!fields.has("head_dim") && config.hidden_size % config.num_attention_heads != 0) {
    fields.fail(fmt::format(
        "hidden_size {} is not a multiple of num_attention_heads {} and there is no head_dim",
        config.hidden_size, config.num_attention_heads));
  }
  config.head_dim = fields.positive("head_dim", config.hidden_size / config.num_attention_heads);
  if (config.head_dim % 2 != 0) fields.fail(fmt::format("head_dim {} is odd", config.head_dim));
  const bool bias = family.reads_attention_bias && fields.value_or("attention_bias", false);
  config.qkv_bias = family.qkv_bias || bias;
  config.o_bias = bias;
}

void read_tokens(const Fields& fields, ModelConfig& config) {
  if (fields.has("bos_token_id"))
    config.bos_token_id = fields.required<std::int64_t>("bos_token_id");
  if (!fields.has("eos_token_id")) return;
  const Json& eos = fields.at("eos_token_id");
  for (const Json& id : eos.is_array() ? eos : Json::array({eos})) {
    if (!id.is_number_integer()) fields.fail(fmt::format("\"eos_token_id\" is {}", eos.dump()));
    config.eos_token_ids.push_back(id.get<std::int64_t>());
  }
}

// Settings that would change the results and that this library does not have.
void refuse_unsupported(const Fields& fields) {
  if (const auto act = fields.value_or<std::string>("hidden_act", "silu"); act != "silu") {
    fields.fail(fmt::format("hidden_act \"{}\" is not supported (only silu)", act));
  }
  if (fields.has("rope_scaling")) fields.fail("rope_scaling is not supported");
  if (fields.value_or("use_sliding_window", false))
    fields.fail("use_sliding_window is not supported");
  if (fields.has("quantization_config"))
    fields.fail("quantization_config: quantized weights are not supported");
}

}  // namespace

ModelConfig ModelConfig::load(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "config.json" : path;
  std::ifstream in(file);
  std::stringstream text;
  if (!in || !(text << in.rdbuf())) {
    throw IoError(
        fmt::format("cannot read {}: a model's config.json is expected there", file.string()));
  }
  const Json json = Json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw FormatError(fmt::format("{}: not valid JSON", file.string()));
  return parse(json, file.string());
}

ModelConfig ModelConfig::parse(const Json& json, const std::string& where) {
  const Fields fields(json, where);
  const Family& family = family_of(fields);
  refuse_unsupported(fields);
  ModelConfig config;
  config.architecture = family.architecture;
  config.model_type = family.model_type;
  config.vocab_size = fields.positive("vocab_size");
  config.hidden_size = fields.positive("hidden_size");
  config.intermediate_size = fields.positive("intermediate_size");
  config.num_hidden_layers = fields.positive("num_hidden_layers");
  read_attention(fields, family, config);
  config.max_position_embeddings = fields.positive("max_position_embeddings", 2048);
  config.rms_norm_eps = fields.value_or("rms_norm_eps", 1e-6);
  config.rope_theta = fields.value_or("rope_theta", 10000.0);
  config.mlp_bias = family.reads_attention_bias && fields.value_or("mlp_bias", false);
  config.tie_word_embeddings = fields.value_or("tie_word_embeddings", false);
  config.initializer_range = fields.value_or("initializer_range", 0.02);
  read_tokens(fields, config);
  config.source = json;
  return config;
}

std::string ModelConfig::to_text() const { return source.dump(2) + "\n"; }

}  // namespace gladius
