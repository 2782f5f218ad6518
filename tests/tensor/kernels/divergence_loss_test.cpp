#include "gladius/tensor/kernels/divergence_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/kernels/distillation_loss.h"
#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr std::int64_t ignored = -100;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Divergence kOthers[] = {Divergence::reverse_kl, Divergence::jsd, Divergence::skew_kl};

struct Setting {
  Divergence divergence;
  double beta, temperature;
  std::size_t K;
};

std::ostream& operator<<(std::ostream& out, const Setting& setting) {
  return out << "divergence " << static_cast<int>(setting.divergence) << ", beta " << setting.beta
             << ", temperature " << setting.temperature << ", K " << setting.K;
}

// log softmax of x / temperature over the chosen ones of the first entries; -infinity for others.
template <class S>
std::vector<S> log_softmax(const std::vector<S>& x, const std::vector<bool>& chosen,
                           double temperature) {
  S max = -1e300, total = 0;
  for (std::size_t v = 0; v < chosen.size(); ++v) {
    if (chosen[v] && std::real(x[v]) > std::real(max)) max = x[v];
  }
  for (std::size_t v = 0; v < chosen.size(); ++v) {
    if (chosen[v]) total += std::exp((x[v] - max) / temperature);
  }
  std::vector<S> result;
  for (std::size_t v = 0; v < chosen.size(); ++v) {
    result.push_back(chosen[v] ? (x[v] - max) / temperature - std::log(total) : S{-infinity});
  }
  return result;
}

// The divergence by its definition, times the squared temperature.
template <class S>
S reference_divergence(const Setting& setting, const std::vector<S>& s,
                       const std::vector<double>& t) {
  const bool reverse = setting.divergence == Divergence::reverse_kl;
  std::vector<bool> all(setting.K, true), compared(all);
  for (std::size_t v = 0; v < setting.K; ++v) compared[v] = !reverse || t[v] != -infinity;
  const auto log_p = log_softmax(t, all, setting.temperature);
  const auto log_q = log_softmax(s, compared, setting.temperature);
  S total = 0;
  for (std::size_t v = 0; v < setting.K; ++v) {
    const double p = std::exp(log_p[v]);
    const S q = std::real(log_q[v]) == -infinity ? S{0} : std::exp(log_q[v]);
    const bool has_q = std::real(q) > 0;
    if (reverse) {
      if (has_q) total += q * (log_q[v] - log_p[v]);
      continue;
    }
    const S m = setting.beta * p + (1 - setting.beta) * q;
    if (p > 0) {
      total +=
          (setting.divergence == Divergence::jsd ? setting.beta : 1) * p * (log_p[v] - std::log(m));
    }
    if (has_q && setting.divergence == Divergence::jsd) {
      total += (1 - setting.beta) * q * (log_q[v] - std::log(m));
    }
  }
  return setting.temperature * setting.temperature * total;
}

// The largest term of which the gradient is made, a probability times a log ratio: where one entry
// has nearly all, the terms nearly cancel, and their rounding remains.
double largest_term(const Setting& setting, const std::vector<double>& s,
                    const std::vector<double>& t) {
  const std::vector<bool> all(setting.K, true);
  const auto log_p = log_softmax(t, all, setting.temperature);
  const auto log_q = log_softmax(s, all, setting.temperature);
  double largest = 0;
  for (std::size_t v = 0; v < setting.K; ++v) {
    const double ratio = std::abs(log_q[v] - log_p[v]);
    if (!std::isfinite(ratio)) continue;
    largest = std::max(largest, std::exp(std::max(log_p[v], log_q[v])) * ratio);
  }
  return setting.temperature * largest;
}

template <class S>
S reference_ce(const std::vector<S>& s, std::int64_t label) {
  if (label == ignored) return S{0};
  return -log_softmax(s, std::vector<bool>(s.size(), true), 1)[static_cast<std::size_t>(label)];
}

// One row through the kernel.
template <class T>
struct Result {
  Result(const Setting& setting, const OffsetArray<T>& s, const OffsetArray<T>& t,
         std::int64_t label, double ce_scale = 0.7, double kl_scale = 0.4)
      : grad(s.size()) {
    const auto V = static_cast<std::int64_t>(s.size()), width = static_cast<std::int64_t>(t.size());
    kernels::divergence_loss<T>(
        {setting.divergence, setting.beta, V, width, static_cast<std::int64_t>(setting.K), ignored,
         setting.temperature, ce_scale, kl_scale},
        s.data(), t.data(), &label, grad.data(), &ce, &kl, 1);
  }
  OffsetArray<T> grad;
  double ce = -1, kl = -1;
};

