#include "gladius/autograd/ops/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

Tensor random_ids(Rng& rng, const Shape& shape, std::int64_t V) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t& id : list) id = random_int(rng, 0, V - 1);
  return Tensor::from(list, shape);
}

TEST(Embedding, EqualsItsComposition) {
  Rng rng(1);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const std::int64_t V = random_int(rng, 1, 6), C = round == 0 ? 200 : random_int(rng, 1, 9);
    const Shape shape = random_shape(rng, random_int(rng, 0, 3), round % 4 == 0 ? 0 : 1);
    Tensor ids = random_ids(rng, shape, V).to(round % 2 == 0 ? Dtype::I64 : Dtype::I32);
    if (ids.dim() >= 2) ids = ids.transpose(0, 1);
    const Function fused = [&](const Inputs& in) { return embedding(in[0], ids); };
    const Function composition = [&](const Inputs& in) { return composed::embedding(in[0], ids); };
    const std::vector<Tensor> weight{random_view(rng, {V, C})};
    expect_same_function(rng, fused, composition, weight);
    expect_float_agrees(rng, fused, composition, weight, 1e-6);
    if (C > 9) continue;
    EXPECT_NO_THROW(gradcheck(fused, leaves(weight)));
  }
}

TEST(Embedding, ReadsFrozen16BitTables) {
  Rng rng(2);
  const Tensor ids = random_ids(rng, {3, 4}, 5);
  for (const Dtype half : {Dtype::BF16, Dtype::F16}) {
    const Tensor table = random_view(rng, {5, 33}, -1, 1, half);
    const Variable y = embedding(Variable(table), ids);
    EXPECT_EQ(y.dtype(), Dtype::F32);
    EXPECT_FALSE(y.requires_grad());
    const Variable expected = composed::embedding(Variable(table.to(Dtype::F32)), ids);
    EXPECT_EQ(y.value().to_vector<float>(), expected.value().to_vector<float>());
  }
}

TEST(Embedding, AddsToTheGradientThatTheTableHas) {
  Rng rng(3);
  const Tensor ids = random_ids(rng, {7}, 4);
  const Variable weight(random_tensor(rng, {4, 3}), true);
  const Variable seed(random_tensor(rng, {7, 3}));
  const Tensor once = grad({embedding(weight, ids)}, {weight}, {seed})[0].value();
  EXPECT_FALSE(weight.grad().defined());
  Variable held = weight;
  held.set_grad(Tensor::full({4, 3}, 10, Dtype::F64));
  const void* place = weight.grad().raw_data();
  embedding(weight, ids).backward(seed);
  EXPECT_EQ(weight.grad().raw_data(), place);
  expect_near(weight.grad(), (Variable(once) + 10).value(), 1e-12);
}

// The head and the table of one language model: both kinds of gradients meet in one tensor.
TEST(Embedding, TiedToALinearLayer) {
  Rng rng(4);
  const std::int64_t V = 6, C = 3;
  const Tensor ids = random_ids(rng, {5}, V);
  const Variable seed(random_tensor(rng, {5, V}));
  const auto model = [&](const Variable& w) { return linear(tanh(embedding(w, ids)), w); };
  const Tensor weight = random_tensor(rng, {V, C});
  const Variable reference(weight, true);
  composed::linear(tanh(composed::embedding(reference, ids)), reference).backward(seed);

  const Variable w(weight, true);
  expect_near(grad({model(w)}, {w}, {seed})[0].value(), reference.grad(), 1e-12);
  for (int pass = 1; pass <= 3; ++pass) {
    model(w).backward(seed);
    expect_near(w.grad(), (Variable(reference.grad()) * pass).value(), 1e-12);
  }
  // A hook sees the whole gradient of a pass, so nothing may be added behind its back.
  Variable hooked = w;
  std::vector<Tensor> seen;
  hooked.register_hook([&](const Variable& g) {
    seen.push_back(g.value().clone());
    return g * 0.5;
  });
  model(w).backward(seed);
  ASSERT_EQ(seen.size(), 1u);
  expect_near(seen[0], reference.grad(), 1e-12);
  expect_near(w.grad(), (Variable(reference.grad()) * 3.5).value(), 1e-12);
}

TEST(Embedding, WrongUse) {
  const auto look_up = [](const Tensor& weight, const Tensor& ids) {
    return [=] { embedding(Variable(weight), ids); };
  };
  const Tensor table = Tensor::ones({4, 2});
  EXPECT_EQ(message_of<ShapeError>(look_up(table, Tensor::from<std::int64_t>({1, 4}, {2}))),
            "embedding: id 4 is not below the 4 rows of the table");
  EXPECT_THAT(message_of<ShapeError>(look_up(table, Tensor::from<std::int64_t>({-1}, {1}))),
              HasSubstr("id -1"));
  EXPECT_THAT(message_of<DtypeError>(look_up(table, Tensor::from<float>({1}, {1}))),
              HasSubstr("embedding: ids F32 [1]; expected I64 or I32"));
  EXPECT_THAT(message_of<ShapeError>(look_up(Tensor::ones({4}), Tensor::arange(2))),
              HasSubstr("weight F32 [4] is not [V, C]"));
  EXPECT_THAT(message_of<DtypeError>(look_up(table.to(Dtype::I32), Tensor::arange(2))),
              HasSubstr("weight I32 [4, 2] is no floating-point table"));
}

TEST(Embedding, IsDifferentiableTwice) {
  Rng rng(5);
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{2, 5}}) {
    SCOPED_TRACE(to_string(shape));
    const Tensor ids = random_ids(rng, shape, 3);
    // Its square too, as the look-up alone has no second derivative.
    for (const bool squared : {false, true}) {
      const Function look_up = [&](const Inputs& in) {
        const Variable y = embedding(in[0], ids);
        return squared ? y * y : y;
      };
      expect_twice_differentiable(look_up, {random_view(rng, {3, 4})});
    }
  }
}

}  // namespace
}  // namespace gladius
