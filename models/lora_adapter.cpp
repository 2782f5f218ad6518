#include "gladius/models/lora_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/matmul.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAdapterConfig = "adapter_config.json";
constexpr const char* kAdapterWeights = "adapter_model.safetensors";

// Settings by which an adapter is more than W + s B A, beside the values that leave it that.
constexpr const char* kOthers[] = {
    "use_dora",          "fan_in_fan_out",          "lora_bias",
    "modules_to_save",   "trainable_token_indices", "target_parameters",
    "layer_replication", "alora_invocation_tokens", "use_qalora"};

bool is_off(const JsonFields::Json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

// How much the updates count.
class Scaling {
 public:
  explicit Scaling(const fs::path& file) : fields_(read_json_file(file), file.string()) {
    if (fields_.value_or<std::string>("peft_type", "LORA") != "LORA") {
      fields_.fail("peft_type", fmt::format("is {}; only LORA is supported",
                                            in_quotes(fields_.required<std::string>("peft_type"))));
    }
    for (const char* name : kOthers) {
      if (fields_.has(name) && !is_off(fields_.at(name))) fields_.fail(name, "is not supported");
    }
    if (fields_.value_or<std::string>("bias", "none") != "none") {
      fields_.fail("bias", "is not supported but as \"none\"");
    }
    check_start();
    alpha_ = fields_.value_or<double>("lora_alpha", 8);
    rank_stabilised_ = fields_.value_or<bool>("use_rslora", false);
    if (fields_.has("alpha_pattern")) read_patterns(fields_.nested("alpha_pattern"));
  }

  // For the module of that name ("model.layers.0.self_attn.q_proj").
  double of(std::string_view module, std::int64_t rank) const {
    double alpha = alpha_;
    for (const auto& [name, value] : patterns_) {
      if (module == name || module.ends_with("." + name)) {
        alpha = value;
        break;  // PEFT takes the first
      }
    }
    const auto r = static_cast<double>(rank);
    return alpha / (rank_stabilised_ ? std::sqrt(r) : r);
  }

 private:
  // Some ways to begin change the base model's weights, and the adapter is the rest.
  void check_start() const {
    constexpr const char* kKeep[] = {"gaussian", "eva", "orthogonal"};
    if (!fields_.has("init_lora_weights") || fields_.at("init_lora_weights").is_boolean()) return;
    const auto start = fields_.required<std::string>("init_lora_weights");
    if (std::ranges::find(kKeep, start) != std::end(kKeep)) return;
    fields_.fail("init_lora_weights",
                 fmt::format("is {}, which changes the base model; merge it with PEFT "
                             "(merge_and_unload(), save_pretrained())",
                             in_quotes(start)));
  }

  void read_patterns(const JsonFields& patterns) {
    for (const auto& [name, value] : fields_.at("alpha_pattern").items()) {
      if (name.find_first_of("^$*+?()[]{}|\\") != std::string::npos) {
        patterns.fail(name, "is a regular expression; only names of modules are supported");
      }
      patterns_.emplace_back(name, patterns.required<double>(name));
    }
  }

  JsonFields fields_;
  double alpha_ = 8;
  bool rank_stabilised_ = false;
  std::vector<std::pair<std::string, double>> patterns_;
};

struct Pair {
  std::optional<Tensor> a, b;
};

// The parts of a tensor's name: the module in the base model, and whether it is A or B.
std::pair<std::string, char> parts_of(const std::string& name, const std::string& file) {
  constexpr std::string_view kPrefix = "base_model.model.";
  for (const char part : {'A', 'B'}) {
    const std::string suffix = fmt::format(".lora_{}.weight", part);
    if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) continue;
    return {name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size()), part};
  }
  throw FormatError(
      fmt::format("{}: tensor {} is not of a linear layer's adapter", file, in_quotes(name)));
}

std::map<std::string, Pair> read_pairs(const fs::path& path) {
  std::map<std::string, Pair> pairs;
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const SafetensorsEntry& entry : file.entries()) {
    const auto [module, part] = parts_of(entry.name, path.string());
    const Tensor tensor = file.tensor(entry.name);
    if (!is_floating_point(tensor.dtype()) || tensor.dim() != 2) {
      throw FormatError(
          fmt::format("{}: tensor {} is {}; expected a matrix of floating-point "
                      "numbers",
                      path.string(), in_quotes(entry.name), tensor.describe()));
    }
    (part == 'A' ? pairs[module].a : pairs[module].b) = tensor;
  }
  return pairs;
}

Tensor merged(const Tensor& weight, const Pair& pair, double scale) {
  const Tensor update = matmul(pair.b->to(Dtype::F32), pair.a->to(Dtype::F32));
  Tensor sum = weight.dtype() == Dtype::F32 ? weight.clone() : weight.to(Dtype::F32);
  add_(sum, update, scale);
  return is_quantized(weight.dtype()) ? sum : sum.to(weight.dtype());
}

}  // namespace

std::vector<fs::path> lora_files(const fs::path& directory) {
  if (directory.empty()) return {};
  return {directory / kAdapterConfig, directory / kAdapterWeights};
}

void merge_lora(const fs::path& directory, NamedTensors& weights) {
  const Scaling scaling(directory / kAdapterConfig);
  const fs::path path = directory / kAdapterWeights;
  for (const auto& [module, pair] : read_pairs(path)) {
    const auto fail = [&, &name = module](const std::string& what) {
      throw FormatError(fmt::format("{}: adapter of {}: {}", path.string(), in_quotes(name), what));
    };
    if (!pair.a || !pair.b) fail(fmt::format("lora_{} is missing", pair.a ? 'B' : 'A'));
    const auto found =
        std::ranges::find(weights, module + ".weight", &NamedTensors::value_type::first);
    if (found == weights.end()) fail("the model has no such layer");
    const Shape expected{pair.b->size(0), pair.a->size(1)};
    if (pair.a->size(0) != pair.b->size(1) || pair.a->size(0) == 0 ||
        found->second.shape() != expected) {
      fail(fmt::format("A {} and B {} do not fit the weight {}", to_string(pair.a->shape()),
                       to_string(pair.b->shape()), to_string(found->second.shape())));
    }
    found->second = merged(found->second, pair, scaling.of(module, pair.a->size(0)));
  }
}

}  // namespace gladius
