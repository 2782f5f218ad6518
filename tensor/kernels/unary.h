// Functions of one variable, element by element.
#pragma once

#include <cstdint>

namespace gladius::kernels {

// y[i] = f(x[i]), i < n; y may be x; T is float or double. Limits and NaN are those of <cmath>.

template <class T>
void exp(const T* x, T* y, std::int64_t n);
/// The natural logarithm.
template <class T>
void log(const T* x, T* y, std::int64_t n);
template <class T>
void tanh(const T* x, T* y, std::int64_t n);
/// 1 / (1 + exp(-x)).
template <class T>
void sigmoid(const T* x, T* y, std::int64_t n);
/// x / (1 + exp(-x)).
template <class T>
void silu(const T* x, T* y, std::int64_t n);
/// x * Phi(x) with the normal distribution's Phi, exact (Hendrycks & Gimpel 2016,
/// arXiv:1606.08415).
template <class T>
void gelu(const T* x, T* y, std::int64_t n);
/// Its derivative; NaN at the infinities, as PyTorch's.
template <class T>
void gelu_slope(const T* x, T* y, std::int64_t n);
template <class T>
void sqrt(const T* x, T* y, std::int64_t n);
/// 1 / sqrt(x).
template <class T>
void rsqrt(const T* x, T* y, std::int64_t n);

}  // namespace gladius::kernels
