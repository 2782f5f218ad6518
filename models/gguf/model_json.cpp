#include "gladius/models/gguf/model_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numbers>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::gguf {
namespace {

using Json = nlohmann::ordered_json;

struct Family {
  std::string_view architecture;  // of GGUF, and "model_type"
  const char* name;               // of Hugging Face
};
constexpr Family kFamilies[] = {
    {"llama", "LlamaForCausalLM"}, {"qwen2", "Qwen2ForCausalLM"}, {"qwen3", "Qwen3ForCausalLM"}};

const Family& family_of(const File& file) {
  constexpr const char* kKey = "general.architecture";
  const auto architecture = file.text(kKey);
  if (!architecture) file.fail(kKey, "is missing");
  const auto found = std::ranges::find(kFamilies, *architecture, &Family::architecture);
  if (found == std::end(kFamilies)) {
    file.fail(kKey, fmt::format("is {}, which is not supported (known: llama, qwen2, qwen3)",
                                in_quotes(*architecture)));
  }
  return *found;
}

// The keys of one architecture.
class Keys {
 public:
  Keys(const File& file, std::string_view architecture) : file_(file), prefix_(architecture) {}

  std::string name(std::string_view key) const { return fmt::format("{}.{}", prefix_, key); }
  std::optional<std::int64_t> integer(std::string_view key) const {
    return file_.integer(name(key));
  }
  std::int64_t required(std::string_view key) const {
    const auto value = integer(key);
    if (!value) file_.fail(name(key), "is missing");
    return *value;
  }
  std::optional<double> number(std::string_view key) const { return file_.number(name(key)); }
  std::optional<std::string> text(std::string_view key) const { return file_.text(name(key)); }
  [[noreturn]] void fail(std::string_view key, const std::string& what) const {
    file_.fail(name(key), what);
  }

 private:
  const File& file_;
  std::string_view prefix_;
};

void refuse_unsupported(const File& file, const Keys& keys) {
  if (const auto type = file.text("general.type"); type && *type != "model") {
    file.fail("general.type",
              fmt::format("is {}: this is not a whole model; merge it into its base model first",
                          in_quotes(*type)));
  }
  if (const auto parts = file.integer("split.count"); parts && *parts > 1) {
    file.fail("split.count",
              fmt::format("is {}: the model is split into so many files; join them with "
                          "llama.cpp's gguf-split --merge",
                          *parts));
  }
  if (const auto experts = keys.integer("expert_count"); experts && *experts > 0) {
    keys.fail("expert_count",
              fmt::format("is {}; models with experts are not supported", *experts));
  }
  for (const char* key :
       {"attention.clamp_kqv", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale",
        "residual_scale", "embedding_scale"}) {
    if (const auto value = keys.number(key); value && *value != 0) {
      keys.fail(key, fmt::format("is {}, which is not supported", *value));
    }
  }
}

std::int64_t head_dim_of(const Keys& keys, std::int64_t heads) {
  for (const char* key : {"attention.key_length", "rope.dimension_count"}) {
    if (const auto length = keys.integer(key)) return *length;
  }
  return heads > 0 ? keys.required("embedding_length") / heads : 0;
}

void read_heads(const Keys& keys, Json& config) {
  const std::int64_t heads = keys.required("attention.head_count");
  const std::int64_t head_dim = head_dim_of(keys, heads);
  for (const char* key : {"rope.dimension_count", "attention.value_length"}) {
    if (const auto other = keys.integer(key); other && *other != head_dim) {
      keys.fail(key, fmt::format("is {}, but heads have {}; that they differ is not supported",
                                 *other, head_dim));
    }
  }
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = keys.integer("attention.head_count_kv").value_or(heads);
  config["head_dim"] = head_dim;
}

// Rotary positions -----------------------------------------------------------------------------

Json llama3_scaling(double factor) {
  return {{"rope_type", "llama3"},
          {"factor", factor},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", 8192}};
}

// What a frequency of 1 / theta^(2 i / head_dim) is divided by (transformers' _compute_llama3).
double llama3_divisor(double theta, double factor, std::size_t i, std::size_t count) {
  const double frequency = std::pow(theta, -static_cast<double>(i) / static_cast<double>(count));
  const double turns = 8192 * frequency / (2 * std::numbers::pi);
  if (turns > 4) return 1;
  if (turns < 1) return factor;
  const double smooth = (turns - 1) / (4 - 1);
  return 1 / ((1 - smooth) / factor + smooth);
}

// Llama 3's scaling is stored as what it makes: a divisor of each frequency.
Json frequency_scaling(const File& file, const TensorInfo& tensor, double theta,
                       std::int64_t head_dim) {
  const auto fail = [&](const char* what) {
    throw ConfigError(
        fmt::format("{}: tensor \"rope_freqs.weight\" {}", file.path().string(), what));
  };
  if (tensor.type->name != "F32" || tensor.shape.size() != 1) fail("is not a row of F32");
  if (2 * tensor.shape[0] != head_dim) fail("is not of half a head's dimensions");
  std::vector<float> divisors(static_cast<std::size_t>(tensor.shape[0]));
  std::memcpy(divisors.data(), file.bytes(tensor).data(), divisors.size() * sizeof(float));
  const double factor = *std::ranges::max_element(divisors);
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double expected = llama3_divisor(theta, factor, i, divisors.size());
    if (!(std::abs(divisors[i] - expected) <= 1e-4 * expected)) {
      fail("scales the frequencies in another way than Llama 3 does, which is not supported");
    }
  }
  return llama3_scaling(factor);
}

// What these default to is all that is read.
void refuse_unusual_yarn(const Keys& keys) {
  constexpr std::pair<const char*, double> kUsual[] = {
      {"attn_factor", 1},     {"yarn_attn_factor", 1}, {"yarn_ext_factor", 1},
      {"yarn_beta_fast", 32}, {"yarn_beta_slow", 1},   {"yarn_log_multiplier", 0}};
  for (const auto& [name, usual] : kUsual) {
    const std::string key = fmt::format("rope.scaling.{}", name);
    if (const auto value = keys.number(key); value && *value != usual) {
      keys.fail(key, fmt::format("is {}, which is not supported (known: {})", *value, usual));
    }
  }
}

Json rope_scaling(const File& file, const Keys& keys, double theta, std::int64_t head_dim) {
  if (const TensorInfo* divisors = file.find_tensor("rope_freqs.weight")) {
    return frequency_scaling(file, *divisors, theta, head_dim);
  }
  const std::string type = keys.text("rope.scaling.type").value_or("none");
  const auto older = keys.number("rope.scale_linear");
  const double factor = keys.number("rope.scaling.factor").value_or(older.value_or(0));
  if (type == "none" && !older) return {};
  if (type == "none" || type == "linear") return {{"rope_type", "linear"}, {"factor", factor}};
  if (type != "yarn") {
    keys.fail(
        "rope.scaling.type",
        fmt::format("is {}, which is not supported (known: none, linear, yarn)", in_quotes(type)));
  }
  refuse_unusual_yarn(keys);
  Json scaling{{"rope_type", "yarn"}, {"factor", factor}};
  if (const auto trained = keys.integer("rope.scaling.original_context_length")) {
    scaling["original_max_position_embeddings"] = *trained;
  }
  return scaling;
}

// Tokens ---------------------------------------------------------------------------------------

void read_token_ids(const File& file, Json& config) {
  if (const auto bos = file.integer("tokenizer.ggml.bos_token_id")) config["bos_token_id"] = *bos;
  Json ends = Json::array();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const auto id = file.integer(key);
    if (id && std::ranges::find(ends, Json(*id)) == ends.end()) ends.push_back(*id);
  }
  if (!ends.empty()) config["eos_token_id"] = ends.size() == 1 ? ends[0] : ends;
}

