#include "gladius/tensor/kernels/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/parallel.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"
#include "tensor/kernels/attention_inputs.h"
#include "tensor/kernels/attention_reference.h"

namespace gladius::kernels {
namespace {

// Rows of `used` elements, `stride` apart, against the reference; the rest must be untouched.
// Errors are relative to the largest element or to `terms`, what the elements are added up from.
template <class T>
void expect_rows(const char* name, const std::vector<T>& actual,
                 const std::vector<double>& expected, std::int64_t used, std::int64_t stride,
                 double tolerance, double terms = 1) {
  double largest = terms;
  for (const double value : expected) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (static_cast<std::int64_t>(i) % stride >= used) {
      ASSERT_EQ(actual[i], kUntouched) << name << ": written between tokens at " << i;
    } else if (std::isinf(expected[i])) {
      ASSERT_EQ(actual[i], expected[i]) << name << " at " << i;
    } else {
      ASSERT_NEAR(actual[i], expected[i], tolerance * largest) << name << " at " << i;
    }
  }
}

// A logit's rounding error grows with the logit, and is the relative error of its exponential.
template <class T>
double tolerance(double largest_logit) {
  return sizeof(T) == 4 ? 2e-5 + 5e-7 * largest_logit : 1e-11;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  return std::vector<double>(values.begin(), values.end());
}

template <class T>
void expect_agreement(const Inputs<T>& in) {
  const AttentionShape& s = in.shape;
  const auto q = doubles(in.q), k = doubles(in.k), v = doubles(in.v);
  Probabilities<double> p(s, q, k);
  const double allowed = tolerance<T>(p.largest_logit);
  const Results<T> results(in);
  expect_rows("out", results.out, reference_attention(p, v), s.H * s.D, s.out_stride, allowed);
  expect_rows("lse", results.lse, p.lse, 1, 1, allowed);
  const AttentionGradients gradients = reference_gradients(p, q, k, v, doubles(in.dout));
  expect_rows("dq", results.dq, gradients.dq, s.H * s.D, s.q_stride, allowed, gradients.dq_terms);
  expect_rows("dk", results.dk, gradients.dk, s.Hkv * s.D, s.k_stride, allowed, gradients.dk_terms);
  expect_rows("dv", results.dv, gradients.dv, s.Hkv * s.D, s.v_stride, allowed);
}

template <class T>
class Attention : public ::testing::Test {
 protected:
  ~Attention() override { set_num_threads(before_); }
  int before_ = num_threads();
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Attention, Types);

#if defined(__SANITIZE_THREAD__)
constexpr int kRandomShapes = 6;  // the definition is slow there, and a race shows in any shape
#else
constexpr int kRandomShapes = 40;
#endif

TYPED_TEST(Attention, AgreesWithTheDefinitionOverRandomShapes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < kRandomShapes; ++run) {
    set_num_threads(1 + run % 3);
    const Inputs<TypeParam> inputs = random_inputs<TypeParam>(random);
    SCOPED_TRACE(describe(inputs.shape));
    ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs));
  }
}

TYPED_TEST(Attention, AgreesWithTheDefinitionOnEverySimdTarget) {
  testing::for_each_simd_target([] {
    std::mt19937_64 random(2);
    for (int run = 0; run < 3; ++run) {
      const Inputs<TypeParam> inputs = random_inputs<TypeParam>(random);
      SCOPED_TRACE(describe(inputs.shape));
      ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs));
    }
  });
}

TYPED_TEST(Attention, SharesOneKeyHeadAmongThreads) {
  std::mt19937_64 random(3);
  for (const int threads : {2, 3}) {
    set_num_threads(threads);
    for (const std::int64_t queries : {1, 40, 129}) {
      const Inputs<TypeParam> inputs(random, compact(1, queries, queries + 100, 7, 1, 16));
      SCOPED_TRACE(describe(inputs.shape));
      ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs));
    }
  }
}

TYPED_TEST(Attention, GivesTheSameBitsOnEveryRun) {
  std::mt19937_64 random(4);
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    for (const std::int64_t key_heads : {1, 4}) {
      const Inputs<TypeParam> inputs(random, compact(1, 200, 300, 4, key_heads, 64));
      const Results<TypeParam> first(inputs);
      for (int run = 0; run < 3; ++run) EXPECT_EQ(Results<TypeParam>(inputs), first);
    }
  }
}

