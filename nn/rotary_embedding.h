// The angles of rotary position embeddings.
#pragma once

#include <functional>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius::nn {

/// The rotation of a pass's tokens [...]: cos and sin [N, D/2] of their angles, one row a token,
/// and the row of each token, I64 [...]. Computed once a pass and shared by its layers.
struct Rotation {
  Tensor cos, sin;
  Tensor rows;
};

/// x [..., H, D] over tokens [...], each rotated by its angles.
Variable rotate(const Variable& x, const Rotation& rotation);

/// Gives the angles position * frequency. The frequencies are theta^(-2i/D) (Su et al. 2021,
/// arXiv:2104.09864) or given ones (scaled variants). Nothing changes after construction, so
/// several threads can use one.
class RotaryEmbedding {
 public:
  RotaryEmbedding(std::int64_t head_dim, double theta);
  /// `frequencies`, D/2 of them; cos and sin are multiplied by `attention_scaling`.
  explicit RotaryEmbedding(std::vector<double> frequencies, double attention_scaling = 1);
  /// Frequencies that change with the sequence's length once it is past `fixed_length` positions.
  RotaryEmbedding(std::int64_t fixed_length,
                  std::function<std::vector<double>(std::int64_t length)> frequencies);

  /// Of the tokens at `positions` (I64 or I32 [...]), in a floating-point type. ShapeError for a
  /// position that is negative or 2^31 and more.
  Rotation rotation(const Tensor& positions, Dtype dtype) const;
  /// x [..., H, D] rotated by `positions` [...].
  Variable forward(const Variable& x, const Tensor& positions) const;
  /// theta^(-2i/D) for i < D/2.
  static std::vector<double> default_frequencies(std::int64_t head_dim, double theta);

 private:
  std::function<std::vector<double>(std::int64_t length)> frequencies_;
  std::int64_t fixed_length_;
  double attention_scaling_;
};

}  // namespace gladius::nn
