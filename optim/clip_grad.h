// Clipping of gradients by their norm.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// Of an F32 or F64 tensor, accumulated in double: the same for any number of threads.
double sum_of_squares(const Tensor& x);

/// Of each parameter's gradient; 0 where it has none.
std::vector<double> gradient_squares(const std::vector<Variable>& parameters);

struct ClippedNorm {
  double norm;   // of all gradients together
  double scale;  // min(1, max_norm / (norm + 1e-6)), for Optimizer::step; NaN for a norm of NaN
};

/// The 2-norm of all gradients and the factor that limits it, as torch.nn.utils.clip_grad_norm_
/// computes it. Reads each gradient once and changes none.
ClippedNorm clip_grad_norm(const std::vector<Variable>& parameters, double max_norm);

/// The same where gradient_squares() of the parameters are known.
ClippedNorm clipped_norm(const std::vector<double>& squares, double max_norm);

/// The same as clip_grad_norm, applied to the gradients in place. Returns the norm before.
double clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm);

}  // namespace gladius