template <class T>
void expect_as_defined(const Setting& setting, const OffsetArray<T>& s, const OffsetArray<T>& t,
                       std::int64_t label, double tolerance) {
  SCOPED_TRACE(::testing::Message() << setting);
  auto finite = s.to();
  for (double& value : finite) value = std::isinf(value) ? -1e9 : value;
  const Result<T> result(setting, s, t, label);
  const double ce = reference_ce(finite, label);
  EXPECT_NEAR(result.ce, ce, tolerance * (1 + std::abs(ce)));
  const double kl = reference_divergence(setting, finite, t.to());
  EXPECT_NEAR(result.kl, kl, tolerance * (1 + kl));
  const auto loss = [&](const std::vector<Complex>& at) {
    return 0.7 * reference_ce(at, label) + 0.4 * reference_divergence(setting, at, t.to());
  };
  if (s.size() <= 1) return;
  const double rounding =
      4 * std::numeric_limits<T>::epsilon() * largest_term(setting, finite, t.to());
  expect_close(result.grad, complex_step_gradient(loss, finite), tolerance, rounding);
}

template <class T>
class DivergenceLoss : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(DivergenceLoss, Types);

TYPED_TEST(DivergenceLoss, MatchesTheDefinitionAndItsComplexStepGradient) {
  using T = TypeParam;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  for_each_simd_target([seed] {
    std::mt19937_64 random(seed);
    for (const std::size_t V : {1, 5, 16, 35, 67}) {
      for (const double temperature : {1.0, 2.0, 3.0, 0.7}) {
        for (const Divergence divergence : kOthers) {
          const double beta = std::uniform_real_distribution(0.02, 0.98)(random);
          const std::int64_t label = V == 16 ? ignored : static_cast<std::int64_t>(V / 2);
          const auto s = random_array<T>(random, V, 3);
          const auto t = random_array<T>(random, V + 2, 3);
          expect_as_defined({divergence, beta, temperature, V - V / 5}, s, t, label,
                            10 * kernel_tolerance<T>);
        }
      }
    }
  });
}

TYPED_TEST(DivergenceLoss, RowsInPlaceAndWithoutGradient) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const Divergence divergence : kOthers) {
      std::mt19937_64 random(1);
      constexpr std::size_t rows = 4, V = 37, K = 29, stride = 31;
      const std::vector<std::int64_t> labels{3, ignored, 36, 28};
      const auto s = random_array<T>(random, rows * V), t = random_array<T>(random, rows * stride);
      const auto run = [&](const T* student, T* grad) {
        std::vector<double> losses(2 * rows);
        kernels::divergence_loss<T>({divergence, 0.3, V, stride, K, ignored, 1.5, 1.0, 0.5},
                                    student, t.data(), labels.data(), grad, losses.data(),
                                    losses.data() + rows, rows);
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
        const Result<T> alone({divergence, 0.3, 1.5, K}, row_s, row_t, labels[r], 1.0, 0.5);
        EXPECT_EQ(alone.ce, losses[r]);
        EXPECT_EQ(alone.kl, losses[rows + r]);
        EXPECT_EQ(alone.grad[V - 1], grad[(r + 1) * V - 1]);
      }
    }
  });
}

// The teacher's K largest alone, which a student may find as unlikely as it wants.
TYPED_TEST(DivergenceLoss, WhereTheTeacherGivesNothing) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const double preference : {0.0, 5.0, 1e4}) {
      for (const Divergence divergence : kOthers) {
        std::mt19937_64 random(2);
        constexpr std::size_t V = 41, K = 39;
        auto s = random_array<T>(random, V), t = random_array<T>(random, V);
        for (std::size_t v = 0; v < V; ++v) {
          if (v % 4 == 0) continue;
          t[v] = static_cast<T>(-infinity);
          s[v] += static_cast<T>(preference);
        }
        const Setting setting{divergence, 0.4, 2, K};
        // Of large logits the last digits are missing.
        const double tolerance = (preference == 1e4 ? 500 : 10) * kernel_tolerance<T>;
        expect_as_defined(setting, s, t, 3, tolerance);
        const Result<T> result(setting, s, t, ignored);
        EXPECT_TRUE(std::isfinite(result.kl));
        for (std::size_t v = 0; v < V; ++v) {
          if (divergence == Divergence::reverse_kl && v % 4 != 0) {
            EXPECT_EQ(result.grad[v], 0);
          }
        }
      }
    }
  });
}

