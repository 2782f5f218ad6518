#include "gladius/autograd/ops/rotary_embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// Any tables, not only rotations: the operation is linear in them.
struct RotaryCase {
  Tensor x, cos, sin, positions;

  RotaryCase(Rng& rng, Shape tokens, std::int64_t H, std::int64_t D) {
    const std::int64_t P = random_int(rng, 1, 9);
    cos = random_view(rng, {P, D / 2});
    sin = random_view(rng, {P, D / 2});
    const Shape larger{numel(tokens), 2};
    std::vector<std::int64_t> list(static_cast<std::size_t>(2 * numel(tokens)));
    for (std::int64_t& position : list) position = random_int(rng, 0, P - 1);
    const Dtype dtype = P % 2 == 0 ? Dtype::I32 : Dtype::I64;
    positions = Tensor::from(list, larger).to(dtype).select(1, 1).reshape(tokens);
    tokens.insert(tokens.end(), {H, D});
    x = random_view(rng, tokens);
  }

  Function fused() const {
    return [*this](const Inputs& in) {
      const Dtype dtype = in[0].dtype();
      return rotary_embedding(in[0], cos.to(dtype), sin.to(dtype), positions);
    };
  }
  Function composition() const {
    return [*this](const Inputs& in) {
      const Dtype dtype = in[0].dtype();
      return composed::rotary_embedding(in[0], cos.to(dtype), sin.to(dtype), positions);
    };
  }
};

std::vector<RotaryCase> rotary_cases(Rng& rng) {
  std::vector<RotaryCase> list{RotaryCase(rng, {}, 1, 2), RotaryCase(rng, {0}, 2, 4),
                               RotaryCase(rng, {2, 100}, 3, 32)};
  for (int i = 0; i < 15; ++i) {
    list.emplace_back(rng, random_shape(rng, random_int(rng, 0, 3)), random_int(rng, 1, 4),
                      2 * random_int(rng, 1, 9));
  }
  return list;
}

TEST(RotaryEmbedding, EqualsItsComposition) {
  Rng rng(1);
  for (const RotaryCase& c : rotary_cases(rng)) {
    SCOPED_TRACE(to_string(c.x.shape()));
    expect_same_function(rng, c.fused(), c.composition(), {c.x});
  }
}

TEST(RotaryEmbedding, InFloatAgreesWithTheCompositionInDouble) {
  Rng rng(2);
  for (const RotaryCase& c : rotary_cases(rng)) {
    SCOPED_TRACE(to_string(c.x.shape()));
    expect_float_agrees(rng, c.fused(), c.composition(), {c.x}, 1e-6);
  }
}

TEST(RotaryEmbedding, GradientsAgreeWithDifferences) {
  Rng rng(3);
  for (const Shape& tokens : {Shape{}, Shape{0}, Shape{2, 3}, Shape{40}}) {
    const RotaryCase c(rng, tokens, 2, 4);
    SCOPED_TRACE(to_string(c.x.shape()));
    EXPECT_NO_THROW(gradcheck(c.fused(), leaves({c.x})));
  }
}

TEST(RotaryEmbedding, WrongUse) {
  const auto rotate = [](const Shape& shape, const Tensor& table, const Tensor& positions) {
    return [=] { rotary_embedding(Variable(Tensor::ones(shape)), table, table, positions); };
  };
  const Tensor table = Tensor::ones({5, 2});
  const auto at = [](std::vector<std::int64_t> list) {
    return Tensor::from(list, {static_cast<std::int64_t>(list.size())});
  };
  EXPECT_EQ(message_of<ShapeError>(rotate({2, 1, 3}, table, at({0, 0}))),
            "rotary_embedding: input [2, 1, 3] does not fit tables [5, 2] and positions [2]");
  EXPECT_THAT(message_of<ShapeError>(rotate({2, 1, 8}, table, at({0, 0}))), HasSubstr("[2, 1, 8]"));
  EXPECT_THAT(message_of<ShapeError>(rotate({2, 1, 4}, table, at({0}))),
              HasSubstr("positions [1]"));
  EXPECT_THAT(message_of<ShapeError>(rotate({4}, table, at({0}))), HasSubstr("input [4]"));
  EXPECT_THAT(message_of<ShapeError>(rotate({2, 1, 4}, table, at({0, 5}))),
              HasSubstr("position 5 is not below 5"));
  EXPECT_THAT(message_of<ShapeError>(rotate({2, 1, 4}, table, at({-1, 0}))),
              HasSubstr("position -1"));
  EXPECT_THAT(message_of<ShapeError>(rotate({1, 1, 4}, table, at({INT64_MAX}))),
              HasSubstr("position 9223372036854775807 is not below 5"));
  EXPECT_THAT(message_of<DtypeError>(rotate({2, 1, 4}, table.to(Dtype::F64), at({0, 0}))),
              HasSubstr("tables F64 [5, 2]"));
  EXPECT_THAT(message_of<DtypeError>(rotate({2, 1, 4}, table, at({0, 0}).to(Dtype::U8))),
              HasSubstr("positions U8 [2]; expected I64 or I32"));
}

TEST(RotaryEmbedding, IsDifferentiableTwice) {
  Rng rng(4);
  for (const Shape& tokens : {Shape{}, Shape{0}, Shape{2, 3}}) {
    SCOPED_TRACE(to_string(tokens));
    const RotaryCase c(rng, tokens, 2, 4);
    expect_twice_differentiable(c.fused(), {c.x});
    const Function squared = [&](const Inputs& in) {
      const Variable y = c.fused()(in);
      return y * y;
    };
    expect_twice_differentiable(squared, {c.x});
  }
}

}  // namespace
}  // namespace gladius
