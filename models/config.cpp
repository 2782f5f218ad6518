#include "gladius/models/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "gladius/models/foreign_model.h"
#include "gladius/models/json_fields.h"
#include "gladius/models/json_file.h"
#include "gladius/tensor/io/file_descriptor.h"
#include "gladius/tensor/quoted.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostLayers = 65'536;

// What an architecture sets where config.json is silent.
struct Family {
  const char* architecture;
  const char* model_type;
  bool qkv_bias;         // biases of its own, whatever config.json says
  bool reads_biases;     // attention_bias and mlp_bias
  bool sliding_windows;  // use_sliding_window, sliding_window, max_window_layers, layer_types
};

constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", false, true, false},
    {"Qwen2ForCausalLM", "qwen2", true, false, true},
};

// What `dtype` may say. The weights are read in the type that their files state.
constexpr const char* kWeightTypes[] = {"float32", "bfloat16", "float16", "float64", "auto"};

const Family& family_of(const JsonFields& fields) {
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
  fields.fail(fmt::format("architecture {} is not supported (known: {})",
                          in_quotes(architecture.empty() ? type : architecture), known));
}

void read_attention(const JsonFields& fields, const Family& family, ModelConfig& config) {
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
  const bool bias = family.reads_biases && fields.value_or("attention_bias", false);
  config.qkv_bias = family.qkv_bias || bias;
  config.o_bias = bias;
}

// As transformers: `layer_types` names the layers with a window, else they are those from
// max_window_layers on.
void read_windows(const JsonFields& fields, ModelConfig& config) {
  if (!fields.value_or("use_sliding_window", false) || !fields.has("sliding_window")) return;
  const std::int64_t window = fields.positive("sliding_window");
  const std::int64_t first = fields.value_or<std::int64_t>("max_window_layers", 28);
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  const Json types = fields.has("layer_types") ? fields.at("layer_types") : Json();
  if (!types.is_null() && (!types.is_array() || types.size() != layers)) {
    fields.fail(fmt::format("\"layer_types\" is not a list of {} names", layers));
  }
  for (std::size_t i = 0; i < layers; ++i) {
    if (!types.is_null() && types[i] != "full_attention" && types[i] != "sliding_attention") {
      fields.fail(
          fmt::format("layer_types: {} is not supported (known: full_attention, "
                      "sliding_attention)",
                      shown(types[i])));
    }
    const bool slides =
        types.is_null() ? static_cast<std::int64_t>(i) >= first : types[i] == "sliding_attention";
    config.attention_windows.push_back(slides ? window : 0);
  }
}

void read_tokens(const JsonFields& fields, ModelConfig& config) {
  if (fields.has("bos_token_id")) config.bos_token_id = fields.token_id("bos_token_id");
  if (fields.has("eos_token_id")) config.eos_token_ids = fields.token_ids("eos_token_id");
}

// Refuses sizes whose weight could not be held, by the keys that make it.
void check_weight(const JsonFields& fields,
                  std::initializer_list<std::pair<const char*, std::int64_t>> sizes) {
  constexpr double kLargest = 0x1p40;  // a hundred times the largest there is
  double elements = 1;
  std::string product;
  for (const auto& [key, size] : sizes) {
    elements *= static_cast<double>(size);
    product += fmt::format("{}{} {}", product.empty() ? "" : " x ", key, size);
  }
  if (elements > kLargest) {
    fields.fail(fmt::format("{} is a weight of {:.3g} elements, at most {:.3g} are supported",
                            product, elements, kLargest));
  }
}

void check_weights(const JsonFields& fields, const ModelConfig& config) {
  const std::pair hidden("hidden_size", config.hidden_size);
  check_weight(fields, {{"vocab_size", config.vocab_size}, hidden});
  check_weight(fields, {{"intermediate_size", config.intermediate_size}, hidden});
  check_weight(
      fields,
      {{"num_attention_heads", config.num_attention_heads}, {"head_dim", config.head_dim}, hidden});
}

// Settings that would change the results and that this library does not have.
void refuse_unsupported(const JsonFields& fields) {
  const auto act = fields.value_or<std::string>("hidden_act", "silu");
  if (act != "silu" && act != "swish") {  // two names of one function
    fields.fail(fmt::format("hidden_act {} is not supported (only silu)", in_quotes(act)));
  }
  if (fields.has("quantization_config"))
    fields.fail("quantization_config: quantized weights are not supported");
  if (const auto p = fields.value_or("attention_dropout", 0.0); p != 0) {
    fields.fail(fmt::format("attention_dropout {} is not supported (only 0)", p));
  }
  for (const char* key : {"dtype", "torch_dtype"}) {
    auto type = fields.value_or<std::string>(key, "float32");
    if (type.starts_with("torch.")) type.erase(0, 6);  // as str(torch.float16) writes it
    if (std::ranges::find(kWeightTypes, type) == std::end(kWeightTypes)) {
      fields.fail(fmt::format("{} {} is not supported (known: {})", key, in_quotes(type),
                              fmt::join(kWeightTypes, ", ")));
    }
  }
}

}  // namespace

ModelConfig ModelConfig::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "config.json" : path;
  if (!is_there(file)) {
    throw IoError(fmt::format("cannot read {}: a model's config.json is expected there{}",
                              file.string(), foreign_model(path)));
  }
  const Json json = read_json_file(file);
  return parse(json, file.string());
}

ModelConfig ModelConfig::parse(const Json& json, const std::string& where) {
  const JsonFields fields(json, where);
  const Family& family = family_of(fields);
  refuse_unsupported(fields);
  ModelConfig config;
  config.architecture = family.architecture;
  config.model_type = family.model_type;
  config.vocab_size = fields.positive("vocab_size");
  config.hidden_size = fields.positive("hidden_size");
  config.intermediate_size = fields.positive("intermediate_size");
  config.num_hidden_layers = fields.positive("num_hidden_layers", {}, kMostLayers);
  read_attention(fields, family, config);
  check_weights(fields, config);
  config.max_position_embeddings = fields.positive("max_position_embeddings", 2048);
  config.rms_norm_eps = fields.value_or("rms_norm_eps", 1e-6);
  if (!(config.rms_norm_eps >= 0)) fields.fail("\"rms_norm_eps\" is negative");
  config.rope = RopeParameters::parse(fields, config.max_position_embeddings);
  if (family.sliding_windows) read_windows(fields, config);
  config.mlp_bias = family.reads_biases && fields.value_or("mlp_bias", false);
  config.tie_word_embeddings = fields.value_or("tie_word_embeddings", false);
  config.initializer_range = fields.value_or("initializer_range", 0.02);
  read_tokens(fields, config);
  config.source = json;
  return config;
}

void ModelConfig::set_dtype(Dtype dtype) {
  const char* names[] = {"dtype", "torch_dtype"};
  std::string value;
  switch (dtype) {
    case Dtype::F16:
      value = "float16";
      break;
    case Dtype::BF16:
      value = "bfloat16";
      break;
    case Dtype::F32:
      value = "float32";
      break;
    case Dtype::F64:
      value = "float64";
      break;
    default:
      throw DtypeError(fmt::format("config: weights cannot be {}", dtype_name(dtype)));
  }
  bool stated = false;
  for (const char* name : names) {
    if (!source.contains(name)) continue;
    source[name] = value;
    stated = true;
  }
  if (!stated && dtype != Dtype::F32) source["dtype"] = value;
}

std::string ModelConfig::to_text() const { return source.dump(2) + "\n"; }

}  // namespace gladius
