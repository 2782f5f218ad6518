#include "gladius/models/generation/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace gladius {
namespace {

constexpr double kExcluded = -std::numeric_limits<double>::infinity();

std::vector<double> penalized(std::span<const float> logits, std::span<const std::int32_t> previous,
                              double penalty) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (penalty == 1) return scores;
  for (const std::int32_t id : std::unordered_set<std::int32_t>(previous.begin(), previous.end())) {
    if (id < 0 || id >= std::ssize(scores)) continue;
    double& score = scores[static_cast<std::size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}

void keep_top_k(std::vector<double>& scores, std::int64_t k) {
  if (k <= 0 || k >= std::ssize(scores)) return;
  std::vector<double> sorted = scores;
  std::ranges::nth_element(sorted, sorted.begin() + (k - 1), std::greater<>());
  const double last = sorted[static_cast<std::size_t>(k - 1)];
  for (double& score : scores) {
    if (score < last) score = kExcluded;
  }
}

// Makes probabilities of scores.
void softmax(std::vector<double>& values) {
  const double largest = std::ranges::max(values);
  for (double& x : values) x = std::exp(x - largest);
  const double sum = std::reduce(values.begin(), values.end());
  for (double& x : values) x /= sum;
}

// Removes the least likely tokens that together have at most 1 - top_p, and makes the rest sum to
// 1.
void keep_top_p(std::vector<double>& probabilities, double top_p) {
  if (top_p >= 1) return;
  // Tokens this unlikely are removed all together, so that only the others need sorting.
  const double negligible = (1 - top_p) / static_cast<double>(probabilities.size());
  std::vector<std::size_t> order;
  double removed = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] >= negligible) {
      order.push_back(i);
    } else {
      removed += std::exchange(probabilities[i], 0.0);
    }
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return probabilities[i]; });
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    removed += probabilities[order[i]];
    if (removed > 1 - top_p) break;
    probabilities[order[i]] = 0;
  }
  const double sum = std::reduce(probabilities.begin(), probabilities.end());
  for (double& p : probabilities) p /= sum;
}

// The first of the largest logits, all of which have to be numbers.
std::int32_t likeliest(std::span<const float> logits) {
  if (logits.empty()) throw ShapeError("sampling: no logits");
  float largest = -std::numeric_limits<float>::infinity();
  std::size_t at = 0;
  bool nan = false;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    nan = nan || std::isnan(logits[i]);
    if (logits[i] > largest) {
      largest = logits[i];
      at = i;
    }
  }
  if (nan || !std::isfinite(largest)) {
    throw Error("sampling: the logits are NaN or infinite; the model's weights are broken");
  }
  return static_cast<std::int32_t>(at);
}

}  // namespace

void check_sampling_options(const SamplingOptions& options) {
  const auto require = [](bool holds, const char* name, double value, const char* range) {
    if (!holds)
      throw ConfigError(fmt::format("sampling: {} is {}; it must be {}", name, value, range));
  };
  require(options.greedy || (options.temperature > 0 && std::isfinite(options.temperature)),
          "temperature", options.temperature, "above 0 (use greedy for the most likely token)");
  require(options.top_k >= 0, "top_k", static_cast<double>(options.top_k), "0 (off) or more");
  require(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "above 0 and at most 1");
  require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
          "repetition_penalty", options.repetition_penalty, "above 0");
}

std::vector<double> next_token_probabilities(std::span<const float> logits,
                                             std::span<const std::int32_t> previous,
                                             const SamplingOptions& options) {
  check_sampling_options(options);
  likeliest(logits);
  std::vector<double> scores = penalized(logits, previous, options.repetition_penalty);
  if (options.greedy) {
    std::vector<double> probabilities(scores.size());
    probabilities[static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin())] = 1;
    return probabilities;
  }
  for (double& score : scores) score /= options.temperature;
  keep_top_k(scores, options.top_k);
  softmax(scores);
  keep_top_p(scores, options.top_p);
  return scores;
}

std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> previous,
                    const SamplingOptions& options, Generator& generator) {
  if (options.greedy && options.repetition_penalty == 1) return likeliest(logits);
  const std::vector<double> probabilities = next_token_probabilities(logits, previous, options);
  double rest = options.greedy ? 0 : generator.uniform();
  std::int32_t chosen = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] == 0) continue;
    chosen = static_cast<std::int32_t>(i);  // the last possible one, should rounding leave a rest
    rest -= probabilities[i];
    if (rest < 0) break;
  }
  return chosen;
}

}  // namespace gladius
