// Sizes, strides and indices at the ends of their type: an error or the right result, and no
// overflow. What is allowed is as in PyTorch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>

#include "gladius/tensor/indexing.h"
#include "gladius/tensor/matmul.h"
#include "gladius/tensor/random.h"
#include "gladius/tensor/reduce.h"
#include "gladius/tensor/sort.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

constexpr std::int64_t kHuge = std::int64_t{1} << 62;
const std::initializer_list<std::int64_t> kExtremes = {
    INT64_MIN, INT64_MIN + 1, -kHuge,   -(std::int64_t{1} << 31), std::int64_t{1} << 31,
    kHuge,     INT64_MAX - 1, INT64_MAX};

TEST(ExtremeSizes, TensorsThatCannotBeAreRefused) {
  EXPECT_THAT(message_of<ShapeError>([] {
                Tensor::empty({0, kHuge, kHuge});
              }),
              HasSubstr("strides of [0, 4611686018427387904, 4611686018427387904] overflow"));
  EXPECT_THROW(Tensor::empty({kHuge, kHuge, 0}), ShapeError);
  EXPECT_THAT(message_of<ShapeError>([] { Tensor::empty({kHuge}); }),  // 2^64 bytes, which wraps
              HasSubstr("more bytes than can be counted"));
  for (const std::int64_t size : kExtremes) {
    if (size == std::int64_t{1} << 31) continue;  // some machine may have the memory
    EXPECT_ANY_THROW(Tensor::empty({size})) << size;
    EXPECT_ANY_THROW(Tensor::zeros({2, size})) << size;
    EXPECT_ANY_THROW(Tensor::arange(size)) << size;
    if (size < 0) {
      EXPECT_THROW(Tensor::empty({0, size}), ShapeError) << size;
    }
  }
  EXPECT_EQ(Tensor::empty({0, kHuge}).numel(), 0);
  EXPECT_EQ(Tensor::empty({kHuge, 0}).clone().shape(), (Shape{kHuge, 0}));
}

TEST(ExtremeSizes, StridesAndOffsetsStayInTheStorage) {
  const auto storage = Storage::allocate(64);
  const auto view = [&](const Shape& shape, const Strides& strides, std::int64_t offset) {
    return Tensor(storage, shape, strides, offset, Dtype::F32);
  };
  for (const std::int64_t extreme : kExtremes) {
    EXPECT_THROW(view({2}, {extreme}, 0), ShapeError) << extreme;
    EXPECT_THROW(view({3, 2}, {extreme, 1}, 4), ShapeError) << extreme;
    EXPECT_THROW(view({2, 2}, {extreme, extreme}, 0), ShapeError) << extreme;
    EXPECT_THROW(view({2}, {1}, extreme), ShapeError) << extreme;
    EXPECT_THROW(view({0}, {1}, extreme), ShapeError) << extreme;
    EXPECT_EQ(view({1}, {extreme}, 3).clone().numel(), 1) << extreme;  // never taken
  }
  EXPECT_THROW(view({0, 4}, {1, kHuge}, 0), ShapeError);  // a walk over it would overflow
}

TEST(ExtremeSizes, ViewsTakeAnyNumber) {
  const Tensor x = Tensor::zeros({3, 4});
  for (const std::int64_t extreme : kExtremes) {
    EXPECT_THROW(x.reshape({extreme}), ShapeError) << extreme;
    EXPECT_THROW(x.reshape({-1, extreme}), ShapeError) << extreme;
    EXPECT_THROW(x.view({extreme, extreme}), ShapeError) << extreme;
    EXPECT_THROW(x.transpose(0, extreme), ShapeError) << extreme;
    EXPECT_THROW(x.permute({extreme, 0}), ShapeError) << extreme;
    EXPECT_THROW(x.select(extreme, 0), ShapeError) << extreme;
    EXPECT_THROW(x.select(0, extreme), ShapeError) << extreme;
    EXPECT_THROW(x.unsqueeze(extreme), ShapeError) << extreme;
    EXPECT_THROW(x.squeeze(extreme), ShapeError) << extreme;
    EXPECT_THROW(x.size(extreme), ShapeError) << extreme;
    EXPECT_THROW(x.narrow(0, extreme, 1), ShapeError) << extreme;
    EXPECT_THROW(x.narrow(0, 1, extreme), ShapeError) << extreme;
    EXPECT_THROW(x.narrow(0, 0, 2, extreme), ShapeError) << extreme;
    EXPECT_THROW(x.expand({extreme, 4}), ShapeError) << extreme;
    if (extreme > 0) {
      EXPECT_EQ(x.narrow(1, 2, 1, extreme).clone().shape(), (Shape{3, 1}));
      EXPECT_EQ(x.narrow(1, 0, 0, extreme).numel(), 0);
    }
  }
  EXPECT_THROW(Tensor::zeros({1}).expand({kHuge, kHuge}), ShapeError);
  EXPECT_THROW(Tensor::zeros({0}).reshape({-1, 0}), ShapeError);  // -1 could be anything
  EXPECT_EQ(Tensor::zeros({0}).reshape({-1, 5}).shape(), (Shape{0, 5}));
  EXPECT_THROW(Tensor::zeros({0}).reshape({0, kHuge, kHuge}), ShapeError);
  EXPECT_EQ(Tensor::zeros({3, 0}).select(0, 2).shape(), (Shape{0}));
}

