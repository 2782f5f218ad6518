#include "gladius/tensor/kernels/transpose.h"

#include <gtest/gtest.h>

#include <random>
#include <type_traits>

#include "gladius/tensor/half.h"
#include "support/arrays.h"
#include "support/random.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

template <class From>
class Transpose : public ::testing::Test {};
using Types = ::testing::Types<float, double, bfloat16, float16>;
TYPED_TEST_SUITE(Transpose, Types);

// A random matrix; what lies between the rows of y must stay.
template <class From>
void expect_right(testing::Rng& random) {
  using To = std::conditional_t<std::is_same_v<From, double>, double, float>;
  const auto below = [&](std::int64_t n) { return testing::random_int(random, 0, n - 1); };
  const std::int64_t rows = below(70), columns = below(70);
  const std::int64_t ldx = columns + below(4), ldy = rows + below(4);
  SCOPED_TRACE(::testing::Message()
               << rows << " x " << columns << ", ldx " << ldx << ", ldy " << ldy);
  // Small ones are subnormal in float16.
  const double scale = below(3) == 0 ? 1e-6 : 1;
  testing::OffsetArray<From> x(static_cast<std::size_t>(rows * ldx));
  std::normal_distribution<float> normal(0, static_cast<float>(scale));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = From(normal(random));
  testing::OffsetArray<To> y(static_cast<std::size_t>(columns * ldy), To{-7});
  transpose(rows, columns, x.data(), ldx, y.data(), ldy);
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < ldy; ++i) {
      const To expected =
          i < rows ? static_cast<To>(x[static_cast<std::size_t>(i * ldx + j)]) : To{-7};
      ASSERT_EQ(y[static_cast<std::size_t>(j * ldy + i)], expected) << "at " << j << ", " << i;
    }
  }
}

TYPED_TEST(Transpose, MovesEveryElementOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng random(seed);
  testing::for_each_simd_target([&] {
    for (int run = 0; run < 60; ++run) ASSERT_NO_FATAL_FAILURE(expect_right<TypeParam>(random));
  });
}

}  // namespace
}  // namespace gladius::kernels
