// Attention with products of bfloat16 operands.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/precision.h"
#include "support/simd_targets.h"
#include "tensor/kernels/attention_inputs.h"
#include "tensor/kernels/attention_reference.h"

namespace gladius::kernels {
namespace {

// Fewer queries that share keys are computed in float.
constexpr std::int64_t kFewestRows = 17;

// Numbers and how far from them the kernel's may be.
struct Bounded {
  std::vector<double> values, bounds;

  explicit Bounded(std::size_t size) : values(size), bounds(size) {}

  // A term, of which `magnitude` may be wrong by the relative error.
  void add(std::size_t at, double term, double magnitude, double relative_error) {
    values[at] += term;
    bounds[at] += relative_error * magnitude;
  }

  void expect(const char* name, const std::vector<float>& actual, std::int64_t used,
              std::int64_t stride) const {
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (static_cast<std::int64_t>(i) % stride >= used) {
        ASSERT_EQ(actual[i], kUntouched) << name << ": written between tokens at " << i;
      } else if (std::isinf(values[i])) {
        ASSERT_EQ(actual[i], values[i]) << name << " at " << i;
      } else {
        // Numbers near the smallest normal one count as zeros.
        ASSERT_NEAR(actual[i], values[i], bounds[i] + 1e-30) << name << " at " << i;
      }
    }
  }
};

std::vector<double> operands(const std::vector<float>& x, float factor = 1) {
  std::vector<double> rounded;
  for (const float value : x) rounded.push_back(static_cast<float>(bfloat16(factor * value)));
  return rounded;
}

// Against the definition in float64 on the same rounded operands. Of what the kernel rounds in
// between, p (and so what it takes from exp, in any common factor) and ds, each term of a sum is
// off by half a unit of eight bits, 2^-8; the rest is float's arithmetic: sums of up to 390 terms,
// and exponentials of logits that grow with their error.
void expect_agreement(const Inputs<float>& in, const Results<float>& results) {
  constexpr double rounding = 1.0 / 256;
  const AttentionShape& s = in.shape;
  const auto scale = static_cast<float>(s.scale);
  const auto q = operands(in.q, scale), k = operands(in.k), v = operands(in.v);
  const auto dout = operands(in.dout);
  AttentionShape unscaled = s;
  unscaled.scale = 1;
  Probabilities<double> p(unscaled, q, k);
  const double arithmetic = 2e-5 + 5e-7 * p.largest_logit;
  Bounded out(results.out.size()), dq(in.q.size()), dk(in.k.size()), dv(in.v.size());
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t h = 0; h < s.H; ++h) {
      const std::int64_t kv = h / (s.H / s.Hkv);
      for (std::int64_t t = 0; t < s.T; ++t) {
        const auto to_q = static_cast<std::size_t>((b * s.T + t) * s.q_stride + h * s.D);
        const auto to_out = static_cast<std::size_t>((b * s.T + t) * s.out_stride + h * s.D);
        const auto D = static_cast<std::size_t>(s.D);
        double delta = 0, delta_terms = 0;  // of what the backward pass was given
        for (std::size_t d = 0; d < D; ++d) {
          const double term = static_cast<double>(in.dout[to_out + d]) * results.out[to_out + d];
          delta += term;
          delta_terms += std::abs(term);
        }
        for (std::int64_t i = 0; i < s.S; ++i) {
          if (!p.sees(b, t, i)) continue;
          const auto to_k = static_cast<std::size_t>((b * s.S + i) * s.k_stride + kv * s.D);
          const auto to_v = static_cast<std::size_t>((b * s.S + i) * s.v_stride + kv * s.D);
          const double weight = p.at(b, h, t, i);
          double dp = 0, dp_terms = 0;
          for (std::size_t d = 0; d < D; ++d) {
            const double term = dout[to_out + d] * v[to_v + d];
            dp += term;
            dp_terms += std::abs(term);
            const double value = weight * v[to_v + d], gradient = weight * dout[to_out + d];
            out.add(to_out + d, value, std::abs(value), rounding + arithmetic);
            dv.add(to_v + d, gradient, std::abs(gradient), rounding + arithmetic);
          }
          const double ds = weight * (dp - delta);
          const double ds_error =
              rounding * std::abs(ds) + arithmetic * weight * (dp_terms + delta_terms);
          for (std::size_t d = 0; d < D; ++d) {
            dq.add(to_q + d, scale * ds * k[to_k + d], std::abs(scale * k[to_k + d]), ds_error);
            dk.add(to_k + d, ds * q[to_q + d], std::abs(q[to_q + d]), ds_error);
          }
        }
      }
    }
  }
  Bounded lse(p.lse.size());
  for (std::size_t i = 0; i < p.lse.size(); ++i) {
    lse.add(i, p.lse[i], std::max(1.0, std::abs(p.lse[i])), arithmetic);
  }
  lse.expect("lse", results.lse, 1, 1);
  out.expect("out", results.out, s.H * s.D, s.out_stride);
  dq.expect("dq", results.dq, s.H * s.D, s.q_stride);
  dk.expect("dk", results.dk, s.Hkv * s.D, s.k_stride);
  dv.expect("dv", results.dv, s.Hkv * s.D, s.v_stride);
}

