#include "gladius/tensor/kernels/gemm_packed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/storage.h"
#include "support/arrays.h"
#include "support/products.h"
#include "support/random.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

constexpr std::int64_t kLine = 16;  // of the cache, in floats

// A product of a random shape, order and precision, of which one size may be longer than the
// kernel's blocks.
template <class W>
struct RandomProduct {
  Precision precision;
  bool trans_a, trans_b, accumulate, stream;
  std::int64_t m, n, k, lda, ldb, ldc;
  testing::OffsetArray<float> a{0}, before{0};
  testing::OffsetArray<W> b{0};

  explicit RandomProduct(testing::Rng& random) {
    const auto size = [&](std::int64_t most) { return testing::random_int(random, 1, most); };
    precision = size(2) == 1 ? Precision::bf16 : Precision::f32;
    trans_a = size(2) == 1, trans_b = size(2) == 1, accumulate = size(2) == 1,
    stream = size(2) == 1;
    m = size(20), n = size(150), k = size(200);
    if (const std::int64_t longer = size(6); longer == 1) {
      m = size(900), n = size(20), k = size(20);
    } else if (longer == 2) {
      n = size(10), k = size(2500);
    }
    lda = (trans_a ? m : k) + size(4) - 1;
    ldb = (trans_b ? k : n) + size(4) - 1;
    // Streaming stores need rows of whole cache lines.
    ldc = stream ? ceil_div(n, kLine) * kLine : n + size(4) - 1;
    a = testing::random_array<float>(random, static_cast<std::size_t>((trans_a ? k : m) * lda));
    before = testing::random_array<float>(random, static_cast<std::size_t>(m * ldc));
    const auto values =
        testing::random_array<float>(random, static_cast<std::size_t>((trans_b ? n : k) * ldb));
    b = testing::OffsetArray<W>(values.to<float>());
  }

  std::vector<float> computed() const {
    const auto memory = Storage::allocate((before.size() + 1) * sizeof(float));
    float* c = reinterpret_cast<float*>(memory->data()) + (stream ? 0 : 1);
    std::copy_n(before.data(), before.size(), c);
    if (!accumulate) {  // must be written without being read
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          c[i * ldc + j] = std::numeric_limits<float>::quiet_NaN();
        }
      }
    }
    gemm_packed(m, n, k, a.data(), lda, b.data(), ldb, c, ldc,
                {.transpose_a = trans_a,
                 .transpose_b = trans_b,
                 .beta = accumulate ? 1.0 : 0.0,
                 .stream = stream,
                 .precision = precision});
    return {c, c + before.size()};
  }

  void expect_right(const std::vector<float>& c) const {
    const auto operand = [&](auto x) {
      const auto value = static_cast<float>(x);
      return precision == Precision::bf16 ? static_cast<float>(bfloat16(value)) : value;
    };
    testing::expect_product<float>(
        m, n, k,
        [&](std::int64_t i, std::int64_t p) {
          return operand(a[static_cast<std::size_t>(trans_a ? p * lda + i : i * lda + p)]);
        },
        [&](std::int64_t p, std::int64_t j) {
          return operand(b[static_cast<std::size_t>(trans_b ? j * ldb + p : p * ldb + j)]);
        },
        c, before, ldc, accumulate);
  }
};

template <class W>
std::ostream& operator<<(std::ostream& out, const RandomProduct<W>& product) {
  return out << (product.precision == Precision::bf16 ? "bf16, " : "f32, ") << product.m << " x "
             << product.n << " x " << product.k << ", trans_a " << product.trans_a << ", trans_b "
             << product.trans_b << ", accumulate " << product.accumulate << ", stream "
             << product.stream;
}

template <class W>
class GemmPacked : public ::testing::Test {
 protected:
  ~GemmPacked() override { set_num_threads(before_); }
  int before_ = num_threads();
};
using Types = ::testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(GemmPacked, Types);

TYPED_TEST(GemmPacked, AgreesWithTheDefinitionOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  testing::for_each_simd_target([&] {
    for (int run = 0; run < 40; ++run) {
      set_num_threads(1 + run % 3);
      const RandomProduct<TypeParam> product(random);
      SCOPED_TRACE(::testing::Message() << product);
      ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
    }
  });
}

TYPED_TEST(GemmPacked, DoesNotDependOnTheThreads) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  for (int run = 0; run < 20; ++run) {
    const RandomProduct<TypeParam> product(random);
    SCOPED_TRACE(::testing::Message() << product);
    set_num_threads(1);
    const std::vector<float> serial = product.computed();
    for (const int threads : {2, 3, 5}) {
      set_num_threads(threads);
      ASSERT_EQ(product.computed(), serial) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace gladius::kernels
