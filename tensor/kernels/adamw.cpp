#include "gladius/tensor/kernels/adamw.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/adamw.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void adamw(T* param, const T* grad, T* m, T* v, std::int64_t n, const AdamWStep& step) {
  const hn::ScalableTag<T> d;
  const auto constant = [d](double value) HWY_ATTR { return hn::Set(d, static_cast<T>(value)); };
  const auto grad_scale = constant(step.grad_scale);
  const auto decay = constant(1 - step.lr * step.weight_decay);
  const auto weight1 = constant(1 - step.beta1);
  const auto beta2 = constant(step.beta2);
  const auto weight2 = constant(1 - step.beta2);
  const auto root_correction2 = constant(std::sqrt(step.bias_correction2));
  const auto eps = constant(step.eps);
  const auto minus_step_size = constant(-step.lr / step.bias_correction1);
  for_each_vector(d, n, [&](auto at) HWY_ATTR {
    const auto g = hn::Mul(at.load(grad), grad_scale);
    const auto old_m = at.load(m);
    const auto new_m = hn::MulAdd(weight1, hn::Sub(g, old_m), old_m);
    const auto new_v = hn::MulAdd(hn::Mul(weight2, g), g, hn::Mul(at.load(v), beta2));
    const auto denominator = hn::Add(hn::Div(hn::Sqrt(new_v), root_correction2), eps);
    const auto change = hn::Div(hn::Mul(minus_step_size, new_m), denominator);
    at.store(new_m, m);
    at.store(new_v, v);
    at.store(hn::MulAdd(at.load(param), decay, change), param);
  });
}

template <class T>
double sum_of_squares(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  return sum(d, n, [&](auto at) HWY_ATTR {
    const auto v = at.load(x);
    return hn::Mul(v, v);
  });
}

GLADIUS_SIMD_VERSIONS(adamw);
GLADIUS_SIMD_VERSIONS(sum_of_squares);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(adamw);
GLADIUS_SIMD_EXPORT(sum_of_squares);

template <class T>
void adamw(T* param, const T* grad, T* m, T* v, std::int64_t n, const AdamWStep& step) {
  GLADIUS_SIMD_DISPATCH(adamw, T)(param, grad, m, v, n, step);
}
template <class T>
double sum_of_squares(const T* x, std::int64_t n) {
  return GLADIUS_SIMD_DISPATCH(sum_of_squares, T)(x, n);
}

GLADIUS_INSTANTIATE(adamw);
GLADIUS_INSTANTIATE(sum_of_squares);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
