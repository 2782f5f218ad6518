// Random zeros.
#pragma once

#include "gladius/autograd/variable.h"
#include "gladius/tensor/random.h"

namespace gladius {

/// Each element of x is 0 with probability p and x / (1 - p) otherwise, so that its expectation
/// stays ("inverted" dropout; Srivastava et al. 2014). x itself if not `training`; all zeros for a
/// p of 1. Which elements depends on the generator's state alone, not on the threads. Error for a
/// p outside of [0, 1]. Differentiable any number of times.
Variable dropout(const Variable& x, double p, Generator& generator = default_generator(),
                 bool training = true);

}  // namespace gladius
