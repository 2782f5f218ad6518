// Operations under Precision::bf16: what they compute, what they keep, and what their backward
// passes compute with.
#include "gladius/tensor/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "gladius/autograd/checkpoint.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/rms_norm.h"
#include "gladius/autograd/ops/swiglu.h"
#include "gladius/autograd/saved_variable.h"
#include "gladius/tensor/matmul.h"
#include "support/random.h"

namespace gladius {
namespace {

using testing::random_int;
using testing::random_tensor;
using testing::Rng;

// As the operand of a product in bf16, in float64.
Tensor operand(const Tensor& x) { return x.to(Dtype::BF16).to(Dtype::F64); }

// Sums of K products of numbers below one, whose operands are the same.
void expect_sums(const Tensor& result, const Tensor& expected, std::int64_t K) {
  ASSERT_EQ(result.shape(), expected.shape());
  const auto got = result.to_vector<double>(), want = expected.to_vector<double>();
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 3e-7 * static_cast<double>(K + 1)) << "at " << i;
  }
}

struct RandomLinear {
  explicit RandomLinear(Rng& rng)
      : N(random_int(rng, 6, 90)),  // fewer rows are multiplied in float32
        K(random_int(rng, 6, 150)),
        M(random_int(rng, 6, 90)),
        x(random_tensor(rng, {N, K}, -1, 1, Dtype::F32), true),
        weight(random_tensor(rng, {M, K}, -1, 1, Dtype::F32), true),
        seed(random_tensor(rng, {N, M}, -1, 1, Dtype::F32)) {}
  std::int64_t N, K, M;
  Variable x, weight;
  Tensor seed;
};

TEST(Precision, ALinearLayerMultipliesRoundedOperandsForwardAndBackward) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int run = 0; run < 20; ++run) {
    const RandomLinear layer(rng);
    SCOPED_TRACE(::testing::Message() << layer.N << " x " << layer.K << " x " << layer.M);
    Variable y;
    {
      const PrecisionScope bf16(Precision::bf16);
      y = linear(layer.x, layer.weight);
    }
    y.backward(Variable(layer.seed));  // out of the scope, and computes as the forward pass did
    const Tensor x = operand(layer.x.value()), w = operand(layer.weight.value());
    const Tensor g = operand(layer.seed);
    ASSERT_NO_FATAL_FAILURE(expect_sums(y.value(), matmul(x, w.transpose(0, 1)), layer.K));
    ASSERT_NO_FATAL_FAILURE(expect_sums(layer.x.grad(), matmul(g, w), layer.M));
    ASSERT_NO_FATAL_FAILURE(
        expect_sums(layer.weight.grad(), matmul(g.transpose(0, 1), x), layer.N));
  }
}

struct RandomAttention {
  explicit RandomAttention(Rng& rng) {
    const std::int64_t T = random_int(rng, 17, 90), Hkv = random_int(rng, 1, 2);
    const std::int64_t D = random_int(rng, 1, 40);
    for (const std::int64_t heads : {2 * Hkv, Hkv, Hkv}) {
      inputs.emplace_back(random_tensor(rng, {1, T, heads, D}, -1, 1, Dtype::F32), true);
    }
    seed = random_tensor(rng, {1, T, 2 * Hkv, D}, -1, 1, Dtype::F32);
  }
  // The result and the gradients, of passes in these precisions.
  std::vector<std::vector<float>> computed(Precision forward, Precision backward) {
    for (Variable& input : inputs) input.zero_grad();
    Variable y;
    {
      const PrecisionScope scope(forward);
      y = scaled_dot_product_attention(inputs[0], inputs[1], inputs[2]);
    }
    const PrecisionScope scope(backward);
    y.backward(Variable(seed));
    std::vector<std::vector<float>> result = {y.value().to_vector<float>()};
    for (const Variable& input : inputs) result.push_back(input.grad().to_vector<float>());
    return result;
  }
  std::vector<Variable> inputs;
  Tensor seed;
};

TEST(Precision, AttentionMultipliesRoundedOperandsForwardAndBackward) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int run = 0; run < 20; ++run) {
    RandomAttention attention(rng);
    const auto f32 = attention.computed(Precision::f32, Precision::bf16);
    const auto bf16 = attention.computed(Precision::bf16, Precision::bf16);
    EXPECT_EQ(attention.computed(Precision::f32, Precision::f32), f32);
    EXPECT_EQ(attention.computed(Precision::bf16, Precision::f32), bf16);
    for (std::size_t i = 0; i < f32.size(); ++i) {
      EXPECT_NE(bf16[i], f32[i]) << i;
      // Every factor is off by 2^-8 at most; sums of terms near one of 2 x 90 rows.
      for (std::size_t j = 0; j < f32[i].size(); ++j) ASSERT_NEAR(bf16[i][j], f32[i][j], 0.5) << i;
    }
  }
}