std::int64_t vocab_size(const File& file, const Keys& keys) {
  if (const TensorInfo* embedding = file.find_tensor("token_embd.weight")) {
    return embedding->shape.size() == 2 ? embedding->shape[0] : 0;
  }
  return keys.required("vocab_size");
}

}  // namespace

Json model_json(const File& file) {
  const Family& family = family_of(file);
  const Keys keys(file, family.architecture);
  refuse_unsupported(file, keys);
  Json config{{"architectures", Json::array({family.name})}, {"model_type", family.architecture}};
  config["vocab_size"] = vocab_size(file, keys);
  config["hidden_size"] = keys.required("embedding_length");
  config["intermediate_size"] = keys.required("feed_forward_length");
  config["num_hidden_layers"] = keys.required("block_count");
  read_heads(keys, config);
  config["hidden_act"] = "silu";
  config["max_position_embeddings"] = keys.required("context_length");
  constexpr const char* kEps = "attention.layer_norm_rms_epsilon";
  const auto eps = keys.number(kEps);
  if (!eps) keys.fail(kEps, "is missing");
  config["rms_norm_eps"] = *eps;
  const double theta = keys.number("rope.freq_base").value_or(10000);
  config["rope_theta"] = theta;
  if (const Json scaling = rope_scaling(file, keys, theta, config["head_dim"]);
      !scaling.is_null()) {
    config["rope_scaling"] = scaling;
  }
  config["attention_bias"] = file.find_tensor("blk.0.attn_output.bias") != nullptr;
  if (family.architecture == "llama") {
    config["mlp_bias"] = file.find_tensor("blk.0.ffn_up.bias") != nullptr;
  }
  config["tie_word_embeddings"] = file.find_tensor("output.weight") == nullptr;
  read_token_ids(file, config);
  return config;
}

}  // namespace gladius::gguf
