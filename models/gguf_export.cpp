#include "gladius/models/gguf_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "gladius/models/generation/generation_config.h"
#include "gladius/models/gguf/tensor_names.h"
#include "gladius/models/gguf/writer.h"
#include "gladius/models/gguf_tokenizer.h"
#include "gladius/models/narrowing.h"
#include "gladius/models/rope_scaling.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/quantized.h"

namespace gladius {
namespace {

// `general.file_type`, by which programs describe a file.
struct FileType {
  Dtype dtype;
  std::uint32_t id;
};
constexpr FileType kFileTypes[] = {
    {Dtype::F32, 0},  {Dtype::F16, 1},  {Dtype::BF16, 32}, {Dtype::Q8_0, 7},  {Dtype::Q4_0, 2},
    {Dtype::Q4_1, 3}, {Dtype::Q5_0, 8}, {Dtype::Q5_1, 9},  {Dtype::Q4_K, 14}, {Dtype::Q6_K, 18}};

const FileType* find_file_type(Dtype dtype) {
  const auto found = std::ranges::find(kFileTypes, dtype, &FileType::dtype);
  return found == std::end(kFileTypes) ? nullptr : found;
}

[[noreturn]] void refuse(const std::string& why) {
  throw ConfigError(fmt::format("gguf: {}, for which the format has no keys", why));
}

void add_config(gguf::KeyWriter& keys, const ModelConfig& config) {
  const auto add = [&](std::string_view key, auto value) {
    keys.add(fmt::format("{}.{}", config.model_type, key), value);
  };
  const auto size = [&](std::string_view key, std::int64_t value) {
    add(key, static_cast<std::uint32_t>(value));
  };
  size("context_length", config.max_position_embeddings);
  size("embedding_length", config.hidden_size);
  size("block_count", config.num_hidden_layers);
  size("feed_forward_length", config.intermediate_size);
  size("attention.head_count", config.num_attention_heads);
  size("attention.head_count_kv", config.num_key_value_heads);
  size("attention.key_length", config.head_dim);
  size("attention.value_length", config.head_dim);
  size("rope.dimension_count", config.head_dim);
  size("vocab_size", config.vocab_size);
  add("attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps));
  const RopeParameters& rope = config.rope;
  add("rope.freq_base", static_cast<float>(rope.theta));
  if (rope.type == "linear" || rope.type == "yarn") {
    add("rope.scaling.type", std::string_view(rope.type));
    add("rope.scaling.factor", static_cast<float>(rope.factor));
    size("rope.scaling.original_context_length", rope.original_max_position_embeddings);
  }
  if (rope.type == "dynamic") refuse("rope_scaling is \"dynamic\"");
  if (rope.type == "yarn" && (rope.attention_factor || rope.mscale || rope.mscale_all_dim)) {
    refuse("rope_scaling has an attention factor of its own");
  }
  if (rope.type == "yarn" && (rope.beta_fast != 32 || rope.beta_slow != 1 || !rope.truncate)) {
    refuse("rope_scaling has a \"beta_fast\", \"beta_slow\" or \"truncate\" of its own");
  }
  if (std::ranges::any_of(config.attention_windows, [](std::int64_t w) { return w > 0; })) {
    refuse("layers see windows (use_sliding_window)");
  }
}

// The divisors of rotary frequencies that stand for Llama 3's scaling.
std::optional<Tensor> frequency_divisors(const ModelConfig& config) {
  const RopeParameters& rope = config.rope;
  if (rope.type != "llama3") return {};
  const bool usual = rope.low_freq_factor == 1 && rope.high_freq_factor == 4 &&
                     rope.original_max_position_embeddings == 8192;
  if (!usual) refuse("rope_scaling is \"llama3\" with other than Llama 3's own settings");
  const auto plain = nn::RotaryEmbedding::default_frequencies(config.head_dim, rope.theta);
  const auto scaled = scaled_frequencies(rope, config.head_dim);
  std::vector<float> divisors;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    divisors.push_back(static_cast<float>(plain[i] / scaled[i]));
  }
  return Tensor::from(divisors, {std::ssize(divisors)});
}

// The type of the output's matrix, whose errors count most; as llama.cpp chooses it.
Dtype type_of_output(Dtype dtype) {
  if (dtype == Dtype::Q4_K) return Dtype::Q6_K;
  return is_quantized(dtype) && dtype <= Dtype::Q5_1 ? Dtype::Q8_0 : dtype;
}

// The type nearest to `wanted` whose blocks rows of n numbers consist of.
Dtype type_for_rows(Dtype wanted, std::int64_t n) {
  const Dtype smaller_blocks = wanted == Dtype::Q4_K   ? Dtype::Q5_0
                               : wanted == Dtype::Q6_K ? Dtype::Q8_0
                                                       : wanted;
  for (const Dtype dtype : {wanted, smaller_blocks}) {
    if (n % block_elements(dtype) == 0) return dtype;
  }
  return Dtype::F16;
}

// The types that weights are written in.
class Types {
 public:
  Types(Dtype dtype, std::string output) : dtype_(dtype), output_(std::move(output)) {}

