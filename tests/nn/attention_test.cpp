#include "gladius/nn/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/grad_mode.h"
#include "support/compositions.h"
#include "support/differentiable.h"
#include "support/modules.h"

namespace gladius::nn {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr double kTheta = 100;

struct Tokens {
  Tensor positions, first_key;
};

struct Layer {
  AttentionSizes sizes;
  GroupedQueryAttention attention;

  Layer(Rng& rng, const AttentionSizes& s) : sizes(s), attention(s) { randomise(rng, attention); }

  Variable forward(const Variable& x, const Tokens& tokens, LayerCache* cache = nullptr) const {
    const RotaryEmbedding rotary(sizes.head_dim, kTheta);
    return attention.forward(x, {rotary.rotation(tokens.positions, x.dtype()), tokens.first_key},
                             cache);
  }

  // The layer by Hugging Face's description.
  Variable composition(const Variable& x, const Tokens& context) const {
    const std::int64_t B = x.size(0), T = x.size(1), D = sizes.head_dim;
    const auto project = [&](const Variable& in, const std::string& name, bool bias) {
      const Variable y = composed::linear(in, parameter(attention, name + ".weight"));
      return bias ? y + parameter(attention, name + ".bias") : y;
    };
    const auto heads = [&](const std::string& name, std::int64_t H) {
      const Variable split = reshape(project(x, name, sizes.qkv_bias), {B, T, H, D});
      if (!sizes.qk_norm_eps || name == "v_proj") return split;
      const std::string norm = name == "q_proj" ? "q_norm" : "k_norm";
      return composed::rms_norm(split, parameter(attention, norm + ".weight"), *sizes.qk_norm_eps);
    };
    std::vector<double> cosines, sines;
    const std::vector<double> frequencies = RotaryEmbedding::default_frequencies(D, kTheta);
    for (float position = 0; position < 64; ++position) {
      for (const double frequency : frequencies) {
        const float angle = position * static_cast<float>(frequency);
        cosines.push_back(std::cos(static_cast<double>(angle)));
        sines.push_back(std::sin(static_cast<double>(angle)));
      }
    }
    const Tensor cos = Tensor::from(cosines, {64, D / 2}), sin = Tensor::from(sines, {64, D / 2});
    const auto rotate = [&](const Variable& v) {
      return composed::rotary_embedding(v, cos, sin, context.positions);
    };
    const Variable mixed = composed::attention(rotate(heads("q_proj", sizes.num_heads)),
                                               rotate(heads("k_proj", sizes.num_key_value_heads)),
                                               heads("v_proj", sizes.num_key_value_heads),
                                               {.first_key = context.first_key});
    return project(reshape(mixed, {B, T, sizes.num_heads * D}), "o_proj", sizes.o_bias);
  }
};

const std::vector<AttentionSizes> kSizes{
    {6, 3, 3, 2}, {5, 4, 2, 4, true}, {4, 2, 1, 2, true, true}, {4, 4, 2, 6, false, false, 1e-3}};

Tokens context_of(std::int64_t B, std::int64_t start, std::int64_t length) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < B * length; ++i) positions.push_back(start + i % length);
  return {Tensor::from(positions, {B, length}), {}};
}

TEST(GroupedQueryAttention, EqualsItsDescription) {
  Rng rng(1);
  for (const AttentionSizes& sizes : kSizes) {
    const Layer layer(rng, sizes);
    const std::int64_t B = 2, T = 5;
    Tokens context = context_of(B, 3, T);
    for (const bool packed : {false, true}) {
      if (packed)
        context.first_key = Tensor::from<std::int64_t>({0, 0, 2, 2, 2}, {1, T}).expand({B, T});
      const Variable x(random_view(rng, {B, T, sizes.hidden_size}), true);
      const Variable y = layer.forward(x, context), z = layer.composition(x, context);
      expect_near(y.value(), z.value(), 1e-10);
      std::vector<Variable> wanted = layer.attention.parameters();
      wanted.push_back(x);
      const Variable seed(random_tensor(rng, y.shape()));
      const std::vector<Variable> a = grad({y}, wanted, {seed}), e = grad({z}, wanted, {seed});
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        SCOPED_TRACE("gradient " + std::to_string(i));
        expect_near(a[i].value(), e[i].value(), 1e-10);
      }
    }
  }
}

