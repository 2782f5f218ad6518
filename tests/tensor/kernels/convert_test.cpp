#include "gladius/tensor/kernels/convert.h"

#include <gtest/gtest.h>

#include <bit>

#include "support/arrays.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

template <class Half>
class Convert : public ::testing::Test {};
using Types = ::testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(Convert, Types);

TYPED_TEST(Convert, EveryHalfToFloatAndBackAsInHalfH) {
  for_each_simd_target([] {
    constexpr std::size_t n = 1 << 16;
    OffsetArray<TypeParam> halves(n), back(n);
    for (std::size_t i = 0; i < n; ++i) {
      TypeParam half;
      half.bits = static_cast<std::uint16_t>(i);
      halves[i] = half;
    }
    OffsetArray<float> wide(n);
    kernels::convert(halves.data(), wide.data(), n);
    kernels::convert(wide.data(), back.data(), n);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(bits(wide[i]), bits(static_cast<float>(halves[i]))) << i;
      ASSERT_EQ(back[i].bits, TypeParam(static_cast<float>(halves[i])).bits) << i;
    }
  });
}

TYPED_TEST(Convert, FloatsOfEveryExponentRoundAsInHalfH) {
  for_each_simd_target([] {
    std::mt19937_64 random(1);
    std::vector<float> values;
    for (std::uint32_t high = 0; high < 1 << 9; ++high) {  // sign and exponent
      const std::uint32_t base = high << 23;
      // Around the ties of both types, and random mantissas.
      for (const std::uint32_t low : {0u, 1u, 0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x7fffu, 0x8000u,
                                      0x8001u, 0x18000u, 0x7ff000u, 0x7fffffu}) {
        values.push_back(std::bit_cast<float>(base | low));
      }
      for (int i = 0; i < 50; ++i) {
        values.push_back(
            std::bit_cast<float>(base | static_cast<std::uint32_t>(random() & 0x7fffffu)));
      }
    }
    const OffsetArray<float> x(values);
    OffsetArray<TypeParam> y(x.size());
    kernels::convert(x.data(), y.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i].bits, TypeParam(x[i]).bits) << std::hex << bits(x[i]);
    }
  });
}

TYPED_TEST(Convert, OddLengthsStayInTheirBounds) {
  for_each_simd_target([] {
    for (std::size_t n = 0; n < 40; ++n) {
      OffsetArray<float> x(n, 1.5f), back(n + 1, -1.0f);
      OffsetArray<TypeParam> y(n + 1, TypeParam(-1.0f));
      kernels::convert(x.data(), y.data(), n);
      kernels::convert(y.data(), back.data(), n);
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(back[i], 1.5f);
      EXPECT_EQ(static_cast<float>(y[n]), -1.0f) << n;
      EXPECT_EQ(back[n], -1.0f) << n;
    }
  });
}

}  // namespace
}  // namespace gladius
