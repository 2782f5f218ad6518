// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): less memory for a second forward.
#pragma once

#include <functional>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// function(inputs), without keeping what its operations save for their backward passes: the first
/// backward node that needs a saved value reruns `function`, and each value is freed when its
/// operation is done. The result works as without checkpoint (backward, grad, double backward,
/// hooks, parameters that `function` captures, checkpoints within), and gradients are the same to
/// the bit.
///
/// `function` must do the same each time; the default generator (dropout) is put back for the
/// second run. What it captures by reference must live as long as the graph. GraphError in the
/// backward pass if an input was modified in place, or if the second run saves something else.
Variable checkpoint(std::function<Variable(const std::vector<Variable>&)> function,
                    const std::vector<Variable>& inputs);

}  // namespace gladius