TYPED_TEST(Attention, QueriesWithoutKeysGiveZeros) {
  std::mt19937_64 random(5);
  Inputs<TypeParam> inputs(random, compact(1, 3, 3, 2, 1, 8));
  inputs.set_first_keys({0, 3, 1});  // the second query sees nothing
  const Results<TypeParam> results(inputs);
  for (std::size_t i = 16; i < 32; ++i) {
    EXPECT_EQ(results.out[i], 0);
    EXPECT_EQ(results.dq[i], 0);
  }
  EXPECT_EQ(results.lse[1], -std::numeric_limits<TypeParam>::infinity());
  ASSERT_NO_FATAL_FAILURE(expect_agreement(inputs));
}

TYPED_TEST(Attention, TakesEmptySizes) {
  std::mt19937_64 random(6);
  for (const AttentionShape& shape :
       {compact(0, 3, 3, 2, 1, 4), compact(1, 0, 3, 2, 1, 4), compact(1, 3, 0, 2, 1, 4)}) {
    SCOPED_TRACE(describe(shape));
    ASSERT_NO_FATAL_FAILURE(expect_agreement(Inputs<TypeParam>(random, shape)));
  }
}

TYPED_TEST(Attention, PassesNanOnToTheQueriesThatSeeIt) {
  std::mt19937_64 random(7);
  Inputs<TypeParam> inputs(random, compact(1, 20, 20, 1, 1, 8));
  inputs.k[19 * 8] = std::numeric_limits<TypeParam>::quiet_NaN();  // the last key
  const Results<TypeParam> results(inputs);
  EXPECT_TRUE(std::isnan(results.out[19 * 8]));
  EXPECT_TRUE(std::isnan(results.lse[19]));
  EXPECT_TRUE(std::isnan(results.dq[19 * 8]));
  EXPECT_FALSE(std::isnan(results.lse[18]));
}

// The reference gradients themselves, against derivatives of the reference by complex steps.
TEST(AttentionReference, GradientsAreTheDerivatives) {
  std::mt19937_64 random(8);
  AttentionShape shape = compact(2, 4, 6, 4, 2, 3);
  shape.k_stride += 1;
  Inputs<double> in(random, shape);
  in.set_first_keys({0, 1, 1, 4, 0, 0, 9, 2});
  Probabilities<double> p(in.shape, in.q, in.k);
  const AttentionGradients gradients = reference_gradients(p, in.q, in.k, in.v, in.dout);

  // q, k and v as one vector.
  std::vector<double> all = in.q, expected = gradients.dq;
  for (const auto* part : {&in.k, &in.v}) all.insert(all.end(), part->begin(), part->end());
  for (const auto* part : {&gradients.dk, &gradients.dv}) {
    expected.insert(expected.end(), part->begin(), part->end());
  }
  using testing::Complex;
  const auto loss = [&](const std::vector<Complex>& inputs) {
    const auto k = inputs.begin() + static_cast<std::ptrdiff_t>(in.q.size());
    const auto v = k + static_cast<std::ptrdiff_t>(in.k.size());
    Probabilities<Complex> p(in.shape, {inputs.begin(), k}, {k, v});
    const std::vector<Complex> out = reference_attention(p, {v, inputs.end()});
    return std::inner_product(out.begin(), out.end(), in.dout.begin(), Complex(0));
  };
  const std::vector<double> derivatives = testing::complex_step_gradient(loss, all);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_NEAR(expected[i], derivatives[i], 1e-13) << i;
}

TEST(AttentionErrors, NameTheSizesThatContradict) {
  const auto message = [](const AttentionShape& shape) {
    try {
      attention<float>(shape, nullptr, nullptr, nullptr, nullptr, nullptr);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(
      message(compact(1, 2, 3, 5, 2, 4)),
      "attention: B, T, S, H, Hkv, D = 1, 2, 3, 5, 2, 4; expected no negative size, D >= 1 and "
      "query heads that are a multiple of the key heads");
  AttentionShape narrow = compact(1, 2, 3, 4, 2, 4);
  narrow.k_stride = 7;
  EXPECT_EQ(
      message(narrow),
      "attention: token strides 16, 7, 8, 16 of q, k, v, out are less than 4 heads (2 of k and v) "
      "of 4 elements");
}

}  // namespace
}  // namespace gladius::kernels