TYPED_TEST(DivergenceLoss, LargeLogitsMasksAndNan) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const Divergence divergence : kOthers) {
      std::mt19937_64 random(3);
      constexpr std::size_t V = 21, K = 18;
      const Setting setting{divergence, 0.6, 1.5, K};
      auto s = random_array<T>(random, V), t = random_array<T>(random, V);
      for (std::size_t v = 0; v < V; ++v) s[v] = s[v] * T{8} - T{1e4}, t[v] += T{1e4};
      t[4] = t[17] = static_cast<T>(-infinity);
      s[16] = s[17] = s[18] = s[19] = s[20] = static_cast<T>(-infinity);
      expect_as_defined(setting, s, t, 3, 20 * kernel_tolerance<T>);

      // Certain of different tokens: all but reverse KL are bounded.
      OffsetArray<T> one(K), other(K);
      one[2] = other[5] = static_cast<T>(3e4);
      const Result<T> apart(setting, one, other, ignored, 1, 1);
      const double T2 = setting.temperature * setting.temperature;
      const double bound = divergence == Divergence::reverse_kl ? 3e4 / setting.temperature
                           : divergence == Divergence::skew_kl
                               ? -std::log(0.6)
                               : -0.6 * std::log(0.6) - 0.4 * std::log(0.4);
      EXPECT_NEAR(apart.kl, T2 * bound, 1e-5 * T2 * bound);
      for (std::size_t v = 0; v < K; ++v) EXPECT_TRUE(std::isfinite(apart.grad[v]));

      s[5] = std::numeric_limits<T>::quiet_NaN();
      const Result<T> poisoned(setting, s, t, 3);
      EXPECT_TRUE(std::isnan(poisoned.ce) && std::isnan(poisoned.kl));
      EXPECT_TRUE(std::isnan(poisoned.grad[0]));
      s[5] = 0;
      t[5] = std::numeric_limits<T>::quiet_NaN();
      EXPECT_TRUE(std::isnan(Result<T>(setting, s, t, 3).kl));
    }
  });
}

// JSD / beta and skew KL become KL(p || q) as beta vanishes, JSD / (1 - beta) KL(q || p) as it
// becomes 1; and reverse KL is KL with the two exchanged.
TEST(DivergenceLossLimits, AreTheDivergencesOfKullbackAndLeibler) {
  std::mt19937_64 random(4);
  constexpr std::size_t V = 23;
  const auto s = random_array<double>(random, V, 2), t = random_array<double>(random, V, 2);
  const auto kl_of = [](const OffsetArray<double>& of, const OffsetArray<double>& from) {
    double ce = 0, kl = 0;
    kernels::distillation_loss<double>(from.data(), of.data(), &ignored, nullptr, &ce, &kl, 1, V, V,
                                       V, ignored, 2, 1, 1);
    return kl;
  };
  const auto value = [&](Divergence divergence, double beta) {
    return Result<double>({divergence, beta, 2, V}, s, t, ignored).kl;
  };
  const double forward = kl_of(t, s), reverse = kl_of(s, t);
  EXPECT_NEAR(value(Divergence::reverse_kl, 0.5), reverse, 1e-12 * reverse);
  EXPECT_NEAR(value(Divergence::jsd, 1e-7) / 1e-7, forward, 1e-4 * forward);
  EXPECT_NEAR(value(Divergence::jsd, 1 - 1e-7) / 1e-7, reverse, 1e-4 * reverse);
  EXPECT_NEAR(value(Divergence::skew_kl, 1e-7), forward, 1e-4 * forward);
  for (const Divergence divergence : kOthers) {
    const Result<double> equal({divergence, 0.3, 2, V}, s, s, ignored);
    EXPECT_NEAR(equal.kl, 0, 1e-14);
    for (std::size_t v = 0; v < V; ++v) EXPECT_NEAR(equal.grad[v], 0, 1e-14);
  }
}

// Float rows of a large vocabulary agree with double: the sums do not lose digits.
TEST(DivergenceLossAccuracy, LargeVocabularyInFloat) {
  for_each_simd_target([] {
    std::mt19937_64 random(5);
    constexpr std::size_t V = 151936, K = 151643;
    const auto s = random_array<float>(random, V, 2), t = random_array<float>(random, V, 2);
    const OffsetArray<double> wide_s(s.to()), wide_t(t.to());
    for (const Divergence divergence : kOthers) {
      const Setting setting{divergence, 0.3, 3, K};
      SCOPED_TRACE(::testing::Message() << setting);
      const Result<float> narrow(setting, s, t, 5);
      const Result<double> wide(setting, wide_s, wide_t, 5);
      EXPECT_NEAR(narrow.ce, wide.ce, 1e-6 * wide.ce);
      EXPECT_NEAR(narrow.kl, wide.kl, 2e-6 * wide.kl);
      EXPECT_NEAR(wide.kl, reference_divergence(setting, s.to(), t.to()), 1e-11 * wide.kl);
      expect_close(narrow.grad, wide.grad, 1e-5);
    }
  });
}

}  // namespace
}  // namespace gladius
