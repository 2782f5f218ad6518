#include "gladius/optim/clip_grad.h"

#include <algorithm>
#include <cmath>

#include "gladius/optim/optimizer.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/kernels/adamw.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kBlock = 1 << 15;

}  // namespace

// In blocks of one size, added up in order.
double sum_of_squares(const Tensor& x) {
  const Tensor dense = x.contiguous();
  const std::int64_t n = dense.numel();
  std::vector<double> sums(static_cast<std::size_t>((n + kBlock - 1) / kBlock));
  dispatch_floating("sum_of_squares", dense.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(static_cast<std::int64_t>(sums.size()), 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     sums[static_cast<std::size_t>(i)] = kernels::sum_of_squares(
                         dense.data<T>() + i * kBlock, std::min(kBlock, n - i * kBlock));
                   }
                 });
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

std::vector<double> gradient_squares(const std::vector<Variable>& parameters) {
  std::vector<double> squares;
  squares.reserve(parameters.size());
  for (const Variable& parameter : parameters) {
    const Tensor grad = parameter.grad();
    if (grad.defined()) check_fits("clip_grad_norm", "", parameter, "gradient", grad);
    squares.push_back(grad.defined() ? sum_of_squares(grad) : 0);
  }
  return squares;
}

ClippedNorm clip_grad_norm(const std::vector<Variable>& parameters, double max_norm) {
  return clipped_norm(gradient_squares(parameters), max_norm);
}

ClippedNorm clipped_norm(const std::vector<double>& squares, double max_norm) {
  double total = 0;
  for (const double square : squares) total += square;
  const double norm = std::sqrt(total);
  // In this order, so that a norm of NaN makes the scale NaN, as in PyTorch, and does not pass
  // unseen.
  return {norm, std::min(max_norm / (norm + 1e-6), 1.0)};
}

double clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm) {
  const auto [norm, scale] = clip_grad_norm(parameters, max_norm);
  if (scale == 1) return norm;
  for (const Variable& parameter : parameters) {
    if (Tensor grad = parameter.grad(); grad.defined()) mul_(grad, scale);
  }
  return norm;
}

}  // namespace gladius
