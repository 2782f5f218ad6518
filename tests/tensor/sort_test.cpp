// Sorting against the standard library, a row at a time.
#include "gladius/tensor/sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "gladius/tensor/indexing.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using Values = std::vector<double>;
using Indices = std::vector<std::int64_t>;

// A tensor of few different values, so that many are equal.
Tensor random_ties(Rng& rng, const Shape& shape, Dtype dtype) {
  return random_view(rng, shape, -3, 3).to(Dtype::I32).to(dtype);
}

// The indices that put a row in order.
Indices order_of(const Values& row, bool descending) {
  Indices order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t i, std::int64_t j) {
    const double a = row[static_cast<std::size_t>(i)], b = row[static_cast<std::size_t>(j)];
    return descending ? a > b : a < b;
  });
  return order;
}

TEST(Sort, IsStableAlongAnyDimensionAndTopkIsItsStart) {
  Rng rng(1);
  for (int round = 0; round < 40; ++round) {
    const Shape shape = random_shape(rng, random_int(rng, 1, 3), round % 4 == 0 ? 0 : 1, 7);
    const auto rank = static_cast<std::int64_t>(shape.size());
    const Dtype dtype =
        std::vector{Dtype::F64, Dtype::F32, Dtype::BF16, Dtype::F16, Dtype::I64, Dtype::I8}
            [static_cast<std::size_t>(round) % 6];
    const Tensor x = random_ties(rng, shape, dtype);
    const std::int64_t dim = random_int(rng, -rank, rank - 1);
    const bool descending = random_int(rng, 0, 1);
    SCOPED_TRACE(x.describe() + " along " + std::to_string(dim));
    const Sorted sorted = sort(x, dim, descending);
    EXPECT_EQ(sorted.values.dtype(), dtype);
    EXPECT_EQ(sorted.indices.dtype(), Dtype::I64);
    EXPECT_EQ(sorted.values.to_vector<double>(),
              gather(x, dim, sorted.indices).to_vector<double>());
    const std::int64_t n = x.size(dim), k = random_int(rng, 0, n);
    const Shape matrix{x.numel() / std::max<std::int64_t>(n, 1), n};
    const Tensor rows = x.transpose(dim, -1).reshape(matrix);
    const Tensor orders = sorted.indices.transpose(dim, -1).reshape(matrix);
    for (std::int64_t r = 0; r < matrix[0]; ++r) {
      EXPECT_EQ(orders.select(0, r).to_vector<std::int64_t>(),
                order_of(rows.select(0, r).to_vector<double>(), descending));
    }
    const Sorted top = topk(x, k, dim, descending);
    EXPECT_EQ(top.indices.to_vector<std::int64_t>(),
              sorted.indices.narrow(dim, 0, k).to_vector<std::int64_t>());
    EXPECT_EQ(top.values.to_vector<double>(), sorted.values.narrow(dim, 0, k).to_vector<double>());
  }
}

TEST(Sort, PutsNanAboveEveryNumber) {  // as PyTorch
  const double nan = std::nan("");
  const Tensor x = Tensor::from<double>({3, nan, INFINITY, 1, nan}, {5});
  EXPECT_EQ(sort(x).indices.to_vector<std::int64_t>(), (Indices{3, 0, 2, 1, 4}));
  EXPECT_EQ(sort(x, 0, true).indices.to_vector<std::int64_t>(), (Indices{1, 4, 2, 0, 3}));
  EXPECT_EQ(topk(x, 2).indices.to_vector<std::int64_t>(), (Indices{1, 4}));
  EXPECT_EQ(topk(x, 4, 0, false).indices.to_vector<std::int64_t>(), (Indices{3, 0, 2, 1}));
}

TEST(Sort, OfManyRowsAndLongOnes) {
  Rng rng(2);
  for (const Shape& shape : {Shape{3000, 11}, Shape{2, 20'000}}) {
    const Tensor x = random_tensor(rng, shape);
    const Tensor values = sort(x).values;
    for (std::int64_t r = 0; r < x.size(0); r += 997) {
      Values row = x.select(0, r).to_vector<double>();
      std::ranges::sort(row);
      EXPECT_EQ(values.select(0, r).to_vector<double>(), row);
    }
    EXPECT_EQ(topk(x, 5).values.to_vector<double>(),
              sort(x, -1, true).values.narrow(1, 0, 5).to_vector<double>());
  }
}

TEST(Sort, OfAScalarAndOfBools) {
  EXPECT_EQ(sort(Tensor::scalar(2)).values.item(), 2);
  EXPECT_EQ(topk(Tensor::scalar(2), 1).indices.shape(), Shape{});
  const Tensor bits = Tensor::from<double>({1, 0, 1}, {3}).to(Dtype::BOOL);
  EXPECT_EQ(sort(bits).indices.to_vector<std::int64_t>(), (Indices{1, 0, 2}));
}

TEST(Sort, WrongUse) {
  const Tensor x = Tensor::ones({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] { sort(x, 2); }),
            "sort: dimension 2 of a tensor with 2 dimensions");
  EXPECT_EQ(message_of<ShapeError>([&] { topk(x, 4); }),
            "topk: k = 4 of the 3 elements along dimension -1 of F32 [2, 3]");
  EXPECT_EQ(message_of<ShapeError>([&] { topk(x, -1, 0); }),
            "topk: k = -1 of the 2 elements along dimension 0 of F32 [2, 3]");
  EXPECT_EQ(message_of<ShapeError>([&] { topk(x, 1, -3); }),
            "topk: dimension -3 of a tensor with 2 dimensions");
}

}  // namespace
}  // namespace gladius