  Dtype of(const std::string& name, const Tensor& tensor) {
    if (tensor.dim() == 1) return Dtype::F32;
    const Dtype wanted = name == output_ ? type_of_output(dtype_) : dtype_;
    const Dtype stored = type_for_rows(wanted, tensor.size(-1));
    if (stored != wanted) {
      Others& others = others_[{wanted, stored}];
      if (others.count++ == 0) others.first = name, others.row = tensor.size(-1);
    }
    return stored;
  }

  // One line for all tensors of a kind, as a model may have hundreds.
  void warn_of_others(const Warn& warn) const {
    if (!warn) return;
    for (const auto& [types, others] : others_) {
      warn(fmt::format("tensor {}{}: rows of {} are no whole blocks of {}; stored as {}",
                       in_quotes(others.first),
                       others.count > 1 ? fmt::format(" and {} more", others.count - 1) : "",
                       others.row, dtype_name(types.first), dtype_name(types.second)));
    }
  }

 private:
  struct Others {
    std::string first;
    std::int64_t row = 0, count = 0;
  };

  Dtype dtype_;
  std::string output_;
  std::map<std::pair<Dtype, Dtype>, Others> others_;  // by the type wanted and that stored
};

Tensor in_gguf_order(const Tensor& tensor, std::int64_t head_dim) {
  std::vector<std::int64_t> order;
  for (std::int64_t row = 0; row < tensor.size(0); ++row) {
    order.push_back(gguf::row_in_hugging_face(row, head_dim));
  }
  return index_select(tensor, 0, Tensor::from(order, {std::ssize(order)}));
}

// A weight on its way to the file.
struct Planned {
  std::string name;  // Hugging Face's
  Tensor tensor;
  Dtype dtype;
  gguf::TensorPlan plan;
};

Planned plan_of(const std::string& name, const std::string& stored_name, const Tensor& tensor,
                Dtype dtype) {
  return {name, tensor, dtype, {stored_name, tensor.shape(), gguf::find_type(dtype_name(dtype))}};
}

std::vector<Planned> plan_weights(const LanguageModel& model, Dtype dtype, const Warn& warn) {
  const ModelConfig& config = model.config();
  const NamedTensors weights = model.state_dict();
  Types types(dtype, config.tie_word_embeddings ? weights.front().first : kHeadName);
  std::vector<Planned> planned;
  for (const auto& [name, tensor] : weights) {
    const auto stored_name = gguf::gguf_name(name);
    if (!stored_name) refuse(fmt::format("there is a tensor {}", in_quotes(name)));
    const Dtype stored = types.of(name, tensor);
    check_narrowing({{name, tensor}}, is_quantized(stored) ? Dtype::F32 : stored, warn);
    planned.push_back(plan_of(name, *stored_name, tensor, stored));
  }
  types.warn_of_others(warn);
  if (const auto divisors = frequency_divisors(config)) {
    planned.push_back(plan_of("", "rope_freqs.weight", *divisors, Dtype::F32));
  }
  return planned;
}

Tensor in_type(const Planned& weight, const Tensor& ordered) try {
  return ordered.to(weight.dtype);
} catch (const FormatError& error) {
  throw FormatError(fmt::format("tensor {}: {}", in_quotes(weight.name), error.what()));
}

gguf::KeyWriter keys_of(const std::string& name, const ModelConfig& config, const ModelPaths& paths,
                        const FileType& type) {
  gguf::KeyWriter keys;
  keys.add("general.architecture", config.model_type);
  keys.add("general.type", "model");
  keys.add("general.name", name);
  keys.add("general.file_type", type.id);
  if (is_quantized(type.dtype)) keys.add("general.quantization_version", std::uint32_t{2});
  add_config(keys, config);
  if (text::has_tokenizer(paths.tokenizer)) {
    const auto ends = GenerationConfig::load(paths.weights, config).eos_token_ids;
    add_tokenizer(keys, paths.tokenizer, config.vocab_size, ends);
  }
  return keys;
}

}  // namespace

void save_gguf(const std::filesystem::path& file, const LanguageModel& model,
               const ModelPaths& paths, Dtype dtype, const Warn& warn) {
  const FileType* type = find_file_type(dtype);
  if (!type) throw DtypeError(fmt::format("gguf: {} is not written", dtype_name(dtype)));
  const ModelConfig& config = model.config();
  const gguf::KeyWriter keys = keys_of(file.stem().string(), config, paths, *type);
  const std::vector<Planned> weights = plan_weights(model, dtype, warn);
  std::vector<gguf::TensorPlan> plans;
  for (const Planned& weight : weights) plans.push_back(weight.plan);
  gguf::write_file(file, keys, plans, [&](std::size_t i, const gguf::Sink& sink) {
    const Planned& weight = weights[i];
    const bool permuted = gguf::has_permuted_rows(config.model_type, weight.name);
    const Tensor ordered = permuted ? in_gguf_order(weight.tensor, config.head_dim) : weight.tensor;
    const Tensor stored = in_type(weight, ordered).contiguous();
    sink({stored.raw_data(), stored.nbytes()});
  });
}

}  // namespace gladius