TEST(Precision, AddsToAGradientThatIsThere) {
  Rng rng(3);
  const RandomLinear layer(rng);
  const PrecisionScope bf16(Precision::bf16);
  linear(layer.x, layer.weight).backward(Variable(layer.seed));
  const Tensor once = layer.weight.grad().clone();
  linear(layer.x, layer.weight).backward(Variable(layer.seed));
  const auto one = once.to_vector<double>(), two = layer.weight.grad().to_vector<double>();
  for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(two[i], 2 * one[i], 1e-4) << i;
}

TEST(Precision, ManySmallProductsComputeAsTheCallerDoesOnAllThreads) {
  Rng rng(4);
  const Tensor a = random_tensor(rng, {64, 20, 30}, -1, 1, Dtype::F32);
  const Tensor b = random_tensor(rng, {64, 30, 20}, -1, 1, Dtype::F32);
  const PrecisionScope bf16(Precision::bf16);
  expect_sums(matmul(a, b), matmul(operand(a), operand(b)), 30);
}

TEST(Precision, IsTheCallersAgainAfterTheScope) {
  EXPECT_EQ(product_precision(), Precision::f32);
  {
    const PrecisionScope bf16(Precision::bf16);
    const PrecisionScope f32(Precision::f32);
    EXPECT_EQ(product_precision(), Precision::f32);
  }
  EXPECT_EQ(product_precision(), Precision::f32);
}

// What an operation saves, in order.
class Types : public SavedTensorHooks {
 public:
  std::shared_ptr<PackedTensor> pack(const Tensor& value, bool is_leaf) override {
    if (!is_leaf) types.push_back(value.dtype());
    return nullptr;
  }
  std::vector<Dtype> types;
};

Variable network(const std::vector<Variable>& in) {
  const Variable x = rms_norm(in[0] * 1.5, in[1], 1e-5);
  return mean(linear(swiglu(linear(x, in[2]), linear(x, in[3])), in[4]));
}

struct RandomNetwork {
  explicit RandomNetwork(Rng& rng, Dtype dtype = Dtype::F32) {
    const std::int64_t C = random_int(rng, 1, 40), F = random_int(rng, 1, 60);
    const std::int64_t N = random_int(rng, 6, 50);
    for (const Shape& shape : {Shape{N, C}, Shape{C}, Shape{F, C}, Shape{F, C}, Shape{C, F}}) {
      inputs.emplace_back(random_tensor(rng, shape, -1, 1, dtype), true);
    }
  }
  std::vector<Tensor> gradients(bool checkpointed) {
    for (Variable& input : inputs) input.zero_grad();
    (checkpointed ? checkpoint(network, inputs) : network(inputs)).backward();
    std::vector<Tensor> result;
    for (const Variable& input : inputs) result.push_back(input.grad().clone());
    return result;
  }
  std::vector<Variable> inputs;
};

TEST(Precision, ActivationsAreKeptInBf16) {
  Rng rng(5);
  for (const bool doubles : {false, true}) {
    const RandomNetwork network_(rng, doubles ? Dtype::F64 : Dtype::F32);
    Types bf16, f32, none;
    {
      const SavedTensorScope scope(f32);
      network(network_.inputs);
    }
    {
      const PrecisionScope precision(Precision::bf16);
      const SavedTensorScope scope(bf16);
      network(network_.inputs);
    }
    {
      const PrecisionScope precision(Precision::bf16);
      const NoGrad no_grad;
      const SavedTensorScope scope(none);
      network(network_.inputs);
    }
    EXPECT_THAT(none.types, ::testing::Not(::testing::Contains(Dtype::BF16)));
    ASSERT_EQ(f32.types.size(), bf16.types.size());
    std::size_t rounded = 0;
    for (std::size_t i = 0; i < f32.types.size(); ++i) {
      EXPECT_EQ(f32.types[i], doubles ? Dtype::F64 : Dtype::F32);
      rounded += bf16.types[i] == Dtype::BF16;
    }
    // The norm's input, the linear layers' (of the first two each its own), the gate and up.
    EXPECT_EQ(rounded, doubles ? 0u : 6u);
  }
}

TEST(Precision, CheckpointsGiveTheSameBits) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int run = 0; run < 10; ++run) {
    RandomNetwork network(rng);
    std::vector<Tensor> plain, again;
    {
      const PrecisionScope bf16(Precision::bf16);
      plain = network.gradients(false);
    }
    for (Variable& input : network.inputs) input.zero_grad();
    Variable loss;
    {
      const PrecisionScope bf16(Precision::bf16);
      loss = checkpoint(gladius::network, network.inputs);
    }
    loss.backward();  // the second run of the function is out of the scope
    for (std::size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(network.inputs[i].grad().to_vector<float>(), plain[i].to_vector<float>()) << i;
    }
  }
}

TEST(Precision, RanOnTheProcessorsOwnProducts) {
  if (has_bf16_products()) return;
  GTEST_SKIP() << "this processor has no AVX512-BF16: the tests of bf16 products ran in float32 "
                  "arithmetic alone";
}

}  // namespace
}  // namespace gladius
