#include "gladius/tensor/kernels/softmax.h"

#include <algorithm>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

// out = kernel(in..., out, rows, n) over the rows of contiguous tensors of one shape.
template <class Kernel, class... In>
Tensor over_rows(const char* op, Kernel kernel, const In&... in) {
  const Tensor& first = std::get<0>(std::tie(in...));
  Tensor out = Tensor::empty(first.shape(), first.dtype());
  const std::int64_t n = first.size(-1);
  if (out.numel() == 0) return out;
  dispatch_floating(op, first.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(out.numel() / n, std::max<std::int64_t>(1, (1 << 13) / n),
                 [&](std::int64_t begin, std::int64_t end) {
                   kernel(static_cast<const T*>(in.template data<T>() + begin * n)...,
                          out.data<T>() + begin * n, end - begin, n);
                 });
  });
  return out;
}

// The operation along the last dimension, for one along any.
template <class F>
Variable along(const char* op, const Variable& x, std::int64_t dim, F last) {
  const std::int64_t d = normalize_dim(op, dim, std::max<std::int64_t>(x.dim(), 1));
  if (x.dim() == 0) return squeeze(last(unsqueeze(x, 0)), 0);
  if (d == x.dim() - 1) return last(x);
  return transpose(last(transpose(x, d, -1)), d, -1);
}

Variable softmax_last(const Variable& x) {
  Tensor y = over_rows(
      "softmax", [](auto... args) { kernels::softmax(args...); }, x.value().contiguous());
  const SavedVariable saved = SavedVariable::output(y);
  return record("softmax", std::move(y), {x},
                [=](const Variable& g, const BackwardContext& context) {
                  if (!grad_enabled()) {
                    return std::vector{Variable(over_rows(
                        "softmax", [](auto... args) { kernels::softmax_backward(args...); },
                        saved.tensor(context), g.value().contiguous()))};
                  }
                  const Variable p = saved.unpack(context);
                  return std::vector{p * (g - sum(p * g, {-1}, true))};
                });
}

Variable log_softmax_last(const Variable& x) {
  Tensor y = over_rows(
      "log_softmax", [](auto... args) { kernels::log_softmax(args...); }, x.value().contiguous());
  const SavedVariable saved = SavedVariable::output(y);
  return record("log_softmax", std::move(y), {x},
                [=](const Variable& g, const BackwardContext& context) {
                  if (!grad_enabled()) {
                    return std::vector{Variable(over_rows(
                        "log_softmax", [](auto... args) { kernels::log_softmax_backward(args...); },
                        saved.tensor(context), g.value().contiguous()))};
                  }
                  return std::vector{g - exp(saved.unpack(context)) * sum(g, {-1}, true)};
                });
}

}  // namespace

Variable softmax(const Variable& x, std::int64_t dim) {
  return along("softmax", x, dim, softmax_last);
}

Variable log_softmax(const Variable& x, std::int64_t dim) {
  return along("log_softmax", x, dim, log_softmax_last);
}

}  // namespace gladius
