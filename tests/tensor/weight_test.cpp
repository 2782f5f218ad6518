#include "gladius/tensor/weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gladius/tensor/matmul.h"
#include "gladius/tensor/parallel.h"
#include "support/blocks.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using namespace gladius::testing;

constexpr Dtype kTypes[] = {Dtype::F32,  Dtype::F64,  Dtype::BF16, Dtype::F16,  Dtype::Q4_0,
                            Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1, Dtype::Q8_0, Dtype::Q2_K,
                            Dtype::Q3_K, Dtype::Q4_K, Dtype::Q5_K, Dtype::Q6_K};

// A weight with rows of about K elements; numbers below one or so.
Tensor random_weight(Rng& rng, std::int64_t N, std::int64_t K, Dtype dtype) {
  if (!is_quantized(dtype)) return random_view(rng, {N, K}, -1, 1, dtype);
  const Tensor larger = random_blocks(rng, {2 * N + 1, K / 32 * block_elements(dtype)}, dtype);
  return larger.narrow(0, 1, N, 2);  // every second row
}

// `result` is `expected`, in float64, to the roundings of sums of `terms` products below one.
void expect_close(const Tensor& result, const Tensor& expected, std::int64_t terms,
                  double epsilon = 3e-7) {
  ASSERT_EQ(result.shape(), expected.shape());
  const std::vector<double> got = result.to_vector<double>(), want = expected.to_vector<double>();
  if (result.dtype() == Dtype::F64) epsilon = 1e-15;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], epsilon * (1 + static_cast<double>(terms))) << "at " << i;
  }
}

Tensor in_float64(const Tensor& x) { return x.to(Dtype::F64); }

TEST(Weight, MultipliesAndLooksUpInEveryType) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int run = 0; run < 40; ++run) {
    for (const Dtype dtype : kTypes) {
      // Few rows and many are multiplied in different ways.
      const std::int64_t M = random_int(rng, 0, run % 2 ? 6 : 40), N = random_int(rng, 1, 70),
                         K = random_int(rng, 0, 130);
      SCOPED_TRACE(::testing::Message()
                   << dtype_name(dtype) << ", " << M << " x " << N << " x " << K);
      const Weight weight(random_weight(rng, N, K, dtype));
      const Tensor w = in_float64(weight.matrix());
      const std::int64_t width = weight.shape()[1];
      const Tensor x = random_view(rng, {M, 1, width}, -1, 1, weight.activation_dtype());
      const Tensor g = random_view(rng, {M, 1, N}, -1, 1, weight.activation_dtype());
      // Few rows, and any number by K types, are multiplied by blocks in 16 bits
      // (kernels/blocks.h): numbers up to one to 2^-16, or 2^-15 by Q6_K.
      ASSERT_NO_FATAL_FAILURE(expect_close(weight.multiply(x),
                                           matmul(in_float64(x), w.transpose(0, 1)), width,
                                           dtype == Dtype::Q6_K  ? 3.1e-5
                                           : is_quantized(dtype) ? 1.6e-5
                                                                 : 3e-7));
      ASSERT_NO_FATAL_FAILURE(
          expect_close(weight.multiply_transposed(g), matmul(in_float64(g), w), N));
      Tensor rows = Tensor::full({M, width}, 7, weight.activation_dtype());
      weight.multiply_transposed_into(rows, g.reshape({M, N}));
      ASSERT_NO_FATAL_FAILURE(expect_close(rows, matmul(in_float64(g.reshape({M, N})), w), N));

      std::vector<std::int64_t> ids(static_cast<std::size_t>(M));
      for (std::int64_t& id : ids) id = random_int(rng, 0, N - 1);
      const Tensor found = weight.rows(Tensor::from(ids, {M}));
      for (std::int64_t i = 0; i < M; ++i) {
        ASSERT_EQ(found.select(0, i).to_vector<double>(),
                  w.select(0, ids[static_cast<std::size_t>(i)]).to_vector<double>());
      }
    }
  }
}

TEST(Weight, SeveralAtOnceAreMultipliedAsEachAlone) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const int threads = num_threads();
  for (int run = 0; run < 60; ++run) {
    set_num_threads(static_cast<int>(random_int(rng, 1, 4)));
    const std::int64_t K = 256 * random_int(rng, 0, 2);
    std::vector<Weight> weights;
    for (std::int64_t i = random_int(rng, 0, 4); i > 0; --i) {
      Dtype dtype = Dtype::F64;
      while (dtype == Dtype::F64) dtype = kTypes[random_int(rng, 0, std::ssize(kTypes) - 1)];
      weights.emplace_back(random_weight(rng, random_int(rng, 1, 400), K / 256 * 32, dtype));
      // Rows of 32 groups have other widths in the types of larger blocks.
      if (weights.back().shape()[1] != weights.front().shape()[1]) weights.pop_back();
    }
    const std::int64_t width = weights.empty() ? K : weights.front().shape()[1];
    const Tensor x = random_view(rng, {random_int(rng, 0, 2), 1, width}, -1, 1, Dtype::F32);
    const std::vector<Tensor> results = multiply_each(x, weights);
    ASSERT_EQ(results.size(), weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Tensor alone = weights[i].multiply(x);
      ASSERT_EQ(results[i].shape(), alone.shape());
      ASSERT_EQ(results[i].to_vector<float>(), alone.to_vector<float>())
          << weights[i].matrix().describe();
    }
  }
  set_num_threads(threads);
  const std::vector<Weight> other{Weight(Tensor::ones({2, 3})), Weight(Tensor::ones({2, 4}))};
  EXPECT_THROW(multiply_each(Tensor::ones({3}), other), ShapeError);
}

TEST(Weight, KnowsWhatItIs) {
  const Weight half(Tensor::ones({3, 5}, Dtype::BF16));
  EXPECT_EQ(half.nbytes(), 30u);
  EXPECT_EQ(half.activation_dtype(), Dtype::F32);
  EXPECT_EQ(half.shape(), (Shape{3, 5}));
  for (const Dtype dtype : kTypes) {
    EXPECT_TRUE(is_weight_dtype(dtype));
    EXPECT_EQ(is_trainable(dtype), dtype == Dtype::F32 || dtype == Dtype::F64);
  }
  EXPECT_FALSE(is_weight_dtype(Dtype::I64));
  EXPECT_FALSE(is_trainable(Dtype::I64));
}

TEST(Weight, WrongUse) {
  EXPECT_EQ(message_of<ShapeError>([] {
              Weight(Tensor::ones({2, 3, 4}));
            }),
            "weight [2, 3, 4] is not a matrix");
  EXPECT_THAT(message_of<DtypeError>([] {
                Weight(Tensor::ones({2, 3}, Dtype::I64));
              }),
              HasSubstr("weight I64 [2, 3] is not of a type that weights have"));
  const Weight weight(Tensor::ones({2, 3}, Dtype::F16));
  EXPECT_EQ(message_of<ShapeError>([&] {
              weight.multiply(Tensor::ones({4, 2}));
            }),
            "linear: input [4, 2] does not fit weight [2, 3]");
  EXPECT_THAT(message_of<DtypeError>([&] {
                weight.multiply(Tensor::ones({4, 3}, Dtype::F64));
              }),
              HasSubstr("linear: input F64 [4, 3] with weight F16 [2, 3]"));
}

}  // namespace
}  // namespace gladius
