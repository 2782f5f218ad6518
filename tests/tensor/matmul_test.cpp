// Matrix products against triple loops.
#include "gladius/tensor/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// Of operands with the same batch shape.
Tensor product(const Tensor& a, const Tensor& b) {
  const std::int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  Shape shape = a.shape();
  shape.back() = n;
  const std::vector<double> u = a.to_vector<double>(), v = b.to_vector<double>();
  std::vector<double> out(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t r = 0; r < static_cast<std::int64_t>(out.size()) / std::max<std::int64_t>(n, 1);
       ++r) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < k; ++i) {
        out[static_cast<std::size_t>(r * n + j)] +=
            u[static_cast<std::size_t>(r * k + i)] *
            v[static_cast<std::size_t>((r / m * k + i) * n + j)];
      }
    }
  }
  return Tensor::from(out, shape);
}

void expect_product(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.shape(), expected.shape());
  expect_close(actual.to_vector<double>(), expected.to_vector<double>(),
               actual.dtype() == Dtype::F32 ? 1e-5 : 1e-12);
}

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.insert(batch.end(), {rows, columns});
  return batch;
}

TEST(Matmul, BroadcastsBatchesAsTorch) {
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    Rng rng(1);
    for (int round = 0; round < 80; ++round) {
      const std::int64_t low = round % 4 == 0 ? 0 : 1;
      const std::int64_t m = random_int(rng, low, 7), k = random_int(rng, low, 7),
                         n = random_int(rng, low, 7);
      const Shape batch = random_shape(rng, random_int(rng, 0, 3), 1, 3);
      const Tensor a = random_view(rng, with_matrix(batch, m, k), -1, 1, dtype);
      const Tensor b =
          random_view(rng, with_matrix(random_broadcastable(rng, batch), k, n), -1, 1, dtype);
      SCOPED_TRACE(a.describe() + b.describe());
      const Tensor wide = b.expand(with_matrix(batch, k, n));
      expect_product(matmul(a, b), product(a, wide));
      expect_product(matmul(wide.transpose(-1, -2), a.transpose(-1, -2)),
                     product(a, wide).transpose(-1, -2).contiguous());
    }
  }
}

TEST(Matmul, OfLargeMatrices) {
  Rng rng(2);
  const Tensor a = random_view(rng, {2, 150, 140}), b = random_view(rng, {2, 140, 130});
  expect_product(matmul(a, b), product(a, b));
}

TEST(Matmul, OfVectors) {
  Rng rng(3);
  const Tensor row = random_view(rng, {4}), column = random_view(rng, {4}),
               m = random_view(rng, {3, 2, 4}), w = random_view(rng, {3, 4, 5});
  const Tensor as_row = row.unsqueeze(0), as_column = column.unsqueeze(1);
  expect_product(matmul(row, column), product(as_row, as_column).reshape({}));
  expect_product(matmul(m, column), product(m, as_column.expand({3, 4, 1})).squeeze(-1));
  expect_product(matmul(row, w), product(as_row.expand({3, 1, 4}), w).squeeze(1));
}

TEST(Matmul, IntoAGivenMatrix) {
  Rng rng(4);
  const Tensor a = random_view(rng, {3, 4}), b = random_view(rng, {4, 2});
  Tensor out = Tensor::full({3, 2}, 7, Dtype::F64);
  for (const bool stream : {true, false}) {
    out.fill_(7);
    matmul_into(out, a, b, {.stream = stream});
    expect_product(out, product(a, b));
  }
  matmul_into(out, a, b, {.accumulate = true});
  expect_product(out, product(Tensor::from(a.to_vector<double>(), a.shape()),
                              product(b, Tensor::from<double>({2, 0, 0, 2}, {2, 2}))));
  Tensor wrong = Tensor::ones({2, 3}, Dtype::F64);
  EXPECT_THAT(message_of<ShapeError>([&] { matmul_into(wrong, a, b); }),
              HasSubstr("matmul_into: F64 [2, 3] cannot take the product"));
}

TEST(Matmul, StreamingStoresGiveTheSame) {
  Rng rng(5);
  for (const std::int64_t k : {7, 1500}) {
    const Tensor a = random_view(rng, {520, k}).to(Dtype::F32);
    const Tensor b = random_view(rng, {k, 256}).to(Dtype::F32);
    Tensor out = Tensor::full({520, 256}, 7);
    matmul_into(out, a, b, {.stream = true});
    EXPECT_EQ(out.to_vector<float>(), matmul(a, b).to_vector<float>());
  }
}

TEST(Matmul, WrongUse) {
  const auto multiply = [](const Tensor& a, const Tensor& b) { return [=] { matmul(a, b); }; };
  EXPECT_EQ(message_of<ShapeError>(multiply(Tensor::ones({2, 3}), Tensor::ones({2, 3}))),
            "matmul: F32 [2, 3] and F32 [2, 3] do not fit: the inner sizes differ");
  EXPECT_THAT(message_of<ShapeError>(multiply(Tensor::ones({2, 2, 3}), Tensor::ones({3, 3, 2}))),
              HasSubstr("matmul: shapes [2] and [3] do not broadcast"));
  EXPECT_THAT(message_of<ShapeError>(multiply(Tensor::scalar(1), Tensor::ones({1}))),
              HasSubstr("use mul"));
  EXPECT_THAT(
      message_of<DtypeError>(multiply(Tensor::ones({1, 1}), Tensor::ones({1, 1}, Dtype::F64))),
      HasSubstr("different types"));
  EXPECT_THAT(message_of<DtypeError>(multiply(Tensor::arange(2), Tensor::arange(2))),
              HasSubstr("I64"));
}

TEST(Matmul, OfTwoTypesIsRefused) {
  Tensor out = Tensor::empty({2, 2});
  const auto into = [&](Dtype a, Dtype b) {
    return message_of<DtypeError>([&] {
      matmul_into(out, Tensor::ones({2, 2}, a), Tensor::ones({2, 2}, b));
    });
  };
  EXPECT_THAT(into(Dtype::F64, Dtype::BF16), HasSubstr("different types"));
  EXPECT_THAT(into(Dtype::BF16, Dtype::F32), HasSubstr("different types"));
  EXPECT_THAT(into(Dtype::F32, Dtype::I64), HasSubstr("different types"));
}

}  // namespace
}  // namespace gladius
