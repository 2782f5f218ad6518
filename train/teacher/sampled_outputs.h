// A teacher's distributions as tokens drawn from them (Anshumann et al. 2025, arXiv:2503.16870).
//
// How often a token was drawn, by the number of draws, is an unbiased estimate of its probability,
// and so the gradient of a divergence from it is one of the gradient of the divergence from the
// whole. The largest K logits are not: what they leave out is never made up for.
#pragma once

#include <cstdint>
#include <span>

#include "gladius/tensor/tensor.h"

namespace gladius::train {

struct SamplingOptions {
  std::int64_t count = 0;  // draws a token, with replacement
  double temperature = 1;  // of the distributions
  std::uint64_t seed = 0;
};

/// Draws of a teacher's outputs for one example, by counter-based random numbers: each is a
/// function of the seed, the example's tokens, the token's place and the draw.
class OutputSampler {
 public:
  OutputSampler(const SamplingOptions& options, std::span<const std::int64_t> ids);

  /// F32 numbers a token: log P of the example's next token (0 behind the last), and the ids of the
  /// draws, bit for bit. P = softmax(logits / temperature).
  static std::int64_t width(const SamplingOptions& options) { return options.count + 1; }
  /// Of the rows of logits [n, V], the first of which is `begin`; changes them. To rows of `out`.
  void draw(const Tensor& logits, std::int64_t begin, const Tensor& out) const;

 private:
  double uniform(std::int64_t row, std::int64_t index) const;
  void draw_row(float* logits, std::int64_t V, std::int64_t row, float* out) const;

  SamplingOptions options_;
  std::span<const std::int64_t> ids_;
  std::uint64_t key_;
};

/// An entry of a vocabulary of V that a cache holds, bit for bit. FormatError for what is none: the
/// sums of a file are no proof of what wrote it.
std::int32_t cached_entry(float bits, std::int64_t V);

/// Logits [n, V] whose softmax at the temperature is how often each token was drawn in the rows
/// [n, width]; NaN where the teacher's logits were. FormatError for a token outside of V.
Tensor logits_of_draws(const Tensor& rows, std::int64_t V, const SamplingOptions& options);

}  // namespace gladius::train
