#include "gladius/models/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "gladius/models/json_fields.h"

namespace gladius {
namespace {

using Frequencies = std::vector<double>;

constexpr const char* kTypes[] = {"default", "linear", "dynamic", "yarn", "llama3"};

Frequencies llama3_frequencies(const RopeParameters& rope, Frequencies frequencies) {
  const auto trained = static_cast<double>(rope.original_max_position_embeddings);
  for (double& frequency : frequencies) {
    const double turns = trained * frequency / (2 * std::numbers::pi);  // over the trained length
    if (turns > rope.high_freq_factor) continue;
    const double smooth = std::max(
        0.0, (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor));
    frequency = turns < rope.low_freq_factor
                    ? frequency / rope.factor
                    : (1 - smooth) * frequency / rope.factor + smooth * frequency;
  }
  return frequencies;
}

// The dimension whose frequency turns `turns` times over the trained length.
double yarn_dimension(const RopeParameters& rope, double head_dim, double turns) {
  const auto trained = static_cast<double>(rope.original_max_position_embeddings);
  return head_dim * std::log(trained / (turns * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
}

// Fast dimensions keep their frequency, slow ones are interpolated, with a ramp between.
Frequencies yarn_frequencies(const RopeParameters& rope, Frequencies frequencies) {
  const auto head_dim = static_cast<double>(2 * frequencies.size());
  double low = yarn_dimension(rope, head_dim, rope.beta_fast);
  double high = yarn_dimension(rope, head_dim, rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, head_dim - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double slow = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= slow / rope.factor + (1 - slow);
  }
  return frequencies;
}

double yarn_attention_factor(const RopeParameters& rope) {
  if (rope.attention_factor) return *rope.attention_factor;
  const auto scale = [&](double mscale) {
    return rope.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(rope.factor) + 1;
  };
  const double mscale = rope.mscale.value_or(0), all_dim = rope.mscale_all_dim.value_or(0);
  return mscale != 0 && all_dim != 0 ? scale(mscale) / scale(all_dim) : scale(1);
}

// The base grows with the part of the sequence that is beyond the trained length.
double dynamic_theta(const RopeParameters& rope, std::int64_t head_dim, std::int64_t length) {
  const double ratio =
      static_cast<double>(length) / static_cast<double>(rope.max_position_embeddings);
  const auto D = static_cast<double>(head_dim);
  return rope.theta * std::pow(rope.factor * ratio - (rope.factor - 1), D / (D - 2));
}

std::string known_types() {
  std::string known;
  for (const char* type : kTypes) known += fmt::format("{}{}", known.empty() ? "" : ", ", type);
  return known;
}

void require_whole_rotation(const JsonFields& fields) {
  if (fields.value_or("partial_rotary_factor", 1.0) != 1) {
    fields.fail("partial_rotary_factor is not supported");
  }
}

void read_scaling(const JsonFields& fields, const JsonFields& config, RopeParameters& rope) {
  rope.type =
      fields.value_or<std::string>("rope_type", fields.value_or<std::string>("type", "default"));
  if (std::ranges::find(kTypes, rope.type) == std::end(kTypes)) {
    fields.fail(
        fmt::format("rope_type \"{}\" is not supported (known: {})", rope.type, known_types()));
  }
  rope.theta = fields.positive<double>("rope_theta", rope.theta);
  require_whole_rotation(fields);
  if (rope.type == "default") return;
  // DeepSeek's spelling of the older file: the length outside of the scaling's members.
  rope.original_max_position_embeddings = config.positive<std::int64_t>(
      "original_max_position_embeddings",
      fields.positive<std::int64_t>("original_max_position_embeddings",
                                    rope.max_position_embeddings));
  const double ratio = static_cast<double>(rope.max_position_embeddings) /
                       static_cast<double>(rope.original_max_position_embeddings);
  rope.factor = rope.type == "yarn" ? fields.positive<double>("factor", ratio)
                                    : fields.positive<double>("factor");
}

void read_yarn(const JsonFields& fields, RopeParameters& rope) {
  rope.attention_factor = fields.optional<double>("attention_factor");
  rope.mscale = fields.optional<double>("mscale");
  rope.mscale_all_dim = fields.optional<double>("mscale_all_dim");
  rope.beta_fast = fields.positive<double>("beta_fast", rope.beta_fast);
  rope.beta_slow = fields.positive<double>("beta_slow", rope.beta_slow);
  rope.truncate = fields.value_or("truncate", true);
}

}  // namespace

RopeParameters RopeParameters::parse(const JsonFields& config,
                                     std::int64_t max_position_embeddings) {
  RopeParameters rope;
  rope.theta = config.positive<double>("rope_theta", rope.theta);
  rope.max_position_embeddings = max_position_embeddings;
  rope.original_max_position_embeddings = max_position_embeddings;
  require_whole_rotation(config);
  // An empty object counts as none.
  const bool older = config.has("rope_scaling") && !config.at("rope_scaling").empty();
  const char* key = older ? "rope_scaling" : "rope_parameters";
  if (!config.has(key)) return rope;
  const JsonFields fields = config.nested(key);
  for (const char* layer_type : {"full_attention", "sliding_attention"}) {
    if (fields.has(layer_type)) fields.fail("settings by layer type are not supported");
  }
  read_scaling(fields, config, rope);
  if (rope.type == "yarn") read_yarn(fields, rope);
  if (rope.type == "llama3") {
    rope.low_freq_factor = fields.positive<double>("low_freq_factor");
    rope.high_freq_factor = fields.positive<double>("high_freq_factor");
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      fields.fail(fmt::format("high_freq_factor {} is not above low_freq_factor {}",
                              rope.high_freq_factor, rope.low_freq_factor));
    }
  }
  return rope;
}

std::shared_ptr<RotaryEmbedding> make_rotary_embedding(const RopeParameters& rope,
                                                       std::int64_t head_dim) {
  if (rope.type == "dynamic") {
    return std::make_shared<RotaryEmbedding>(rope.max_position_embeddings,
                                             [rope, head_dim](std::int64_t length) {
                                               return RotaryEmbedding::default_frequencies(
                                                   head_dim, dynamic_theta(rope, head_dim, length));
                                             });
  }
  Frequencies frequencies = RotaryEmbedding::default_frequencies(head_dim, rope.theta);
  if (rope.type == "linear") {
    for (double& frequency : frequencies) frequency /= rope.factor;
  }
  if (rope.type == "llama3") frequencies = llama3_frequencies(rope, std::move(frequencies));
  if (rope.type != "yarn") return std::make_shared<RotaryEmbedding>(std::move(frequencies));
  return std::make_shared<RotaryEmbedding>(yarn_frequencies(rope, std::move(frequencies)),
                                           yarn_attention_factor(rope));
}

}  // namespace gladius
