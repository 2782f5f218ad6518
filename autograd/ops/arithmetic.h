// Elementwise arithmetic on variables, broadcast by NumPy's rules; differentiable any number of
// times.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
Variable add(const Variable& x, double value);
Variable mul(const Variable& x, double value);
Variable neg(const Variable& x);
Variable pow(const Variable& x, double exponent);
/// Where both are equal, each gets half of the gradient, as in PyTorch.
Variable maximum(const Variable& a, const Variable& b);
Variable minimum(const Variable& a, const Variable& b);
/// a where `condition` (BOOL) holds, else b.
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Variable& x, double value) { return add(x, value); }
inline Variable operator*(const Variable& x, double value) { return mul(x, value); }
inline Variable operator*(double value, const Variable& x) { return mul(x, value); }
inline Variable operator-(const Variable& x) { return neg(x); }

}  // namespace gladius
