// Layer normalization (Ba et al. 2016, arXiv:1607.06450) along rows.
#pragma once

#include <cstdint>

namespace gladius::kernels {

// x, y, dy, dx: [rows, C], contiguous; weight, bias, dweight, dbias: [C]; mean, inv_std: [rows]; T
// is float or double.

/// mean[r] of x[r], inv_std[r] = 1 / sqrt(mean((x[r] - mean[r])^2) + eps),
/// y = n * weight + bias with n = (x - mean) * inv_std. y may be x. Reads x three times, twice from
/// the cache.
template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, T* y, T* mean, T* inv_std,
                std::int64_t rows, std::int64_t C, double eps);
/// With d = weight * dy: dx = inv_std * (d - mean(d) - n * mean(d * n)), written over dx, which may
/// be dy; dweight += sum over the rows of dy * n; dbias += sum over the rows of dy. Each may be
/// null.
template <class T>
void layer_norm_backward(const T* x, const T* weight, const T* mean, const T* inv_std, const T* dy,
                         T* dx, T* dweight, T* dbias, std::int64_t rows, std::int64_t C);

}  // namespace gladius::kernels
