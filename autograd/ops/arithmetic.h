// Elementwise arithmetic on variables, broadcast by NumPy's rules; differentiable any number of
// times.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
/// a to the power of b. PyTorch's conventions: at a base of 0 the gradient of b is 0 where b >= 0;
/// that of a base that is 0 or NaN is 0 where b is 0.
Variable pow(const Variable& a, const Variable& b);
/// Where both are equal, each gets half of the gradient, as in PyTorch.
Variable maximum(const Variable& a, const Variable& b);
Variable minimum(const Variable& a, const Variable& b);
/// a where `condition` (BOOL) holds, else b.
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

// With a number on one side, rounded to the variable's type.
Variable add(const Variable& x, double value);
Variable sub(const Variable& x, double value);
Variable sub(double value, const Variable& x);
Variable mul(const Variable& x, double value);
Variable div(const Variable& x, double value);
Variable div(double value, const Variable& x);
/// The gradient is 0 for an exponent of 0.
Variable pow(const Variable& x, double exponent);
Variable pow(double base, const Variable& x);
Variable neg(const Variable& x);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Variable& x, double value) { return add(x, value); }
inline Variable operator+(double value, const Variable& x) { return add(x, value); }
inline Variable operator-(const Variable& x, double value) { return sub(x, value); }
inline Variable operator-(double value, const Variable& x) { return sub(value, x); }
inline Variable operator*(const Variable& x, double value) { return mul(x, value); }
inline Variable operator*(double value, const Variable& x) { return mul(x, value); }
inline Variable operator/(const Variable& x, double value) { return div(x, value); }
inline Variable operator/(double value, const Variable& x) { return div(value, x); }
inline Variable operator-(const Variable& x) { return neg(x); }

}  // namespace gladius
