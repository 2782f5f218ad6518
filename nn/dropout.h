// Dropout as a layer.
#pragma once

#include "gladius/nn/module.h"
#include "gladius/tensor/random.h"

namespace gladius::nn {

/// dropout(x, p) while training (Module::train), x itself otherwise.
class Dropout : public Module {
 public:
  /// The generator must outlive the layer. Error for a p outside of [0, 1].
  explicit Dropout(double p, Generator& generator = default_generator());
  Variable forward(const Variable& x) const;

 private:
  double p_;
  Generator& generator_;
};

}  // namespace gladius::nn
