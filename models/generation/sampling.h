// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gladius/tensor/random.h"

namespace gladius {

/// Applied in the order of transformers' processors: penalty, temperature, top-k, top-p.
struct SamplingOptions {
  /// The most likely token (after the penalty) instead of a random one.
  bool greedy = false;
  double temperature = 1;
  /// Keeps the k most likely tokens (and those equal to the last of them); 0: all.
  std::int64_t top_k = 0;
  /// Keeps the most likely tokens that together have this probability (Holtzman et al. 2019,
  /// arXiv:1904.09751); 1: all.
  double top_p = 1;
  /// Divides the positive logits of tokens seen before and multiplies the negative ones (Keskar et
  /// al. 2019, arXiv:1909.05858).
  double repetition_penalty = 1;
};

/// ConfigError naming the option that is out of its range.
void check_sampling_options(const SamplingOptions& options);

/// The probabilities that the next token is drawn from, [V], after the tokens `previous`. Error for
/// logits without a finite largest one.
std::vector<double> next_token_probabilities(std::span<const float> logits,
                                             std::span<const std::int32_t> previous,
                                             const SamplingOptions& options);

/// The next token: the first of the most likely ones if greedy, else one drawn with `generator`.
std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> previous,
                    const SamplingOptions& options, Generator& generator);

}  // namespace gladius
