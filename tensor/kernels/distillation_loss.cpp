#include "gladius/tensor/kernels/distillation_loss.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/distillation_loss.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// log(exp(a) + exp(b)).
inline double log_add_exp(double a, double b) {
  const double larger = std::max(a, b);
  if (std::isinf(larger)) return larger;
  return larger + std::log(std::exp(a - larger) + std::exp(b - larger));
}

// The factor from exp(s - shift) to softmax(s), in a segment with the given sum of exp(s - shift).
// A segment of nothing but -infinity has no part in lse, which may lie far below its shift.
inline double to_probability(double shift, double total, double lse) {
  return total == 0 ? 0 : std::exp(shift - lse);
}

// exp(x / temperature) and, from it where the temperature is 2^squarings, exp(x).
template <class T, bool power_of_two>
class Softening {
 public:
  explicit Softening(double temperature)
      : temperature_(static_cast<T>(temperature)),
        inverse_(static_cast<T>(1 / temperature)),
        squarings_(power_of_two ? std::ilogb(temperature) : 0) {}

  template <class D, class V>
  HWY_INLINE V scaled(D d, V x) const {
    // A product with a rounded inverse would shift all exponents to one side.
    if constexpr (power_of_two) return hn::Mul(x, hn::Set(d, inverse_));
    return hn::Div(x, hn::Set(d, temperature_));
  }
  template <class D, class V>
  HWY_INLINE V soft(D d, V x) const {
    return exp(d, scaled(d, x));
  }
  template <class D, class V>
  HWY_INLINE V full(D d, V x, V soft) const {
    if constexpr (!power_of_two) return exp(d, x);
    for (int i = 0; i < squarings_; ++i) soft = hn::Mul(soft, soft);
    return soft;
  }

 private:
  T temperature_, inverse_;
  int squarings_;
};

// The sums over the first K entries, which both models have.
template <class T>
struct Head {
  T shift_s = 0, shift_t = 0;
  double full = 0;     // sum exp(s - shift_s)
  double student = 0;  // sum exp((s - shift_s) / temperature)
  double teacher = 0;  // sum exp((t - shift_t) / temperature)
  double cross = 0;    // sum exp((t - shift_t) / temperature) * ((t - shift_t) - (s - shift_s))
};

// If grad is given and exp(s) a power of exp(s / temperature), leaves the latter there.
template <class T, bool power_of_two>
HWY_INLINE Head<T> head_sums(const T* s, const T* t, T* grad, std::int64_t K,
                             const Softening<T, power_of_two>& softening) {
  const hn::ScalableTag<T> d;
  Head<T> head;
  head.shift_s = shift_of(max_of(s, K));
  head.shift_t = shift_of(max_of(t, K));
  const auto shift_s = hn::Set(d, head.shift_s);
  const auto shift_t = hn::Set(d, head.shift_t);
  const auto totals = sums<4>(d, K, [&](auto at) HWY_ATTR {
    const auto a = hn::Sub(at.load(t), shift_t);
    const auto b = hn::Sub(at.load(s), shift_s);
    const auto teacher = softening.soft(d, a);
    const auto student = softening.soft(d, b);
    if (power_of_two && grad) at.store(student, grad);
    // 0 * infinity where the teacher's probability is 0.
    const auto cross =
        hn::IfThenElseZero(hn::Gt(teacher, hn::Zero(d)), hn::Mul(teacher, hn::Sub(a, b)));
    return std::array<hn::Vec<decltype(d)>, 4>{softening.full(d, b, student), student, teacher,
                                               cross};
  });
  head.full = totals[0];
  head.student = totals[1];
  head.teacher = totals[2];
  head.cross = totals[3];
  return head;
}

// grad = full_scale * exp(s) + student_scale * exp(s / temperature) - teacher_scale * exp(t / ...),
// each exponent less its shift.
template <class T, bool power_of_two>
HWY_INLINE void head_gradient(const T* s, const T* t, T* grad, std::int64_t K, const Head<T>& head,
                              const Softening<T, power_of_two>& softening, double full_scale,
                              double student_scale, double teacher_scale) {
  const hn::ScalableTag<T> d;
  const auto shift_s = hn::Set(d, head.shift_s);
  const auto shift_t = hn::Set(d, head.shift_t);
  const auto for_full = hn::Set(d, static_cast<T>(full_scale));
  const auto for_student = hn::Set(d, static_cast<T>(student_scale));
  const auto for_teacher = hn::Set(d, static_cast<T>(teacher_scale));
  for_each_vector(d, K, [&](auto at) HWY_ATTR {
    auto b = hn::Zero(d);
    auto student = hn::Zero(d);
    if constexpr (power_of_two) {
      student = at.load(grad);
    } else {
      b = hn::Sub(at.load(s), shift_s);
      student = softening.soft(d, b);
    }
    const auto teacher = softening.soft(d, hn::Sub(at.load(t), shift_t));
    const auto of_student =
        hn::MulAdd(for_full, softening.full(d, b, student), hn::Mul(for_student, student));
    at.store(hn::NegMulAdd(for_teacher, teacher, of_student), grad);
  });
}

