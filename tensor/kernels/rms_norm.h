// Root mean square layer normalization (Zhang & Sennrich 2019, arXiv:1910.07467) along rows.
#pragma once

#include <cstdint>

namespace gladius::kernels {

// x, y, dy, dx: [rows, C], contiguous; weight, dweight: [C]; inv_rms: [rows]; T is float or double.

/// inv_rms[r] = 1 / sqrt(mean(x[r]^2) + eps), y = x * inv_rms * weight. y may be x.
template <class T>
void rms_norm(const T* x, const T* weight, T* y, T* inv_rms, std::int64_t rows, std::int64_t C,
              double eps);
/// dx = inv_rms * (weight * dy - x * inv_rms^2 * mean(weight * dy * x)), written over dx, which may
/// be dy; dweight += sum over the rows of dy * x * inv_rms. Either may be null.
template <class T>
void rms_norm_backward(const T* x, const T* weight, const T* inv_rms, const T* dy, T* dx,
                       T* dweight, std::int64_t rows, std::int64_t C);

}  // namespace gladius::kernels
