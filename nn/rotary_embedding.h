// The angles of rotary position embeddings.
#pragma once

#include <functional>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// Tables of cos and sin [positions, D/2] of position * frequency, grown as positions are asked
/// for. The frequencies are theta^(-2i/D) (Su et al. 2021, arXiv:2104.09864) or given ones (scaled
/// variants).
class RotaryEmbedding {
 public:
  RotaryEmbedding(std::int64_t head_dim, double theta);
  /// `frequencies`, D/2 of them; cos and sin are multiplied by `attention_scaling`.
  explicit RotaryEmbedding(std::vector<double> frequencies, double attention_scaling = 1);
  /// Frequencies that change with the sequence's length once it is past `fixed_length` positions.
  RotaryEmbedding(std::int64_t fixed_length,
                  std::function<std::vector<double>(std::int64_t length)> frequencies);

  /// x [..., H, D] rotated by `positions` (I64 [...]).
  Variable forward(const Variable& x, const Tensor& positions);
  /// theta^(-2i/D) for i < D/2.
  static std::vector<double> default_frequencies(std::int64_t head_dim, double theta);

 private:
  void grow(std::int64_t positions, Dtype dtype);

  std::function<std::vector<double>(std::int64_t length)> frequencies_;
  std::int64_t fixed_length_;
  double attention_scaling_;
  Tensor cos_, sin_;
  std::int64_t table_length_ = 0;  // what the frequencies of the tables were asked for
};

}  // namespace gladius
