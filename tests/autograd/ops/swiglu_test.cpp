#include "gladius/autograd/ops/swiglu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

Variable fused_swiglu(const Inputs& in) { return swiglu(in[0], in[1]); }
Variable composed_swiglu(const Inputs& in) { return composed::swiglu(in[0], in[1]); }

// One larger than what a thread is worth among them.
std::vector<Shape> swiglu_shapes(Rng& rng) {
  std::vector<Shape> list{{}, {1}, {0}, {3, 0}, {129, 131}};
  for (int i = 0; i < 12; ++i) list.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 6));
  return list;
}

TEST(Swiglu, EqualsItsComposition) {
  Rng rng(1);
  for (const Shape& shape : swiglu_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_same_function(rng, fused_swiglu, composed_swiglu,
                         {random_view(rng, shape, -4, 4), random_view(rng, shape)});
  }
}

TEST(Swiglu, InFloatAgreesWithTheCompositionInDouble) {
  Rng rng(2);
  for (const Shape& shape : swiglu_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_float_agrees(rng, fused_swiglu, composed_swiglu,
                        {random_view(rng, shape, -4, 4), random_view(rng, shape)});
  }
}

TEST(Swiglu, GradientsAgreeWithDifferences) {
  Rng rng(3);
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3, 4}, Shape{2, 101}}) {
    SCOPED_TRACE(to_string(shape));
    const Inputs inputs = leaves({random_view(rng, shape, -3, 3), random_view(rng, shape)});
    EXPECT_NO_THROW(gradcheck(fused_swiglu, inputs));
  }
}

TEST(Swiglu, SaturatesWithoutOverflow) {
  const Variable gate(Tensor::from<float>({-200, 200}, {2}), true);
  const Variable up(Tensor::from<float>({3, 3}, {2}));
  const Variable y = swiglu(gate, up);
  EXPECT_THAT(y.value().to_vector<float>(), ::testing::ElementsAre(0, 600));
  EXPECT_THAT(grad({sum(y)}, {gate})[0].value().to_vector<float>(), ::testing::ElementsAre(0, 3));
}

// What is seen elsewhere stays as it is.
TEST(Swiglu, WithoutGradientsTheResultTakesAnExclusiveGatesMemory) {
  Rng rng(5);
  const Tensor g = random_tensor(rng, {7, 129}, -4, 4, Dtype::F32);
  const Variable up(random_tensor(rng, {7, 129}, -1, 1, Dtype::F32));
  const auto expected = swiglu(Variable(g), up).value().to_vector<float>();
  const auto same = [&](const Variable& y) { return y.value().to_vector<float>() == expected; };
  const NoGrad no_grad;
  Variable alone(g.clone());
  const float* memory = alone.value().data<float>();
  const Variable y = swiglu(std::move(alone), up);
  EXPECT_EQ(y.value().data<float>(), memory);
  EXPECT_TRUE(same(y));
  const Variable handle(g.clone());
  EXPECT_TRUE(same(swiglu(Variable(handle), up)));          // one variable, two handles
  EXPECT_TRUE(same(swiglu(Variable(handle.value()), up)));  // two variables, one tensor
  EXPECT_EQ(handle.value().to_vector<float>(), g.to_vector<float>());
  const Variable columns(g.clone().narrow(1, 3, 100));  // not contiguous
  EXPECT_EQ(swiglu(Variable(columns.value()), Variable(up.value().narrow(1, 3, 100))).shape(),
            (Shape{7, 100}));
}

TEST(Swiglu, GradientsKeepTheGate) {
  Rng rng(6);
  const Variable x(random_tensor(rng, {5}, -4, 4, Dtype::F64), true);
  const auto twice = [](const Inputs& in) { return swiglu(in[0] * 2.0, in[0]); };
  EXPECT_NO_THROW(gradcheck(twice, {x}));
}

TEST(Swiglu, WrongUse) {
  const auto apply = [](const Tensor& a, const Tensor& b) {
    return [=] { swiglu(Variable(a), Variable(b)); };
  };
  EXPECT_EQ(message_of<ShapeError>(apply(Tensor::ones({2, 3}), Tensor::ones({3}))),
            "swiglu: gate F32 [2, 3] and up F32 [3] differ");
  EXPECT_EQ(message_of<DtypeError>(apply(Tensor::ones({2}), Tensor::ones({2}, Dtype::F64))),
            "swiglu: gate F32 [2] and up F64 [2] differ in type");
  const Tensor half = Tensor::ones({2}, Dtype::BF16);
  EXPECT_THAT(message_of<DtypeError>(apply(half, half)), HasSubstr("swiglu: arithmetic takes"));
}

TEST(Swiglu, IsDifferentiableTwice) {
  Rng rng(4);
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3, 4}}) {
    SCOPED_TRACE(to_string(shape));
    expect_twice_differentiable(fused_swiglu,
                                {random_view(rng, shape, -3, 3), random_view(rng, shape)});
  }
  // One variable at both places has the sum of their gradients.
  const Function square = [](const Inputs& in) { return swiglu(in[0], in[0]); };
  expect_twice_differentiable(square, {random_view(rng, {5}, -3, 3)});
}

}  // namespace
}  // namespace gladius
