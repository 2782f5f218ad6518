#include "gladius/models/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace gladius {
namespace {

using Frequencies = std::vector<double>;

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

}  // namespace

std::int64_t context_length(const RopeParameters& rope) {
  const bool extends = rope.type == "linear" || rope.type == "dynamic" || rope.type == "yarn";
  if (!extends) return rope.max_position_embeddings;
  const std::int64_t from =
      rope.type == "yarn" ? rope.original_max_position_embeddings : rope.max_position_embeddings;
  const double extended = std::min(static_cast<double>(from) * rope.factor, 0x1p53);
  return std::max(rope.max_position_embeddings, static_cast<std::int64_t>(extended));
}

Frequencies scaled_frequencies(const RopeParameters& rope, std::int64_t head_dim) {
  Frequencies frequencies = nn::RotaryEmbedding::default_frequencies(head_dim, rope.theta);
  if (rope.type == "linear") {
    for (double& frequency : frequencies) frequency /= rope.factor;
  }
  return rope.type == "llama3" ? llama3_frequencies(rope, std::move(frequencies)) : frequencies;
}

nn::RotaryEmbedding make_rotary_embedding(const RopeParameters& rope, std::int64_t head_dim) {
  if (rope.type == "dynamic") {
    return {rope.max_position_embeddings, [rope, head_dim](std::int64_t length) {
              return nn::RotaryEmbedding::default_frequencies(
                  head_dim, dynamic_theta(rope, head_dim, length));
            }};
  }
  Frequencies frequencies = scaled_frequencies(rope, head_dim);
  if (rope.type != "yarn") return nn::RotaryEmbedding(std::move(frequencies));
  return nn::RotaryEmbedding(yarn_frequencies(rope, std::move(frequencies)),
                             yarn_attention_factor(rope));
}

}  // namespace gladius
