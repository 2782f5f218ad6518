// The gated linear unit of Llama's feed-forward block (Shazeer 2020, arXiv:2002.05202).
#pragma once

#include <cstdint>

namespace gladius::kernels {

// Rows of F elements. Those of gate, up, dgate and dup are in_stride elements apart (they may be
// halves of one [rows, 2F] product), those of y and dy out_stride and dy_stride. T: float or
// double.

/// y = silu(gate) * up, silu(z) = z / (1 + exp(-z)). y may be gate or up if the strides are equal.
template <class T>
void swiglu(const T* gate, const T* up, T* y, std::int64_t rows, std::int64_t F,
            std::int64_t in_stride, std::int64_t out_stride);
/// dgate = dy * up * silu'(gate), dup = dy * silu(gate). dgate and dup may be gate and up.
template <class T>
void swiglu_backward(const T* gate, const T* up, const T* dy, T* dgate, T* dup, std::int64_t rows,
                     std::int64_t F, std::int64_t in_stride, std::int64_t dy_stride);

}  // namespace gladius::kernels
