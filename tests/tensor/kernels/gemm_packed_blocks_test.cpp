#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/gemm_packed.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/quantized.h"
#include "support/arrays.h"
#include "support/blocks.h"
#include "support/products.h"
#include "support/random.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

// Of random sizes, with gaps between rows, of which k may be longer than the kernel's blocks.
struct BlockProduct {
  Dtype dtype;
  Precision precision;
  std::int64_t m, n, k, lda, ldc, stride;
  Tensor weight;  // [n, k and the gap]
  std::vector<float> numbers;
  testing::OffsetArray<float> a{0}, before{0};

  BlockProduct(testing::Rng& random, Dtype type) : dtype(type) {
    const auto size = [&](std::int64_t most) { return testing::random_int(random, 1, most); };
    const std::int64_t block = block_elements(dtype), longest = size(4) == 1 ? 4000 : 900;
    precision = size(2) == 1 ? Precision::bf16 : Precision::f32;
    m = size(8) == 1 ? size(450) : size(20);
    n = m > 20 || longest > 900 ? size(12) : size(150);
    k = block * size(longest / block);
    lda = k + size(4) - 1;
    ldc = n + size(4) - 1;
    const std::int64_t row = k + block * (size(3) - 1);
    stride = static_cast<std::int64_t>(dtype_bytes(dtype, row));
    weight = testing::random_blocks(random, {n, row}, dtype);
    numbers = dequantize(weight.narrow(1, 0, k)).to_vector<float>();
    a = testing::random_array<float>(random, static_cast<std::size_t>(m * lda));
    before = testing::random_array<float>(random, static_cast<std::size_t>(m * ldc));
  }

  std::vector<float> computed() const {
    std::vector<float> c(before.data(), before.data() + before.size());
    for (std::int64_t i = 0; i < m; ++i) {  // must be written without being read
      std::fill_n(c.begin() + i * ldc, n, std::numeric_limits<float>::quiet_NaN());
    }
    gemm_packed_blocks(dtype, m, n, k, a.data(), lda, weight.raw_data(), stride, c.data(), ldc,
                       precision);
    return c;
  }

  void expect_right(const std::vector<float>& c) const {
    const auto operand = [&](float value) {
      return precision == Precision::bf16 ? static_cast<float>(bfloat16(value)) : value;
    };
    testing::expect_product<float>(
        m, n, k,
        [&](std::int64_t i, std::int64_t p) {
          return operand(a[static_cast<std::size_t>(i * lda + p)]);
        },
        [&](std::int64_t p, std::int64_t j) {
          return operand(numbers[static_cast<std::size_t>(j * k + p)]);
        },
        c, before, ldc, false);
  }
};

std::ostream& operator<<(std::ostream& out, const BlockProduct& product) {
  return out << dtype_name(product.dtype)
             << (product.precision == Precision::bf16 ? ", bf16, " : ", f32, ") << product.m
             << " x " << product.n << " x " << product.k;
}

class GemmPackedBlocks : public ::testing::Test {
 protected:
  ~GemmPackedBlocks() override { set_num_threads(before_); }
  int before_ = num_threads();
};

TEST_F(GemmPackedBlocks, AgreesWithTheDefinitionOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  testing::for_each_simd_target([&] {
    for (const Dtype dtype : testing::kBlockTypes) {
      for (int run = 0; run < 3; ++run) {
        set_num_threads(1 + run);
        const BlockProduct product(random, dtype);
        SCOPED_TRACE(::testing::Message() << product);
        ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
      }
    }
  });
}

TEST_F(GemmPackedBlocks, DoesNotDependOnTheThreads) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  for (const Dtype dtype : testing::kBlockTypes) {
    const BlockProduct product(random, dtype);
    SCOPED_TRACE(::testing::Message() << product);
    set_num_threads(1);
    const std::vector<float> serial = product.computed();
    for (const int threads : {2, 3, 5}) {
      set_num_threads(threads);
      ASSERT_EQ(product.computed(), serial) << threads << " threads";
    }
  }
}

// As 32 numbers a block fit into the steps of a product of numbers, its sums have the same order.
TEST_F(GemmPackedBlocks, HasTheBitsOfAProductOfTheNumbers) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  for (const Dtype dtype : testing::kBlockTypes) {
    if (block_elements(dtype) != 32) continue;
    const BlockProduct product(random, dtype);
    SCOPED_TRACE(::testing::Message() << product);
    auto expected = product.computed();
    gemm_packed(product.m, product.n, product.k, product.a.data(), product.lda,
                product.numbers.data(), product.k, expected.data(), product.ldc,
                {.transpose_b = true, .precision = product.precision});
    ASSERT_EQ(product.computed(), expected);
  }
}

}  // namespace
}  // namespace gladius::kernels
