// Gradients at a glance, for tests, logs and the search for what is wrong.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// Of the elements that are not NaN; in double.
struct GradientStatistics {
  double norm = 0;        // the Euclidean norm
  double mean = 0;        // 0 without elements
  double largest = 0;     // the largest absolute value
  double zeros = 0;       // the share of exact zeros, of all elements
  std::int64_t nans = 0;  // how many are NaN
};

/// Of any floating-point tensor.
GradientStatistics gradient_statistics(const Tensor& gradient);

using NamedGradientStatistics = std::vector<std::pair<std::string, GradientStatistics>>;

/// Of each parameter that has a gradient, by name: gradient_statistics(model.named_parameters()).
NamedGradientStatistics gradient_statistics(const NamedVariables& parameters);

/// A table to print, one line a parameter.
std::string format_table(const NamedGradientStatistics& statistics);

}  // namespace gladius