// The entries that only the student has: sum exp(s - shift), the terms left in grad if given.
template <class T>
HWY_INLINE double tail_sum(const T* s, T shift, T* grad, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vshift = hn::Set(d, shift);
  return sum(d, n, [&](auto at) HWY_ATTR {
    const auto e = exp(d, hn::Sub(at.load(s), vshift));
    if (grad) at.store(e, grad);
    return e;
  });
}

template <class T>
HWY_INLINE void scale_row(T* x, double factor, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vfactor = hn::Set(d, static_cast<T>(factor));
  for_each_vector(d, n, [&](auto at) HWY_ATTR { at.store(hn::Mul(at.load(x), vfactor), x); });
}

template <class T, bool power_of_two>
void distillation_rows(const T* student, const T* teacher, const std::int64_t* labels, T* grad,
                       double* ce, double* kl, std::int64_t rows, std::int64_t V,
                       std::int64_t teacher_stride, std::int64_t K, std::int64_t ignore_index,
                       double temperature, double ce_scale, double kl_scale) {
  const Softening<T, power_of_two> softening(temperature);
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* s = student + r * V;
    const T* t = teacher ? teacher + r * teacher_stride : nullptr;
    T* g = grad ? grad + r * V : nullptr;
    const bool labelled = labels[r] != ignore_index;
    const double label_logit = labelled ? static_cast<double>(s[labels[r]]) : 0;

    const Head<T> head = K > 0 ? head_sums(s, t, g, K, softening) : Head<T>{};
    const T tail_shift = shift_of(max_of(s + K, V - K));
    const double tail = tail_sum(s + K, tail_shift, g ? g + K : nullptr, V - K);
    const double lse = log_add_exp(static_cast<double>(head.shift_s) + std::log(head.full),
                                   static_cast<double>(tail_shift) + std::log(tail));
    ce[r] = labelled ? lse - label_logit : 0;
    kl[r] = K == 0 ? 0
                   : temperature * head.cross / head.teacher +
                         temperature * temperature * std::log(head.student / head.teacher);
    if (!g) continue;

    const double row_ce_scale = labelled ? ce_scale : 0;
    if (K > 0) {
      head_gradient(s, t, g, K, head, softening,
                    row_ce_scale * to_probability(head.shift_s, head.full, lse),
                    kl_scale * temperature / head.student, kl_scale * temperature / head.teacher);
    }
    scale_row(g + K, row_ce_scale * to_probability(tail_shift, tail, lse), V - K);
    if (labelled) g[labels[r]] -= static_cast<T>(ce_scale);
  }
}

template <class T>
void distillation_loss(const T* student, const T* teacher, const std::int64_t* labels, T* grad,
                       double* ce, double* kl, std::int64_t rows, std::int64_t V,
                       std::int64_t teacher_stride, std::int64_t K, std::int64_t ignore_index,
                       double temperature, double ce_scale, double kl_scale) {
  // Not beyond 4: each squaring doubles the rounding error.
  const bool power_of_two = temperature == 1 || temperature == 2 || temperature == 4;
  const auto run = power_of_two ? distillation_rows<T, true> : distillation_rows<T, false>;
  run(student, teacher, labels, grad, ce, kl, rows, V, teacher_stride, teacher ? K : 0,
      ignore_index, temperature, ce_scale, kl_scale);
}

GLADIUS_SIMD_VERSIONS(distillation_loss);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(distillation_loss);

template <class Scalar>
void distillation_loss(const Scalar* student, const Scalar* teacher, const std::int64_t* labels,
                       Scalar* grad, double* ce, double* kl, std::int64_t rows, std::int64_t V,
                       std::int64_t teacher_stride, std::int64_t K, std::int64_t ignore_index,
                       double temperature, double ce_scale, double kl_scale) {
  GLADIUS_SIMD_DISPATCH(distillation_loss, Scalar)
  (student, teacher, labels, grad, ce, kl, rows, V, teacher_stride, K, ignore_index, temperature,
   ce_scale, kl_scale);
}

GLADIUS_INSTANTIATE(distillation_loss);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
