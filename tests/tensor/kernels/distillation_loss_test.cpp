#include "gladius/tensor/kernels/distillation_loss.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr std::int64_t ignored = -100;
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class S>
S log_sum_exp(const std::vector<S>& x, std::size_t n, double temperature) {
  S max = x[0], total = 0;
  for (std::size_t v = 0; v < n; ++v) {
    if (std::real(x[v]) > std::real(max)) max = x[v];
  }
  for (std::size_t v = 0; v < n; ++v) total += std::exp((x[v] - max) / temperature);
  return max / temperature + std::log(total);
}

template <class S>
S reference_ce(const std::vector<S>& s, std::int64_t label) {
  if (label == ignored) return S{0};
  return log_sum_exp(s, s.size(), 1) - s[static_cast<std::size_t>(label)];
}

template <class S>
S reference_kl(const std::vector<S>& s, const std::vector<double>& t, std::size_t K,
               double temperature) {
  const double lse_t = log_sum_exp(t, K, temperature);
  const S lse_s = log_sum_exp(s, K, temperature);
  S total = 0;
  for (std::size_t v = 0; v < K; ++v) {
    const double log_p = t[v] / temperature - lse_t;
    if (std::exp(log_p) > 0) total += std::exp(log_p) * (log_p - (s[v] / temperature - lse_s));
  }
  return temperature * temperature * total;
}

// One row through the kernel.
template <class T>
struct Result {
  Result(const OffsetArray<T>& s, const OffsetArray<T>* t, std::int64_t label, std::int64_t K,
         double temperature, double ce_scale = 0.7, double kl_scale = 0.4)
      : grad(s.size()) {
    kernels::distillation_loss<T>(s.data(), t ? t->data() : nullptr, &label, grad.data(), &ce, &kl,
                                  1, s.size(), t ? t->size() : 0, K, ignored, temperature, ce_scale,
                                  kl_scale);
  }
  OffsetArray<T> grad;
  double ce = -1, kl = -1;
};

template <class T>
class DistillationLoss : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(DistillationLoss, Types);

TYPED_TEST(DistillationLoss, MatchesTheDefinitionAndItsComplexStepGradient) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t V : {1, 5, 16, 35, 67}) {
      for (const double temperature : {1.0, 2.0, 4.0, 3.0, 0.7}) {
        SCOPED_TRACE(::testing::Message() << "V " << V << ", temperature " << temperature);
        std::mt19937_64 random(V);
        const std::size_t K = V - V / 5;
        const std::int64_t label = V == 16 ? ignored : static_cast<std::int64_t>(V / 2);
        const auto s = random_array<T>(random, V, 3);
        const auto t = random_array<T>(random, V + 2, 3);
        const Result<T> result(s, &t, label, K, temperature);
        const double tolerance = 3 * kernel_tolerance<T>;
        EXPECT_NEAR(result.ce, reference_ce(s.to(), label), tolerance * 10);
        const double kl = reference_kl(s.to(), t.to(), K, temperature);
        EXPECT_NEAR(result.kl, kl, tolerance * (1 + kl));
        const auto gradient = complex_step_gradient(
            [&](const std::vector<Complex>& at) {
              return 0.7 * reference_ce(at, label) + 0.4 * reference_kl(at, t.to(), K, temperature);
            },
            s.to());
        if (V > 1) expect_close(result.grad, gradient, tolerance);

        const Result<T> no_teacher(s, nullptr, label, K, temperature);
        EXPECT_NEAR(no_teacher.ce, result.ce, tolerance);
        EXPECT_EQ(no_teacher.kl, 0);
        if (V == 1) continue;
        expect_close(no_teacher.grad,
                     complex_step_gradient(
                         [&](const auto& at) { return 0.7 * reference_ce(at, label); }, s.to()),
                     tolerance);
      }
    }
  });
}

