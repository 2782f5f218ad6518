#include "gladius/tensor/kernels/swiglu.h"

#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

template <class S>
S reference(const S& gate, const S& up) {
  return gate / (1.0 + std::exp(-gate)) * up;
}

template <class T>
class Swiglu : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Swiglu, Types);

// Gate and up as halves of one product, y and dy in rows of their own stride.
TYPED_TEST(Swiglu, ForwardAndBackwardOnHalvesOfOneProduct) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t F : {1, 4, 15, 16, 33, 70}) {
      SCOPED_TRACE(F);
      std::mt19937_64 random(F);
      constexpr std::size_t rows = 3;
      const std::size_t in = 2 * F, out = F + 1;
      auto fused = random_array<T>(random, rows * in, 4);
      const auto dy = random_array<T>(random, rows * out);
      OffsetArray<T> y(rows * out, T{7});
      kernels::swiglu(fused.data(), fused.data() + F, y.data(), rows, F, in, out);
      std::vector<double> expected_y(rows * out, 7), expected_grad(rows * in);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t f = 0; f < F; ++f) {
          const double gate = fused[r * in + f], up = fused[r * in + F + f], g = dy[r * out + f];
          expected_y[r * out + f] = reference(gate, up);
          const auto slope = complex_step_gradient(
              [](const auto& v) { return reference(v[0], v[1]); }, {gate, up});
          expected_grad[r * in + f] = g * slope[0];
          expected_grad[r * in + F + f] = g * slope[1];
        }
      }
      expect_close(y, expected_y, kernel_tolerance<T>);
      kernels::swiglu_backward(fused.data(), fused.data() + F, dy.data(), fused.data(),
                               fused.data() + F, rows, F, in, out);  // in place
      expect_close(fused, expected_grad, kernel_tolerance<T>);
    }
  });
}

TYPED_TEST(Swiglu, FarFromZero) {
  using T = TypeParam;
  for_each_simd_target([] {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const OffsetArray<T> gate(std::vector<T>{1000, -1000, nan, 3e4, -3e4}), up(5, T{2}),
        dy(5, T{1});
    OffsetArray<T> y(5), dgate(5), dup(5);
    kernels::swiglu(gate.data(), up.data(), y.data(), 1, 5, 5, 5);
    expect_close(y, std::vector<T>{2000, 0, nan, 6e4, 0}, 0);
    kernels::swiglu_backward(gate.data(), up.data(), dy.data(), dgate.data(), dup.data(), 1, 5, 5,
                             5);
    expect_close(dgate, std::vector<T>{2, 0, nan, 2, 0}, 0);
    expect_close(dup, std::vector<T>{1000, 0, nan, 3e4, 0}, 0);
  });
}

}  // namespace
}  // namespace gladius
