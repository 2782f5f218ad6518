// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) in Hugging Face's layout, which
// rotates the pairs (i, i + D/2) of a head.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// Rotates each head of each token by the angles of its position p:
///   y[i]       = x[i] cos[p, i] - x[i + D/2] sin[p, i]
///   y[i + D/2] = x[i + D/2] cos[p, i] + x[i] sin[p, i],   i < D/2;
/// by the negative angles if `inverse`, which is the backward of the rotation.
/// x, y: tokens of H heads of D (even) elements, x_stride and y_stride elements apart; y may be x.
/// cos, sin: [max_positions, D/2]. positions: [tokens], each below max_positions. T: float or
/// double.
template <class T>
void rotary_embedding(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, const T* cos,
                      const T* sin, const std::int64_t* positions, std::int64_t tokens,
                      std::int64_t H, std::int64_t D, bool inverse);

}  // namespace gladius::kernels
