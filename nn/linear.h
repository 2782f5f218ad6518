// A linear layer.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "gladius/autograd/ops/matmul.h"
#include "gladius/nn/module.h"

namespace gladius::nn {

/// x [..., in] -> x W^T + b [..., out], with `weight` [out, in] and, if wanted, `bias` [out].
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  Variable forward(const Variable& x) const;

  Variable weight;
  Variable bias;  // undefined without one

 protected:
  void reset_own_parameters(Generator& generator) override;
};

/// forward(x) of each of `layers`; in generation faster than one after another (linear_each).
template <class... Layers>
std::array<Variable, sizeof...(Layers)> forward_each(const Variable& x, const Layers&... layers) {
  std::vector<Variable> results =
      linear_each(x, std::array{LinearParameters{layers.weight, layers.bias}...});
  std::array<Variable, sizeof...(Layers)> array;
  std::ranges::move(results, array.begin());
  return array;
}

}  // namespace gladius::nn
