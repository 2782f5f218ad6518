// Operands of products with quantised weights, and what the products are in float64.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "gladius/tensor/kernels/block_rests.h"
#include "gladius/tensor/quantized.h"
#include "support/blocks.h"
#include "support/random.h"

namespace gladius::testing {

struct BlockSizes {
  std::int64_t m, n, blocks;
};

/// Weights [n, k] of a type and m rows of x, with gaps between the rows of x and of y.
struct BlockOperands {
  BlockOperands(BlockSizes sizes, Tensor weights)
      : dtype(weights.dtype()),
        m(sizes.m),
        n(sizes.n),
        k(sizes.blocks * block_elements(weights.dtype())),
        w(std::move(weights)),
        numbers(dequantize(w).to_vector<float>()),
        x(static_cast<std::size_t>(m * k)) {}

  /// `kernel` is block_gemv or block_gemm.
  template <class Kernel>
  std::vector<float> products(Kernel kernel) const {
    return products(kernel, 0, m);
  }
  /// Of `count` rows of x from `first` on.
  template <class Kernel>
  std::vector<float> products(Kernel kernel, std::int64_t first, std::int64_t count) const {
    const std::int64_t x_stride = k + 3, y_stride = n + 5;
    std::vector<float> rows(static_cast<std::size_t>(count * x_stride), std::nanf(""));
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(x.begin() + (first + i) * k, k, rows.begin() + i * x_stride);
    }
    std::vector<float> y(static_cast<std::size_t>(count * y_stride), 7);
    kernel(dtype, count, n, k, rows.data(), x_stride, w.raw_data(),
           static_cast<std::int64_t>(w.nbytes()) / n, y.data(), y_stride);
    std::vector<float> dense;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = y.begin() + i * y_stride;
      dense.insert(dense.end(), row, row + n);
      EXPECT_EQ(std::vector<float>(row + n, row + y_stride), std::vector<float>(5, 7));
    }
    return dense;
  }

  /// The sum of f(x, weight) over the terms of y[i, j].
  template <class F>
  double over_terms(std::int64_t i, std::int64_t j, F f) const {
    double sum = 0;
    for (std::int64_t at = 0; at < k; ++at) {
      sum += f(double{x[static_cast<std::size_t>(i * k + at)]},
               double{numbers[static_cast<std::size_t>(j * k + at)]});
    }
    return sum;
  }
  double exact(std::int64_t i, std::int64_t j) const {
    return over_terms(i, j, [](double a, double b) { return a * b; });
  }
  /// What the sum's own terms make of a relative error in each.
  double size(std::int64_t i, std::int64_t j) const {
    return over_terms(i, j, [](double a, double b) { return std::abs(a * b); });
  }
  /// What they make of an error of 1 / steps of the largest of each `group` numbers of x, and of
  /// less than that of outliers (block_rests.h).
  double error_of_groups(std::int64_t i, std::int64_t j, std::int64_t group, double steps) const {
    std::vector<double> most, weights;
    for (std::int64_t begin = 0; begin < k; begin += group) {
      most.push_back(0), weights.push_back(0);
      for (std::int64_t at = begin; at < begin + group; ++at) {
        most.back() =
            std::max(most.back(), std::abs(double{x[static_cast<std::size_t>(i * k + at)]}));
        weights.back() += std::abs(double{numbers[static_cast<std::size_t>(j * k + at)]});
      }
    }
    if (most.empty()) return 0;
    std::vector<double> sorted = most;
    std::ranges::sort(sorted);
    const double outlier = 1.001 * kernels::kOutlier * sorted[sorted.size() / 2];
    double sum = 0;
    for (std::size_t g = 0; g < most.size(); ++g) {
      sum += (most[g] > outlier ? most[g] / steps : most[g]) * weights[g] / steps;
    }
    return sum;
  }

  Dtype dtype;
  std::int64_t m, n, k;
  Tensor w;
  std::vector<float> numbers, x;
};

/// With random weights; fill(x) writes x.
template <class Fill>
BlockOperands random_operands(Rng& rng, Dtype dtype, BlockSizes sizes, Fill fill) {
  BlockOperands made(sizes,
                     random_blocks(rng, {sizes.n, sizes.blocks * block_elements(dtype)}, dtype));
  fill(made.x);
  return made;
}

}  // namespace gladius::testing
