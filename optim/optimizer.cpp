#include "gladius/optim/optimizer.h"

namespace gladius {

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.zero_grad();
}

}  // namespace gladius
