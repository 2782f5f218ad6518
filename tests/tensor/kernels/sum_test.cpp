#include "gladius/tensor/kernels/sum.h"

#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/random.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

using testing::OffsetArray, testing::random_array, testing::random_int;

template <class T>
class Sums : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Sums, Types);

template <class F>
void on_every_simd_target(F&& f) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  testing::for_each_simd_target([&] {
    for (int round = 0; round < 50; ++round) f(rng);
  });
}

TYPED_TEST(Sums, OfARowAreThoseInHigherPrecision) {
  using T = TypeParam;
  on_every_simd_target([](testing::Rng& rng) {
    const auto n = static_cast<std::size_t>(random_int(rng, 0, random_int(rng, 0, 5000)));
    SCOPED_TRACE(::testing::Message() << n << " elements");
    const auto x = random_array<T>(rng, n);
    long double expected = 0, sizes = 0;
    for (std::size_t i = 0; i < n; ++i) expected += x[i], sizes += std::abs(x[i]);
    // Far below what a chain of n additions may be off, n / 2 units of the sum of sizes.
    const double y = sum(x.data(), static_cast<std::int64_t>(n));
    EXPECT_LE(std::abs(y - expected), 0x1p-53 * static_cast<double>(sizes) * 16);
  });
}

TYPED_TEST(Sums, OfColumnsAreThoseOneRowAfterAnother) {
  using T = TypeParam;
  on_every_simd_target([](testing::Rng& rng) {
    const auto rows = static_cast<std::size_t>(random_int(rng, 0, 40));
    const auto columns = static_cast<std::size_t>(random_int(rng, 0, 70));
    const std::size_t ldx = columns + static_cast<std::size_t>(random_int(rng, 0, 3));
    SCOPED_TRACE(::testing::Message() << rows << " x " << columns << ", ldx " << ldx);
    const auto x = random_array<T>(rng, rows * ldx);
    auto y = random_array<double>(rng, columns), expected = y;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        expected[j] += static_cast<double>(x[i * ldx + j]);
      }
    }
    add_rows(static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), x.data(),
             static_cast<std::int64_t>(ldx), y.data());
    EXPECT_EQ(y.template to<double>(), expected.template to<double>());
  });
}

}  // namespace
}  // namespace gladius::kernels
