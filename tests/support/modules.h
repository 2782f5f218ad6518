// Modules with random weights.
#pragma once

#include <string>

#include "gladius/nn/module.h"
#include "support/random.h"

namespace gladius::testing {

/// Gives every parameter random values in F64 that require gradients.
inline void randomise(Rng& rng, nn::Module& module) {
  NamedTensors state;
  for (const auto& [name, parameter] : module.named_parameters()) {
    state.emplace_back(name, random_tensor(rng, parameter.shape()));
  }
  module.load_state_dict(state);
  module.set_requires_grad(true);
}

inline Variable parameter(const nn::Module& module, const std::string& name) {
  for (const auto& [known, variable] : module.named_parameters()) {
    if (known == name) return variable;
  }
  throw Error("no parameter " + name);
}

}  // namespace gladius::testing
