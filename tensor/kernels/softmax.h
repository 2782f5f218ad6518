// Softmax and its logarithm along rows.
#pragma once

#include <cstdint>

namespace gladius::kernels {

// x, y, dy, dx: [rows, n], contiguous; T is float or double. y may be x, and dx may be y or dy.
// Entries may be -infinity (masked). A row of nothing else gives NaN, as PyTorch's.

/// y = exp(x - max) / sum(exp(x - max)).
template <class T>
void softmax(const T* x, T* y, std::int64_t rows, std::int64_t n);
/// dx = y * (dy - sum(y * dy)), for y = softmax(x).
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n);

/// y = x - logsumexp(x).
template <class T>
void log_softmax(const T* x, T* y, std::int64_t rows, std::int64_t n);
/// dx = dy - exp(y) * sum(dy), for y = log_softmax(x).
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n);

/// out[r] = log(sum(exp(x[r]))); -infinity for a row of nothing else. out: [rows].
template <class T>
void logsumexp(const T* x, T* out, std::int64_t rows, std::int64_t n);

}  // namespace gladius::kernels
