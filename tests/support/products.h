// What the tests of matrix products share: the definition.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace gladius::testing {

/// Checks c [m, n], rows `ldc` apart, against the sums over p < k of left(i, p) * right(p, j), and
/// before's elements with `accumulate`, to a few roundings; what lies between the rows must be as
/// before. The matrices may be of any type with operator[].
template <class T, class C, class Before, class Left, class Right>
void expect_product(std::int64_t m, std::int64_t n, std::int64_t k, Left left, Right right,
                    const C& c, const Before& before, std::int64_t ldc, bool accumulate) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < ldc; ++j) {
      const auto at = static_cast<std::size_t>(i * ldc + j);
      if (j >= n) {
        ASSERT_EQ(c[at], before[at]) << "between rows, at " << i << ", " << j;
        continue;
      }
      double sum = accumulate ? before[at] : 0, magnitude = std::abs(sum);
      for (std::int64_t p = 0; p < k; ++p) {
        const double term = static_cast<double>(left(i, p)) * static_cast<double>(right(p, j));
        sum += term;
        magnitude += std::abs(term);
      }
      const double roundings = 4 * std::numeric_limits<T>::epsilon() * std::sqrt(k + 1.0);
      ASSERT_NEAR(c[at], sum, roundings * magnitude) << "at " << i << ", " << j;
    }
  }
}

}  // namespace gladius::testing
