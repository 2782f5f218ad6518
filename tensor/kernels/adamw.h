// One update of AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101), and the norm for clipping.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// The scalars of one update.
struct AdamWStep {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double bias_correction1 = 1;  // 1 - beta1^step
  double bias_correction2 = 1;  // 1 - beta2^step
  double grad_scale = 1;        // multiplies the gradient first (clipping)
};

/// In one pass, in the order of torch.optim.AdamW, with g = grad * grad_scale:
///   param *= 1 - lr * weight_decay
///   m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g^2
///   param -= lr / bias_correction1 * m / (sqrt(v) / sqrt(bias_correction2) + eps)
/// param, grad, m, v: [n]; T is float or double.
template <class T>
void adamw(T* param, const T* grad, T* m, T* v, std::int64_t n, const AdamWStep& step);

/// Sum of x^2 over n elements, over short blocks in T and over the blocks in double.
template <class T>
double sum_of_squares(const T* x, std::int64_t n);

}  // namespace gladius::kernels
