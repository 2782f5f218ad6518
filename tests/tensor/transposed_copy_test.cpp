// Copies between views that are contiguous along different dimensions, against index arithmetic.
#include "gladius/tensor/transposed_copy.h"

#include <gtest/gtest.h>

#include <numeric>

#include "gladius/tensor/tensor.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;

// Part of a larger tensor, with its dimensions in any order; all elements of the whole are 0, 1,
// ...
struct Part {
  Part(Rng& rng, const Shape& shape, Dtype dtype) {
    std::vector<std::int64_t> order(shape.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::shuffle(order, rng);
    Shape stored(shape.size());
    for (std::size_t d = 0; d < shape.size(); ++d) {
      stored[static_cast<std::size_t>(order[d])] = shape[d] + random_int(rng, 0, 2);
    }
    whole = Tensor::arange(numel(stored), dtype).reshape(stored);
    view = whole.permute(order);
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const auto dim = static_cast<std::int64_t>(d);
      view = view.narrow(dim, random_int(rng, 0, view.size(dim) - shape[d]), shape[d]);
    }
  }
  // Where in the storage the element lies that has number i in row-major order.
  std::size_t place(std::int64_t i) const {
    std::int64_t at = view.offset();
    for (std::size_t d = view.shape().size(); d-- > 0;) {
      at += i % view.shape()[d] * view.strides()[d];
      i /= view.shape()[d];
    }
    return static_cast<std::size_t>(at);
  }
  Tensor whole, view;
};

TEST(TransposedCopy, MovesEveryElementAndNothingElse) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 150; ++round) {
    const Dtype dtype = round % 8 == 0 ? Dtype::I64 : round % 2 ? Dtype::F32 : Dtype::F64;
    // Sides of several blocks, and sides too short for vectors.
    Shape shape = random_shape(rng, random_int(rng, 2, 4), 1, 6);
    for (int side = 0; side < 2; ++side) {
      shape[static_cast<std::size_t>(random_int(rng, 0, std::ssize(shape) - 1))] =
          random_int(rng, 1, 150);
    }
    const Part source(rng, shape, dtype);
    Part target(rng, shape, dtype);
    SCOPED_TRACE(source.view.describe() + " with strides " + to_string(source.view.strides()) +
                 " to " + to_string(target.view.strides()));
    const std::vector<double> in = source.whole.to_vector<double>();
    std::vector<double> expected = target.whole.to_vector<double>();
    for (std::int64_t i = 0; i < numel(shape); ++i) expected[target.place(i)] = in[source.place(i)];
    target.view.copy_(source.view);
    ASSERT_TRUE(target.whole.to_vector<double>() == expected);
  }
}

TEST(TransposedCopy, BroadcastsAndToleratesOverlap) {
  const Tensor column = Tensor::arange(40, Dtype::F32).reshape({40, 1});
  const Tensor target = Tensor::zeros({30, 40});
  target.transpose(0, 1).copy_(column);
  for (std::int64_t i = 0; i < 30; ++i) {
    ASSERT_EQ(target.select(0, i).to_vector<float>(), column.to_vector<float>());
  }
  const Tensor square = Tensor::arange(100 * 100, Dtype::F64).reshape({100, 100});
  const std::vector<double> before = square.to_vector<double>();
  Tensor(square).copy_(square.transpose(0, 1));
  const std::vector<double> after = square.to_vector<double>();
  for (std::size_t i = 0; i < 100; ++i) {
    for (std::size_t j = 0; j < 100; ++j) ASSERT_EQ(after[100 * i + j], before[100 * j + i]);
  }
}

// What the operations above cannot tell: which of them took this way.
TEST(TransposedCopy, TakesMatricesOfFloatsAndDoubles) {
  const auto takes = [](const Shape& shape, const Strides& out_strides, const Strides& in_strides,
                        Dtype dtype) {
    const Tensor in = Tensor::zeros({1000}, dtype), out = Tensor::zeros({1000}, dtype);
    const StridedLoop<2> loop(shape, {&out_strides, &in_strides});
    return copy_transposed(loop, dtype, in.raw_data(), out.raw_data());
  };
  EXPECT_TRUE(takes({10, 20}, {20, 1}, {1, 10}, Dtype::F32));
  EXPECT_TRUE(takes({10, 20}, {1, 10}, {20, 1}, Dtype::F64));
  EXPECT_TRUE(takes({3, 10, 20}, {200, 20, 1}, {200, 1, 10}, Dtype::F32));
  EXPECT_FALSE(takes({10, 20}, {20, 1}, {1, 10}, Dtype::I32));
  EXPECT_FALSE(takes({10, 20}, {20, 1}, {20, 1}, Dtype::F32));  // the same order
  EXPECT_FALSE(takes({10, 20}, {20, 1}, {2, 20}, Dtype::F32));  // no unit stride
  EXPECT_FALSE(takes({3, 20}, {20, 1}, {1, 3}, Dtype::F32));    // too narrow
  EXPECT_FALSE(takes({0, 20}, {20, 1}, {1, 10}, Dtype::F32));
}

}  // namespace
}  // namespace gladius
