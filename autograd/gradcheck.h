// Gradients against finite differences.
#pragma once

#include <functional>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

using Function = std::function<Variable(const std::vector<Variable>&)>;

struct GradcheckOptions {
  double step = 1e-6;  // h of (f(x + h) - f(x - h)) / 2h
  double atol = 1e-6;
  double rtol = 1e-5;
};

/// Compares the gradients of `function` (any shape of result, weighted by a fixed pattern) with
/// central differences for every element of every input that requires one. Inputs are F64
/// (DtypeError). Throws GraphError naming the first element that is off by more than atol + rtol *
/// |difference|.
void gradcheck(const Function& function, const std::vector<Variable>& inputs,
               const GradcheckOptions& options = {});

/// The same for the gradients of the gradients.
void gradgradcheck(const Function& function, const std::vector<Variable>& inputs,
                   const GradcheckOptions& options = {});

}  // namespace gladius
