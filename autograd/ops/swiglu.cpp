#include "gladius/tensor/kernels/swiglu.h"

#include <fmt/format.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/swiglu.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrain = 1 << 13;  // elements a thread is worth

}  // namespace

Variable swiglu(const Variable& gate, const Variable& up) {
  if (gate.shape() != up.shape() || gate.dtype() != up.dtype()) {
    throw ShapeError(fmt::format("swiglu: gate {} and up {} differ", gate.value().describe(),
                                 up.value().describe()));
  }
  const Tensor a = gate.value().contiguous();
  const Tensor b = up.value().contiguous();
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  dispatch_floating("swiglu", a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(a.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      kernels::swiglu(a.data<T>() + begin, b.data<T>() + begin, y.data<T>() + begin, 1, n, n, n);
    });
  });
  return record("swiglu", std::move(y), {gate, up},
                [u = SavedVariable(Variable(a)), v = SavedVariable(Variable(b))](
                    const Variable& g, const BackwardContext& context) {
                  refuse_double_backward(context);
                  const Tensor& x = u.tensor(context);
                  const Tensor& z = v.tensor(context);
                  const Tensor dy = g.value().contiguous();
                  const Tensor dx = Tensor::empty(x.shape(), x.dtype());
                  const Tensor dz = Tensor::empty(x.shape(), x.dtype());
                  dispatch_floating("swiglu", x.dtype(), [&](auto zero) {
                    using T = decltype(zero);
                    parallel_for(x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
                      const std::int64_t n = end - begin;
                      kernels::swiglu_backward(x.data<T>() + begin, z.data<T>() + begin,
                                               dy.data<T>() + begin, dx.data<T>() + begin,
                                               dz.data<T>() + begin, 1, n, n, n);
                    });
                  });
                  return std::vector{Variable(dx), Variable(dz)};
                });
}

}  // namespace gladius
