// A picture of the graph.
#pragma once

#include <string>

#include "gladius/autograd/variable.h"

namespace gladius {

/// The graph above `output` in Graphviz's language (`dot -Tsvg`): a box for each leaf that requires
/// a gradient, with its name in `names` if it has one, an ellipse for each operation, both with
/// shape and type, and an edge for each way a gradient takes, from inputs to results. What needs no
/// gradient is not in the graph. GraphError if `output` needs none.
std::string graph_to_dot(const Variable& output, const NamedVariables& names = {});

}  // namespace gladius
