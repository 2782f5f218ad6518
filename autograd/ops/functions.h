// Functions of one variable, element by element; differentiable any number of times.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable sqrt(const Variable& x);
/// 1 / sqrt(x).
Variable rsqrt(const Variable& x);
Variable tanh(const Variable& x);
Variable sigmoid(const Variable& x);
/// x * sigmoid(x), also called swish.
Variable silu(const Variable& x);
/// x * Phi(x) with the normal distribution function Phi, the exact form (Hendrycks & Gimpel 2016).
Variable gelu(const Variable& x);
/// max(x, 0); the gradient at 0 is 0, and 1 at NaN, as in PyTorch.
Variable relu(const Variable& x);
/// |x|; the gradient at 0 and at NaN is 0.
Variable abs(const Variable& x);
/// Limits to [low, high]; the gradient passes where low <= x <= high.
Variable clamp(const Variable& x, double low, double high);

}  // namespace gladius
