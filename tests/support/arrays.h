// Arrays for kernel tests: random, off the vectors' alignment, compared with tolerances.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace gladius::testing {

/// n elements one element past the allocator's alignment, with nothing allocated behind them.
template <class T>
class OffsetArray {
 public:
  explicit OffsetArray(std::size_t n, T value = T{}) : elements_(n + 1, value) {}
  template <class U>
  explicit OffsetArray(const std::vector<U>& values) : elements_(values.size() + 1) {
    for (std::size_t i = 0; i < values.size(); ++i) (*this)[i] = static_cast<T>(values[i]);
  }

  T* data() { return elements_.data() + 1; }
  const T* data() const { return elements_.data() + 1; }
  std::size_t size() const { return elements_.size() - 1; }
  T& operator[](std::size_t i) { return elements_[i + 1]; }
  T operator[](std::size_t i) const { return elements_[i + 1]; }
  /// The elements as the reference takes them: T's values, converted.
  template <class U = double>
  std::vector<U> to() const {
    return std::vector<U>(elements_.begin() + 1, elements_.end());
  }

 private:
  std::vector<T> elements_;
};

/// Normally distributed elements.
template <class T>
OffsetArray<T> random_array(std::mt19937_64& random, std::size_t n, double scale = 1) {
  std::normal_distribution<double> normal(0, scale);
  OffsetArray<T> array(n);
  for (std::size_t i = 0; i < n; ++i) array[i] = static_cast<T>(normal(random));
  return array;
}

/// The tolerance of kernels in T: a few roundings.
template <class T>
constexpr double kernel_tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;

/// Each |actual - expected| <= tolerance * (|expected| + root mean square of the finite expected)
/// + rounding; NaNs and infinities equal.
template <class A, class E>
void expect_close(const A& actual, const E& expected, double tolerance, double rounding = 0) {
  ASSERT_EQ(actual.size(), expected.size());
  double squares = 0, finite = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto e = static_cast<double>(expected[i]);
    if (std::isfinite(e)) squares += e * e, ++finite;
  }
  const double typical = finite > 0 ? std::sqrt(squares / finite) : 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto a = static_cast<double>(actual[i]);
    const auto e = static_cast<double>(expected[i]);
    if (std::isnan(e)) {
      ASSERT_TRUE(std::isnan(a)) << "element " << i << " is " << a << ", expected NaN";
    } else if (std::isinf(e)) {
      ASSERT_EQ(a, e) << "element " << i;
    } else {
      ASSERT_LE(std::abs(a - e), tolerance * (std::abs(e) + typical) + rounding)
          << "element " << i << " of " << expected.size() << " is " << a << ", expected " << e;
    }
  }
}

}  // namespace gladius::testing
