#include "gladius/tensor/kernels/rotary_embedding.h"

#include <gtest/gtest.h>

#include <complex>

#include "support/arrays.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

template <class T>
class RotaryEmbedding : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RotaryEmbedding, Types);

// The pair (i, i + D/2) is a complex number, the rotation a product with exp(i angle).
TYPED_TEST(RotaryEmbedding, RotatesPairsAsComplexNumbers) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t D : {2, 6, 16, 34, 64, 66}) {
      SCOPED_TRACE(D);
      std::mt19937_64 random(D);
      constexpr std::size_t tokens = 4, H = 3, max_positions = 11;
      const std::size_t half = D / 2, x_stride = H * D + 5, y_stride = H * D + 2;
      const std::vector<std::int64_t> positions{7, 0, 10, 7};
      OffsetArray<T> cos(max_positions * half), sin(max_positions * half);
      std::uniform_real_distribution<double> uniform(-4, 4);
      for (std::size_t i = 0; i < cos.size(); ++i) {
        const double angle = uniform(random);
        cos[i] = static_cast<T>(std::cos(angle));
        sin[i] = static_cast<T>(std::sin(angle));
      }
      const auto x = random_array<T>(random, tokens * x_stride);
      for (const bool inverse : {false, true}) {
        OffsetArray<T> y(tokens * y_stride, T{9}), in_place(x);
        kernels::rotary_embedding(x.data(), x_stride, y.data(), y_stride, cos.data(), sin.data(),
                                  positions.data(), tokens, H, D, inverse);
        std::vector<double> expected(y.size(), 9), expected_in_place = x.to();
        for (std::size_t t = 0; t < tokens; ++t) {
          for (std::size_t h = 0; h < H; ++h) {
            for (std::size_t i = 0; i < half; ++i) {
              const std::size_t at = t * x_stride + h * D + i;
              const std::size_t angle = static_cast<std::size_t>(positions[t]) * half + i;
              const std::complex<double> turn(cos[angle], inverse ? -sin[angle] : sin[angle]);
              const auto value = std::complex<double>(x[at], x[at + half]) * turn;
              const std::size_t to = t * y_stride + h * D + i;
              expected[to] = expected_in_place[at] = value.real();
              expected[to + half] = expected_in_place[at + half] = value.imag();
            }
          }
        }
        expect_close(y, expected, kernel_tolerance<T>);
        kernels::rotary_embedding(in_place.data(), x_stride, in_place.data(), x_stride, cos.data(),
                                  sin.data(), positions.data(), tokens, H, D, inverse);
        expect_close(in_place, expected_in_place, kernel_tolerance<T>);
      }
    }
  });
}

}  // namespace
}  // namespace gladius
