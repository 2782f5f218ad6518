// The gradient of a model by its parts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius::train {

/// A model's parts: each layer ("layers.3", of "model.layers.3.mlp.up_proj.weight"), and each
/// parameter outside of them ("embed_tokens", "norm", "lm_head").
class GradientParts {
 public:
  explicit GradientParts(const NamedVariables& parameters);

  /// Each part and the 2-norm of its gradient, in the parameters' order. `squares`: of each
  /// parameter the sum of the squares of its gradient (gradient_squares).
  std::vector<std::pair<std::string, double>> norms(const std::vector<double>& squares) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::size_t> part_of_;  // of each parameter
};

}  // namespace gladius::train