class Bf16Attention : public ::testing::Test {
 protected:
  ~Bf16Attention() override { set_num_threads(before_); }
  int before_ = num_threads();
};

Inputs<float> random_bf16_inputs(std::mt19937_64& random) {
  Inputs<float> inputs = random_inputs<float>(random);
  inputs.shape.precision = Precision::bf16;
  return inputs;
}

void expect_agreement_over_random_shapes(std::mt19937_64& random, int runs) {
  for (int run = 0; run < runs; ++run) {
    set_num_threads(1 + run % 3);
    Inputs<float> inputs = random_bf16_inputs(random);
    const AttentionShape& s = inputs.shape;
    SCOPED_TRACE(describe(s));
    const Results<float> results(inputs);
    if (s.T * (s.H / s.Hkv) >= kFewestRows) {
      ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs, results));
    } else {
      inputs.shape.precision = Precision::f32;
      ASSERT_EQ(results, Results<float>(inputs));
    }
  }
}

#if defined(__SANITIZE_THREAD__)
constexpr int kShapes = 2;  // the definition is slow there
#else
constexpr int kShapes = 6;
#endif

TEST_F(Bf16Attention, AgreesWithTheDefinitionOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  testing::for_each_simd_target([&] { expect_agreement_over_random_shapes(random, kShapes); });
}

TEST_F(Bf16Attention, RanOnTheProcessorsOwnProducts) {
  if (has_bf16_products()) return;
  GTEST_SKIP() << "this processor has no AVX512-BF16: attention with bf16 products ran in float32 "
                  "arithmetic alone";
}

TEST_F(Bf16Attention, GivesTheSameBitsOnEveryRun) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < 20; ++run) {
    const Inputs<float> inputs = random_bf16_inputs(random);
    SCOPED_TRACE(describe(inputs.shape));
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      const Results<float> first(inputs);
      // Of other numbers, which leave other scratch memory behind.
      Inputs<float> other(random, compact(1, 150, 300, 6, 1, 48), 1e20);
      other.shape.precision = Precision::bf16;
      const Results<float> garbage(other);
      ASSERT_EQ(Results<float>(inputs), first) << threads << " threads";
    }
  }
}

// Whatever scratch memory held before: here NaN everywhere.
TEST_F(Bf16Attention, ReadsNothingThatItHasNotWritten) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  testing::for_each_simd_target([&] {
    for (int run = 0; run < 3; ++run) {
      Inputs<float> poison(random, compact(1, 80, 600, 3, 1, 80));
      std::fill(poison.q.begin(), poison.q.end(), std::numeric_limits<float>::quiet_NaN());
      poison.dout = poison.q;
      poison.shape.precision = Precision::bf16;
      const Results<float> nan(poison);
      ASSERT_NO_FATAL_FAILURE(expect_agreement_over_random_shapes(random, 1));
    }
  });
}

TEST_F(Bf16Attention, QueriesWithoutKeysGiveZeros) {
  std::mt19937_64 random(5);
  Inputs<float> inputs(random, compact(1, 9, 9, 2, 1, 8));
  inputs.shape.precision = Precision::bf16;
  inputs.set_first_keys({0, 9, 1, 0, 0, 0, 0, 0, 12});
  const Results<float> results(inputs);
  for (const std::size_t query : {1, 8}) {
    for (std::size_t i = query * 16; i < query * 16 + 16; ++i) {
      EXPECT_EQ(results.out[i], 0);
      EXPECT_EQ(results.dq[i], 0);
    }
  }
  EXPECT_EQ(results.lse[1], -std::numeric_limits<float>::infinity());
  ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs, results));
}

TEST_F(Bf16Attention, TakesEmptySizes) {
  std::mt19937_64 random(6);
  for (AttentionShape shape :
       {compact(0, 30, 30, 2, 1, 4), compact(1, 0, 3, 2, 1, 4), compact(1, 30, 0, 2, 1, 4)}) {
    SCOPED_TRACE(describe(shape));
    shape.precision = Precision::bf16;
    const Inputs<float> inputs(random, shape);
    ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs, Results<float>(inputs)));
  }
}

TEST_F(Bf16Attention, PassesNanOnToTheQueriesThatSeeIt) {
  testing::for_each_simd_target([] {
    std::mt19937_64 random(7);
    Inputs<float> inputs(random, compact(1, 20, 20, 1, 1, 8));
    inputs.shape.precision = Precision::bf16;
    inputs.k[19 * 8] = std::nanf("0x12345");  // the last key
    const Results<float> results(inputs);
    EXPECT_TRUE(std::isnan(results.out[19 * 8]));
    EXPECT_TRUE(std::isnan(results.lse[19]));
    EXPECT_TRUE(std::isnan(results.dq[19 * 8]));
    for (std::size_t query = 0; query < 19; ++query) {
      EXPECT_FALSE(std::isnan(results.out[query * 8])) << query;
      EXPECT_FALSE(std::isnan(results.lse[query])) << query;
    }
  });
}

TEST_F(Bf16Attention, OfDoublesIsInDouble) {
  std::mt19937_64 random(8);
  Inputs<double> inputs(random, compact(1, 40, 40, 2, 1, 8));
  const Results<double> results(inputs);
  inputs.shape.precision = Precision::bf16;
  EXPECT_EQ(Results<double>(inputs), results);
}

}  // namespace
}  // namespace gladius::kernels
