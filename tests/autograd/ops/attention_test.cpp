#include "gladius/autograd/ops/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

struct Sizes {
  std::int64_t B, T, S, H, Hkv, D;
};

struct AttentionCase {
  std::vector<Tensor> qkv;
  AttentionOptions options;

  AttentionCase(Rng& rng, const Sizes& s, bool causal = true, bool limited = false) {
    qkv = {random_view(rng, {s.B, s.T, s.H, s.D}, -2, 2),
           random_view(rng, {s.B, s.S, s.Hkv, s.D}, -2, 2),
           random_view(rng, {s.B, s.S, s.Hkv, s.D})};
    options.causal = causal;
    if (random_int(rng, 0, 1)) options.scale = 0.7;
    if (!limited) return;
    // From before the first key to behind the last: rows that see all, some and none.
    std::vector<std::int64_t> first(static_cast<std::size_t>(s.T * s.B));
    for (std::int64_t& key : first) key = random_int(rng, 0, s.S);
    const Dtype dtype = s.T % 2 == 0 ? Dtype::I32 : Dtype::I64;
    options.first_key = Tensor::from(first, {s.T, s.B}).to(dtype).transpose(0, 1);
  }

  Function fused() const {
    return [*this](const Inputs& in) {
      return scaled_dot_product_attention(in[0], in[1], in[2], options);
    };
  }
  Function composition() const {
    return [*this](const Inputs& in) { return composed::attention(in[0], in[1], in[2], options); };
  }
  std::string describe() const {
    return to_string(qkv[0].shape()) + to_string(qkv[1].shape()) +
           (options.causal ? " causal" : "") + (options.first_key.defined() ? " limited" : "");
  }
};

std::vector<AttentionCase> attention_cases(Rng& rng) {
  std::vector<AttentionCase> list;
  for (const bool causal : {true, false}) {
    for (const bool limited : {true, false}) {
      for (const Sizes& sizes : {Sizes{1, 1, 1, 1, 1, 1}, Sizes{2, 1, 9, 4, 2, 3},
                                 Sizes{2, 5, 3, 2, 1, 2}, Sizes{1, 70, 75, 2, 1, 8}}) {
        list.emplace_back(rng, sizes, causal, limited);
      }
      for (int i = 0; i < 6; ++i) {
        const std::int64_t Hkv = random_int(rng, 1, 2);
        const Sizes sizes{random_int(rng, 1, 3),
                          random_int(rng, 1, 7),
                          random_int(rng, 1, 7),
                          Hkv * random_int(rng, 1, 3),
                          Hkv,
                          random_int(rng, 1, 9)};
        list.emplace_back(rng, sizes, causal, limited);
      }
    }
  }
  return list;
}

TEST(Attention, EqualsItsComposition) {
  Rng rng(1);
  for (const AttentionCase& c : attention_cases(rng)) {
    SCOPED_TRACE(c.describe());
    expect_same_function(rng, c.fused(), c.composition(), c.qkv);
  }
}

TEST(Attention, InFloatAgreesWithTheCompositionInDouble) {
  Rng rng(2);
  for (const AttentionCase& c : attention_cases(rng)) {
    SCOPED_TRACE(c.describe());
    expect_float_agrees(rng, c.fused(), c.composition(), c.qkv, 2e-5);
  }
}

TEST(Attention, GradientsAgreeWithDifferences) {
  Rng rng(3);
  for (const bool causal : {true, false}) {
    for (const Sizes& sizes : {Sizes{2, 3, 4, 2, 1, 2}, Sizes{1, 1, 1, 1, 1, 1},
                               Sizes{0, 2, 2, 1, 1, 2}, Sizes{1, 9, 9, 2, 2, 3}}) {
      const AttentionCase c(rng, sizes, causal, true);
      SCOPED_TRACE(c.describe());
      EXPECT_NO_THROW(gradcheck(c.fused(), leaves(c.qkv)));
    }
  }
}

// Slices of one product, and heads before tokens: the strides that models come with.
TEST(Attention, TakesViewsOfAnyLayout) {
  Rng rng(4);
  const std::int64_t B = 2, H = 3, D = 4;
  for (const std::int64_t T : {1, 5}) {
    SCOPED_TRACE(T);
    const AttentionCase plain(rng, {B, T, T, H, H, D});
    std::vector<Tensor> by_heads, slices;
    const Tensor product = Tensor::empty({B, T, 3 * H, D}, Dtype::F64);
    for (std::int64_t i = 0; i < 3; ++i) {
      const Tensor& x = plain.qkv[static_cast<std::size_t>(i)];
      by_heads.push_back(x.transpose(1, 2).clone().transpose(1, 2));
      slices.push_back(product.narrow(2, i * H, H));
      slices.back().copy_(x);
    }
    expect_same_function(rng, plain.fused(), plain.composition(), by_heads);
    expect_same_function(rng, plain.fused(), plain.composition(), slices);
  }
}

