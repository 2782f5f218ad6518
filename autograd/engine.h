// The backward pass over a graph.
#pragma once

#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

struct EngineOptions {
  bool retain_graph = false;  // keep what the operations saved, for another pass
  bool create_graph = false;  // record the pass itself, so that gradients can be differentiated
};

/// Propagates the seeds (undefined: one, for outputs of one element) from `outputs`. Without
/// `inputs` gradients accumulate in the leaves and the list is empty; with them the gradients are
/// returned instead, and only what leads to an input is computed. GraphError names what
/// is wrong.
std::vector<Variable> run_engine(const std::vector<Variable>& outputs,
                                 const std::vector<Variable>& seeds,
                                 const std::vector<Variable>& inputs, const EngineOptions& options);

}  // namespace gladius
