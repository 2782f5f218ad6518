// The gated linear unit of Llama's feed-forward block (Shazeer 2020, arXiv:2002.05202).
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// silu(gate) * up for two of one shape [..., F] and one type (ShapeError or DtypeError otherwise).
/// Fused; differentiable any number of times.
Variable swiglu(const Variable& gate, const Variable& up);
/// Within NoGrad the result takes the memory of an exclusive gate: of a long text gate, up and
/// their product are most of what a forward pass needs beside the weights.
Variable swiglu(Variable&& gate, const Variable& up);

}  // namespace gladius
