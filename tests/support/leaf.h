// Variables that require a gradient.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius::testing {

/// A leaf of shape {values.size()}.
inline Variable leaf(const std::vector<double>& values) {
  return Variable(Tensor::from(values, {static_cast<std::int64_t>(values.size())}), true);
}

}  // namespace gladius::testing
