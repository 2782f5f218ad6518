// Elementwise operations on tensors, with broadcasting. No gradients (see autograd/ops/).
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

// Arithmetic of two tensors of one type, F32 or F64, broadcast against each other (NumPy's rules).
// ShapeError or DtypeError naming the operation otherwise. Results are contiguous.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
/// Elementwise; NaN where either is NaN, as PyTorch's.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

Tensor add(const Tensor& x, double value);
Tensor mul(const Tensor& x, double value);
/// x to the power of `exponent`.
Tensor pow(const Tensor& x, double exponent);
/// Elementwise `base` to the power of `exponent`; NaN for a fractional power of a negative base.
Tensor pow(const Tensor& base, const Tensor& exponent);

// Functions of one F32 or F64 tensor.
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
/// -1, 0 or 1; 0 for NaN, as PyTorch's.
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
/// x * sigmoid(x).
Tensor silu(const Tensor& x);
/// x * Phi(x) with the normal distribution function Phi, exact.
Tensor gelu(const Tensor& x);
/// The derivative of gelu.
Tensor gelu_slope(const Tensor& x);
Tensor relu(const Tensor& x);
/// The error function.
Tensor erf(const Tensor& x);
/// Limits to [low, high]; NaN stays NaN.
Tensor clamp(const Tensor& x, double low, double high);

// Comparisons give BOOL tensors; any two tensors of one type. NaN is unequal to everything.
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
/// Where both hold, of BOOL tensors.
Tensor logical_and(const Tensor& a, const Tensor& b);
/// a where `condition` (BOOL) holds, else b; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// In place; the target's shape stays. Error if the target is read-only or expanded.
/// x += alpha * y, y broadcast to x.
void add_(Tensor& x, const Tensor& y, double alpha = 1.0);
/// x *= value.
void mul_(Tensor& x, double value);

}  // namespace gladius