TEST(GroupedQueryAttention, NamesItsParametersAsHuggingFace) {
  Rng rng(2);
  const Layer layer(rng, kSizes[1]);
  EXPECT_EQ(parameter(layer.attention, "q_proj.weight").shape(), (Shape{16, 5}));
  EXPECT_EQ(parameter(layer.attention, "k_proj.weight").shape(), (Shape{8, 5}));
  EXPECT_EQ(parameter(layer.attention, "v_proj.bias").shape(), (Shape{8}));
  EXPECT_EQ(parameter(layer.attention, "o_proj.weight").shape(), (Shape{5, 16}));
  EXPECT_THROW(parameter(layer.attention, "o_proj.bias"), Error);
}

LayerCache cache_of(const AttentionSizes& s, std::int64_t B, std::int64_t capacity) {
  const Shape shape{B, capacity, s.num_key_value_heads, s.head_dim};
  return {Tensor::full(shape, std::nan(""), Dtype::F64),
          Tensor::full(shape, std::nan(""), Dtype::F64)};
}

TEST(GroupedQueryAttention, InPiecesThroughACacheIsTheSame) {
  Rng rng(3);
  const NoGrad no_grad;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    const AttentionSizes& sizes = kSizes[static_cast<std::size_t>(round) % kSizes.size()];
    const Layer layer(rng, sizes);
    const std::int64_t B = random_int(rng, 1, 3), T = random_int(rng, 1, 9);
    const Tensor x = random_tensor(rng, {B, T, sizes.hidden_size});
    const Variable whole = layer.forward(Variable(x), context_of(B, 0, T));
    LayerCache cache = cache_of(sizes, B, T + random_int(rng, 0, 3));
    for (std::int64_t at = 0; at < T;) {
      const std::int64_t n = random_int(rng, 1, T - at);
      const Variable piece(x.narrow(1, at, n));
      const Variable y = layer.forward(piece, context_of(B, at, n), &cache);
      expect_near(y.value(), whole.value().narrow(1, at, n), 1e-12);
      at += n;
      EXPECT_EQ(cache.length, at);
    }
  }
}

TEST(GroupedQueryAttention, RefusesMoreThanTheCacheHolds) {
  Rng rng(4);
  const NoGrad no_grad;
  const Layer layer(rng, kSizes[0]);
  LayerCache cache = cache_of(layer.sizes, 1, 4);
  const Variable x(random_tensor(rng, {1, 3, 6}));
  layer.forward(x, context_of(1, 0, 3), &cache);
  EXPECT_EQ(message_of<ShapeError>([&] { layer.forward(x, context_of(1, 3, 3), &cache); }),
            "attention: 3 tokens do not fit the rest of a cache of 4 that holds 3");
  EXPECT_EQ(cache.length, 3);
}

TEST(GroupedQueryAttention, RefusesSizesThatCannotBe) {
  for (const std::int64_t size : {INT64_MIN, std::int64_t{-1}, std::int64_t{1} << 62, INT64_MAX}) {
    EXPECT_THROW(GroupedQueryAttention(AttentionSizes{size, 2, 2, 2}), ShapeError) << size;
    EXPECT_THROW(GroupedQueryAttention(AttentionSizes{4, size, 2, 2}), ShapeError) << size;
    EXPECT_THROW(GroupedQueryAttention(AttentionSizes{4, 2, size, 2}), ShapeError) << size;
    EXPECT_THROW(GroupedQueryAttention(AttentionSizes{4, 2, 2, size}), ShapeError) << size;
  }
  Rng rng(7);
  const Layer layer(rng, kSizes[0]);
  const NoGrad no_grad;
  for (const std::int64_t length : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
    const Tensor store = Tensor::zeros({1, 4, 3, 2}, Dtype::F64);
    LayerCache cache{store, store, length};
    EXPECT_THROW(
        layer.forward(Variable(Tensor::ones({1, 2, 6}, Dtype::F64)), context_of(1, 0, 2), &cache),
        ShapeError)
        << length;
  }
}

}  // namespace
}  // namespace gladius::nn