TEST(ExtremeSizes, OperationsTakeAnyNumber) {
  const Tensor x = Tensor::ones({3, 4});
  for (const std::int64_t extreme : kExtremes) {
    EXPECT_EQ(sum(tril(x, extreme)).item(), extreme < 0 ? 0 : 12) << extreme;
    EXPECT_EQ(sum(triu(x, extreme)).item(), extreme < 0 ? 12 : 0) << extreme;
    EXPECT_THROW(topk(x, extreme), ShapeError) << extreme;
    EXPECT_THROW(sort(x, extreme), ShapeError) << extreme;
    EXPECT_THROW(sum(x, {extreme}), ShapeError) << extreme;
    EXPECT_THROW(argmax(x, extreme), ShapeError) << extreme;
    EXPECT_THROW(cumsum(x, extreme), ShapeError) << extreme;
    EXPECT_THROW(cat({x, x}, extreme), ShapeError) << extreme;
    EXPECT_THROW(stack({x, x}, extreme), ShapeError) << extreme;
    EXPECT_THROW(
        index_select(x, 0, Tensor::full({1}, static_cast<double>(extreme / 2), Dtype::I64)),
        ShapeError)
        << extreme;
    if (extreme == std::int64_t{1} << 31) continue;  // some machine may have the memory
    EXPECT_ANY_THROW(multinomial(x, extreme, false)) << extreme;
    EXPECT_ANY_THROW(multinomial(x, extreme, true)) << extreme;
    EXPECT_ANY_THROW(rand({extreme})) << extreme;
  }
  const Tensor long_and_empty = Tensor::empty({kHuge, 0});
  EXPECT_THROW(cat({long_and_empty, long_and_empty, long_and_empty}), ShapeError);
  EXPECT_EQ(sort(long_and_empty, 1).indices.shape(), (Shape{kHuge, 0}));
  EXPECT_EQ(topk(long_and_empty, 0, 1).values.shape(), (Shape{kHuge, 0}));
  EXPECT_EQ(cumsum(long_and_empty, 1).shape(), (Shape{kHuge, 0}));
  EXPECT_EQ(multinomial(Tensor::empty({0, kHuge}), kHuge, true).shape(), (Shape{0, kHuge}));
  const Tensor shared = Tensor::ones({1, 1, 1});
  EXPECT_THROW(  // 2^72 products of one number
      matmul(shared.expand({1, 1024, kHuge / 1024}), shared.expand({1, kHuge / 1024, 1024})),
      Error);
}

TEST(ExtremeSizes, NumbersThatAnIntegerTypeCannotHoldAreRefused) {
  EXPECT_THROW(Tensor::full({2}, 256, Dtype::U8), Error);
  EXPECT_THROW(Tensor::full({2}, NAN, Dtype::I32), Error);
  EXPECT_THROW(Tensor::full({2}, 0x1p63, Dtype::I64), Error);
  EXPECT_THROW(Tensor::full({2}, -129, Dtype::I8), Error);
  EXPECT_EQ(Tensor::full({1}, -1, Dtype::U8).item(), 255);
  EXPECT_EQ(Tensor::full({1}, -0x1p63, Dtype::I64).to_vector<std::int64_t>()[0], INT64_MIN);
  EXPECT_THAT(message_of<Error>([] { arange(120, 130, 1, Dtype::I8); }),
              HasSubstr("arange: 128 does not fit I8"));
  EXPECT_THROW(arange(0, 0x1p60), std::exception);
}

}  // namespace
}  // namespace gladius
