#include "gladius/tensor/kernels/divergence_loss.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/divergence_loss.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// 0 where the weight is, whatever the term; NaN weights stay.
template <class D, class V>
HWY_INLINE V weighted(D d, V weight, V term) {
  return hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), hn::Mul(weight, term));
}

// Where the teacher's probability is 0.
template <class D, class V>
HWY_INLINE auto impossible(D d, V t) {
  return hn::Eq(t, hn::Set(d, -std::numeric_limits<hn::TFromD<D>>::infinity()));
}

// The largest of the student's logits that the divergence compares.
template <Divergence kind, class T>
HWY_INLINE T largest_compared(const T* s, const T* t, std::int64_t K) {
  if constexpr (kind != Divergence::reverse_kl) return max_of(s, K);
  const hn::ScalableTag<T> d;
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto largest = lowest;
  for_each_vector(d, K, [&](auto at) HWY_ATTR {
    const auto x = hn::IfThenElse(impossible(d, at.load(t)), lowest, at.load(s));
    largest = hn::Max(largest, at.active_or(x, lowest));
  });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// A row's two distributions over the first K entries.
template <Divergence kind, class T>
class Comparison {
 public:
  HWY_INLINE Comparison(const DivergenceLoss& loss, const T* s, const T* t)
      : s_(s),
        t_(t),
        temperature_(static_cast<T>(loss.temperature)),
        beta_(std::max(static_cast<T>(loss.beta), std::numeric_limits<T>::min())),
        rest_(static_cast<T>(1 - loss.beta)),
        shift_s_(shift_of(largest_compared<kind>(s, t, loss.K))),
        shift_t_(shift_of(max_of(t, loss.K))) {
    normalize(loss.K);
    compare(loss.K);
  }

  // Not yet times the squared temperature.
  double divergence() const { return divergence_; }

  // q (h - sum q h)
  template <class D, class At>
  HWY_INLINE hn::Vec<D> slope(D d, At at) const {
    const Entry<D> entry = entry_at(d, at);
    return weighted(d, entry.q, hn::Sub(entry.h, hn::Set(d, mean_)));
  }

 private:
  // h is that of the header, and the value what the entry adds to the divergence.
  template <class D>
  struct Entry {
    hn::Vec<D> q, h, value;
  };

  // Logarithms of the probabilities, but for a constant each.
  template <class D, class At>
  HWY_INLINE hn::Vec<D> scaled(D d, At at, const T* x, T shift) const {
    return hn::Div(hn::Sub(at.load(x), hn::Set(d, shift)), hn::Set(d, temperature_));
  }
  // The student's probability, not normalized.
  template <class D, class At>
  HWY_INLINE hn::Vec<D> student(D d, At at, hn::Vec<D> scaled_s) const {
    const auto e = exp(d, scaled_s);
    if constexpr (kind != Divergence::reverse_kl) return e;
    return hn::IfThenZeroElse(impossible(d, at.load(t_)), e);
  }

  HWY_INLINE void normalize(std::int64_t K) {
    const hn::ScalableTag<T> d;
    const auto totals = sums<2>(d, K, [&](auto at) HWY_ATTR {
      return std::array<hn::Vec<decltype(d)>, 2>{student(d, at, scaled(d, at, s_, shift_s_)),
                                                 exp(d, scaled(d, at, t_, shift_t_))};
    });
    inverse_s_ = static_cast<T>(1 / totals[0]);
    inverse_t_ = static_cast<T>(1 / totals[1]);
    offset_ = std::log(totals[1] / totals[0]);
  }

  HWY_INLINE void compare(std::int64_t K) {
    const hn::ScalableTag<T> d;
    const auto totals = sums<2>(d, K, [&](auto at) HWY_ATTR {
      const auto entry = entry_at(d, at);
      return std::array<hn::Vec<decltype(d)>, 2>{weighted(d, entry.q, entry.h), entry.value};
    });
    mean_ = static_cast<T>(totals[0]);
    divergence_ = kind == Divergence::reverse_kl ? totals[0] + offset_ : totals[1];
  }

  template <class D, class At>
  HWY_INLINE Entry<D> entry_at(D d, At at) const {
    const auto a = scaled(d, at, t_, shift_t_), b = scaled(d, at, s_, shift_s_);
    const auto q = hn::Mul(student(d, at, b), hn::Set(d, inverse_s_));
    // A constant in h makes no difference to the gradient.
    if constexpr (kind == Divergence::reverse_kl) return {q, hn::Sub(b, a), hn::Zero(d)};
    const auto p = hn::Mul(exp(d, a), hn::Set(d, inverse_t_));
    return against_mixture(d, p, q, hn::Sub(hn::Sub(a, b), hn::Set(d, static_cast<T>(offset_))));
  }

  // With m / max(p, q), which is never 0, from log(p / q).
  template <class D>
  HWY_INLINE Entry<D> against_mixture(D d, hn::Vec<D> p, hn::Vec<D> q, hn::Vec<D> log_ratio) const {
    const auto distance = hn::Abs(log_ratio);
    const auto smaller = exp(d, hn::Neg(distance));  // of p and q, by the larger
    const auto p_is_larger = hn::Ge(log_ratio, hn::Zero(d));
    const auto beta = hn::Set(d, beta_), rest = hn::Set(d, rest_);
    const auto m = hn::IfThenElse(p_is_larger, hn::MulAdd(rest, smaller, beta),
                                  hn::MulAdd(beta, smaller, rest));
    const auto larger_log = hn::Neg(hn::Log(d, m));
    const auto smaller_log = hn::Sub(larger_log, distance);
    const auto p_log = hn::IfThenElse(p_is_larger, larger_log, smaller_log);
    if constexpr (kind == Divergence::skew_kl) {
      const auto one = hn::Set(d, T{1});
      const auto p_by_m = hn::Div(hn::IfThenElse(p_is_larger, one, smaller), m);
      return {q, hn::Neg(hn::Mul(rest, p_by_m)), weighted(d, p, p_log)};
    }
    const auto h = hn::Mul(rest, hn::IfThenElse(p_is_larger, smaller_log, larger_log));
    const auto of_teacher = weighted(d, p, hn::Mul(beta, p_log));
    return {q, h, hn::Add(of_teacher, weighted(d, q, h))};
  }

  const T *s_, *t_;
  T temperature_, beta_, rest_, shift_s_, shift_t_;
  T inverse_s_ = 0, inverse_t_ = 0, mean_ = 0;
  double offset_ = 0;  // log(p / q) is the difference of the scaled logits less this
  double divergence_ = 0;
};

template <Divergence kind, class T>
HWY_INLINE void row_loss(const DivergenceLoss& loss, const T* s, const T* t, std::int64_t label,
                         T* grad, double& ce, double& kl) {
  const hn::ScalableTag<T> d;
  const bool labelled = label != loss.ignore_index;
  const double label_logit = labelled ? static_cast<double>(s[label]) : 0;
  const T max = shift_of(max_of(s, loss.V));
  const auto shift = hn::Set(d, max);
  const double total =
      sum(d, loss.V, [&](auto at) HWY_ATTR { return exp(d, hn::Sub(at.load(s), shift)); });
  ce = labelled ? static_cast<double>(max) + std::log(total) - label_logit : 0;

  const Comparison<kind, T> comparison(loss, s, t);
  kl = loss.temperature * loss.temperature * comparison.divergence();
  if (!grad) return;

  const double of_softmax = labelled && total != 0 ? loss.ce_scale / total : 0;
  const auto for_ce = hn::Set(d, static_cast<T>(of_softmax));
  const auto for_kl = hn::Set(d, static_cast<T>(loss.kl_scale * loss.temperature));
  for_each_vector(d, loss.K, [&](auto at) HWY_ATTR {
    const auto of_ce = hn::Mul(for_ce, exp(d, hn::Sub(at.load(s), shift)));
    at.store(hn::MulAdd(for_kl, comparison.slope(d, at), of_ce), grad);
  });
  for_each_vector(d, loss.V - loss.K, [&](auto at) HWY_ATTR {
    const auto e = exp(d, hn::Sub(at.load(s + loss.K), shift));
    at.store(hn::Mul(for_ce, e), grad + loss.K);
  });
  if (labelled) grad[label] -= static_cast<T>(loss.ce_scale);
}

template <Divergence kind, class T>
void divergence_rows(const DivergenceLoss& loss, const T* student, const T* teacher,
                     const std::int64_t* labels, T* grad, double* ce, double* kl,
                     std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    row_loss<kind>(loss, student + r * loss.V, teacher + r * loss.teacher_stride, labels[r],
                   grad ? grad + r * loss.V : nullptr, ce[r], kl[r]);
  }
}

template <class T>
void divergence_loss(const DivergenceLoss& loss, const T* student, const T* teacher,
                     const std::int64_t* labels, T* grad, double* ce, double* kl,
                     std::int64_t rows) {
  const auto run = loss.divergence == Divergence::reverse_kl
                       ? divergence_rows<Divergence::reverse_kl, T>
                   : loss.divergence == Divergence::jsd ? divergence_rows<Divergence::jsd, T>
                                                        : divergence_rows<Divergence::skew_kl, T>;
  run(loss, student, teacher, labels, grad, ce, kl, rows);
}

GLADIUS_SIMD_VERSIONS(divergence_loss);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(divergence_loss);

template <class Scalar>
void divergence_loss(const DivergenceLoss& loss, const Scalar* student, const Scalar* teacher,
                     const std::int64_t* labels, Scalar* grad, double* ce, double* kl,
                     std::int64_t rows) {
  GLADIUS_SIMD_DISPATCH(divergence_loss, Scalar)
  (loss, student, teacher, labels, grad, ce, kl, rows);
}

GLADIUS_INSTANTIATE(divergence_loss);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
