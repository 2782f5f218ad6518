// Logits as probabilities, in float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius::testing {

/// softmax(logits / T) of each row.
inline std::vector<std::vector<double>> softmax_rows(const Tensor& logits, double T) {
  std::vector<std::vector<double>> rows;
  for (std::int64_t i = 0; i < logits.size(0); ++i) {
    auto row = logits.select(0, i).to_vector<double>();
    double sum = 0;
    const double largest = std::ranges::max(row);
    for (double& x : row) sum += x = std::exp((x - largest) / T);
    for (double& x : row) x /= sum;
    rows.push_back(row);
  }
  return rows;
}

}  // namespace gladius::testing
