#include "gladius/models/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "gladius/models/architectures/architecture.h"
#include "gladius/models/foreign_model.h"
#include "gladius/models/gguf/model_json.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostLayers = 65'536;

// What `dtype` may say. The weights are read in the type that their files state.
constexpr const char* kWeightTypes[] = {"float32", "bfloat16", "float16", "float64", "auto"};

void read_heads(const JsonFields& fields, std::int64_t default_head_dim, ModelConfig& config) {
  config.num_attention_heads = fields.positive("num_attention_heads");
  config.num_key_value_heads = fields.positive("num_key_value_heads", config.num_attention_heads);
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fields.fail(fmt::format("num_attention_heads {} is not a multiple of num_key_value_heads {}",
                            config.num_attention_heads, config.num_key_value_heads));
  }
  const bool divided = !fields.has("head_dim") && default_head_dim == 0;
  if (divided && config.hidden_size % config.num_attention_heads != 0) {
    fields.fail(fmt::format(
        "hidden_size {} is not a multiple of num_attention_heads {} and there is no head_dim",
        config.hidden_size, config.num_attention_heads));
  }
  config.head_dim =
      fields.positive("head_dim", divided ? config.hidden_size / config.num_attention_heads
                                          : std::max<std::int64_t>(default_head_dim, 1));
  if (config.head_dim % 2 != 0) fields.fail(fmt::format("head_dim {} is odd", config.head_dim));
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
  if (gguf::is_gguf(path)) return parse(gguf::model_json(gguf::File::open(path)), path.string());
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
  const Architecture& architecture = architecture_of(fields);
  refuse_unsupported(fields);
  ModelConfig config;
  config.architecture = architecture.name;
  config.model_type = architecture.model_type;
  config.vocab_size = fields.positive("vocab_size");
  config.hidden_size = fields.positive("hidden_size");
  config.intermediate_size = fields.positive("intermediate_size");
  config.num_hidden_layers = fields.positive("num_hidden_layers", {}, kMostLayers);
  read_heads(fields, architecture.default_head_dim, config);
  check_weights(fields, config);
  config.max_position_embeddings = fields.positive("max_position_embeddings", 2048);
  config.rms_norm_eps = fields.value_or("rms_norm_eps", 1e-6);
  if (!(config.rms_norm_eps >= 0)) fields.fail("\"rms_norm_eps\" is negative");
  config.rope = RopeParameters::parse(fields, config.max_position_embeddings);
  architecture.read(fields, config);
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
