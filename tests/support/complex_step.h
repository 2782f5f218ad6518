// Derivatives of a scalar reference to the last digit: F'(x) = Im F(x + ih) / h (Squire & Trapp
// 1998).
#pragma once

#include <complex>
#include <cstddef>
#include <vector>

namespace gladius::testing {

using Complex = std::complex<double>;

/// d f / d x[i] for every i; f takes a vector of Complex and returns one. Subtracts nothing, so the
/// step can be tiny. f must be analytic: comparisons by real parts, no abs.
template <class F>
std::vector<double> complex_step_gradient(F&& f, const std::vector<double>& x) {
  constexpr double h = 1e-40;
  std::vector<Complex> at(x.begin(), x.end());
  std::vector<double> gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    at[i] += Complex(0, h);
    gradient[i] = Complex(f(at)).imag() / h;
    at[i] = x[i];
  }
  return gradient;
}

}  // namespace gladius::testing