TYPED_TEST(DistillationLoss, RowsInPlaceAndWithoutGradient) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const double temperature : {2.0, 1.5}) {
      SCOPED_TRACE(temperature);
      std::mt19937_64 random(1);
      constexpr std::size_t rows = 4, V = 37, K = 29, stride = 31;
      const std::vector<std::int64_t> labels{3, ignored, 36, 28};
      const auto s = random_array<T>(random, rows * V), t = random_array<T>(random, rows * stride);
      const auto run = [&](const T* student, T* grad) {
        std::vector<double> losses(2 * rows);
        kernels::distillation_loss<T>(student, t.data(), labels.data(), grad, losses.data(),
                                      losses.data() + rows, rows, V, stride, K, ignored,
                                      temperature, 1.0, 0.5);
        return losses;
      };
      OffsetArray<T> grad(s.size()), in_place(s);
      const auto losses = run(s.data(), grad.data());
      EXPECT_EQ(run(s.data(), nullptr), losses);
      EXPECT_EQ(run(in_place.data(), in_place.data()), losses);
      EXPECT_EQ(in_place.to(), grad.to());
      EXPECT_EQ(losses[1], 0) << "ignored row";
      for (std::size_t r = 0; r < rows; ++r) {
        OffsetArray<T> row_s(V), row_t(stride);
        for (std::size_t v = 0; v < V; ++v) row_s[v] = s[r * V + v];
        for (std::size_t v = 0; v < stride; ++v) row_t[v] = t[r * stride + v];
        const Result<T> alone(row_s, &row_t, labels[r], K, temperature, 1.0, 0.5);
        EXPECT_EQ(alone.ce, losses[r]);
        EXPECT_EQ(alone.kl, losses[rows + r]);
        EXPECT_EQ(alone.grad[V - 1], grad[(r + 1) * V - 1]);
      }
    }
  });
}

TYPED_TEST(DistillationLoss, LargeLogitsMasksAndNan) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const double temperature : {2.0, 1.5}) {
      SCOPED_TRACE(temperature);
      std::mt19937_64 random(2);
      constexpr std::size_t V = 21, K = 18;
      auto s = random_array<T>(random, V), t = random_array<T>(random, V);
      for (std::size_t v = 0; v < V; ++v) s[v] = s[v] * T{8} - T{1e4}, t[v] += T{1e4};
      t[4] = t[17] = static_cast<T>(-infinity);
      s[17] = s[18] = s[19] = s[20] = static_cast<T>(-infinity);  // 18 on: all of the tail
      const Result<T> result(s, &t, 3, K, temperature);
      const auto finite = [&](const OffsetArray<T>& x) {
        auto values = x.to();
        for (double& v : values) v = std::isinf(v) ? -1e9 : v;
        return values;
      };
      const double ce = reference_ce(finite(s), 3);
      EXPECT_NEAR(result.ce, ce, kernel_tolerance<T> * (1 + std::abs(ce)));
      const double kl = reference_kl(finite(s), finite(t), K, temperature);
      EXPECT_NEAR(result.kl, kl, kernel_tolerance<T> * (1 + kl));
      expect_close(result.grad,
                   complex_step_gradient(
                       [&](const std::vector<Complex>& at) {
                         return 0.7 * reference_ce(at, 3) +
                                0.4 * reference_kl(at, finite(t), K, temperature);
                       },
                       finite(s)),
                   5 * kernel_tolerance<T>);

      // Where the student gives 0 to what the teacher may choose, the divergence is infinite.
      t[17] = t[0];
      EXPECT_EQ(Result<T>(s, &t, 3, K, temperature).kl, infinity);
      s[5] = std::numeric_limits<T>::quiet_NaN();
      const Result<T> poisoned(s, &t, 3, K, temperature);
      EXPECT_TRUE(std::isnan(poisoned.ce) && std::isnan(poisoned.kl));
      EXPECT_TRUE(std::isnan(poisoned.grad[0]));
    }
  });
}

// Float rows of a large vocabulary agree with double to 1e-6: the sums do not lose digits.
TEST(DistillationLossAccuracy, LargeVocabularyInFloat) {
  for_each_simd_target([] {
    std::mt19937_64 random(3);
    constexpr std::size_t V = 151936, K = 151643;
    const auto s = random_array<float>(random, V, 2), t = random_array<float>(random, V, 2);
    const OffsetArray<double> wide_s(s.to()), wide_t(t.to());
    for (const double temperature : {1.0, 2.0, 4.0, 3.0}) {
      SCOPED_TRACE(temperature);
      const Result<float> narrow(s, &t, 5, K, temperature);
      const Result<double> wide(wide_s, &wide_t, 5, K, temperature);
      EXPECT_NEAR(narrow.ce, wide.ce, 1e-6 * wide.ce);
      EXPECT_NEAR(narrow.kl, wide.kl, 1e-6 * wide.kl);
      EXPECT_NEAR(wide.kl, reference_kl(s.to(), t.to(), K, temperature), 1e-11 * wide.kl);
      expect_close(narrow.grad, wide.grad, 1e-5);
    }
  });
}

}  // namespace
}  // namespace gladius