TEST(Attention, OfNothing) {
  Rng rng(5);
  for (const Sizes& sizes : {Sizes{0, 2, 2, 1, 1, 2}, Sizes{2, 0, 3, 2, 1, 2}}) {
    const AttentionCase c(rng, sizes);
    SCOPED_TRACE(c.describe());
    expect_same_function(rng, c.fused(), c.composition(), c.qkv);
  }
  const AttentionCase blind(rng, {1, 2, 0, 2, 1, 3}, false);
  const Variable y = blind.fused()(leaves(blind.qkv));
  expect_near(y.value(), Tensor::zeros({1, 2, 2, 3}, Dtype::F64), 0);
}

TEST(Attention, QueriesWithoutKeysGiveZerosAndNoGradient) {
  Rng rng(6);
  AttentionCase c(rng, {1, 2, 3, 1, 1, 2});
  for (const std::int64_t behind_all : {std::int64_t{3}, INT64_MAX}) {
    for (const std::int64_t before_all : {std::int64_t{0}, INT64_MIN}) {
      SCOPED_TRACE(std::to_string(behind_all) + ", " + std::to_string(before_all));
      c.options.first_key = Tensor::from<std::int64_t>({behind_all, before_all}, {1, 2});
      const Inputs inputs = leaves(c.qkv);
      const Variable y = c.fused()(inputs);
      EXPECT_THAT(y.value().select(1, 0).to_vector<double>(), ::testing::Each(0));
      sum(y).backward();
      EXPECT_THAT(inputs[0].grad().select(1, 0).to_vector<double>(), ::testing::Each(0));
      EXPECT_THAT(inputs[2].grad().to_vector<double>(), ::testing::Not(::testing::Contains(0)));
    }
  }
}

TEST(Attention, SeesItsResultModifiedInPlace) {
  Rng rng(7);
  const AttentionCase c(rng, {1, 2, 2, 1, 1, 2});
  const Variable y = c.fused()(leaves(c.qkv));
  Tensor(y.value()).fill_(0);
  EXPECT_THAT(message_of<GraphError>([&] { sum(y).backward(); }),
              HasSubstr("backward of scaled_dot_product_attention"));
}

TEST(Attention, WrongUse) {
  const auto attend = [](const Shape& q, const Shape& k, const Shape& v,
                         const AttentionOptions& options = {}, Dtype dtype = Dtype::F32) {
    return [=] {
      scaled_dot_product_attention(Variable(Tensor::ones(q)), Variable(Tensor::ones(k, dtype)),
                                   Variable(Tensor::ones(v)), options);
    };
  };
  EXPECT_THAT(message_of<ShapeError>(attend({1, 2, 3, 4}, {1, 2, 2, 4}, {1, 2, 2, 4})),
              HasSubstr("q [1, 2, 3, 4], k [1, 2, 2, 4], v [1, 2, 2, 4]; expected"));
  for (const auto& [k, v] : std::vector<std::pair<Shape, Shape>>{{{2, 4}, {2, 4}},
                                                                 {{1, 2, 1, 4}, {1, 3, 1, 4}},
                                                                 {{2, 2, 1, 4}, {2, 2, 1, 4}},
                                                                 {{1, 2, 1, 5}, {1, 2, 1, 5}},
                                                                 {{1, 2, 0, 4}, {1, 2, 0, 4}}}) {
    EXPECT_THAT(message_of<ShapeError>(attend({1, 2, 3, 4}, k, v)), HasSubstr(to_string(k)));
  }
  const Shape same{1, 2, 1, 4};
  EXPECT_THAT(message_of<DtypeError>(attend(same, same, same, {}, Dtype::F64)),
              HasSubstr("k F64 [1, 2, 1, 4]"));
  const AttentionOptions wide{.first_key = Tensor::zeros({1, 3}, Dtype::I64)};
  EXPECT_THAT(message_of<ShapeError>(attend(same, same, same, wide)),
              HasSubstr("first_key I64 [1, 3] for q [1, 2, 1, 4]"));
  const AttentionOptions narrow{.first_key = Tensor::zeros({1, 2}, Dtype::F32)};
  EXPECT_THAT(message_of<DtypeError>(attend(same, same, same, narrow)),
              HasSubstr("first_key F32 [1, 2]; expected I64 or I32"));
}

TEST(Attention, IsDifferentiableTwice) {
  Rng rng(8);
  for (const bool causal : {true, false}) {
    for (const bool limited : {true, false}) {
      std::vector<Sizes> list{{1, 1, 1, 1, 1, 1},
                              {0, 2, 2, 1, 1, 2},
                              {1, 0, 2, 1, 1, 2},
                              {1, 2, 3, 2, 1, 2},
                              {1, 3, 2, 2, 2, 1}};
      for (int i = 0; i < 2; ++i) {
        const std::int64_t Hkv = random_int(rng, 1, 2);
        list.push_back({random_int(rng, 1, 2), random_int(rng, 1, 3), random_int(rng, 1, 4),
                        Hkv * random_int(rng, 1, 2), Hkv, random_int(rng, 1, 2)});
      }
      for (const Sizes& sizes : list) {
        const AttentionCase c(rng, sizes, causal, limited);
        SCOPED_TRACE(c.describe());
        expect_twice_differentiable(c.fused(), c.qkv);
      }
    }
  }
}

}  // namespace
}  // namespace gladius
