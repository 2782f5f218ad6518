// Products against central differences in float64, over random shapes, broadcasts and strides.
#include <gtest/gtest.h>

#include <string>

#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;

constexpr int kRounds = 12;

TEST(Matmul, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 2 * kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const std::int64_t m = random_int(rng, 1, 4), k = random_int(rng, 1, 4),
                       n = random_int(rng, 1, 4);
    Shape batch = random_shape(rng, random_int(rng, 0, 2), 1, 3);
    Shape a_shape = batch, b_shape = random_broadcastable(rng, batch);
    a_shape.insert(a_shape.end(), {m, k});
    b_shape.insert(b_shape.end(), {k, n});
    if (seed % 6 == 4) a_shape = {k};
    if (seed % 6 == 5) b_shape = {k};
    const Variable a(random_view(rng, a_shape), true);
    const Variable b(random_view(rng, b_shape), true);
    expect_gradients([](const Inputs& in) { return matmul(in[0], in[1]); }, {a, b});
  }
}

TEST(Linear, GradientsAgreeWithDifferencesOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Shape shape = random_shape(rng, random_int(rng, 1, 3), seed % 4 == 3 ? 0 : 1, 5);
    const std::int64_t n = random_int(rng, 1, 5);
    const Variable x(random_view(rng, shape), true);
    const Variable w(random_view(rng, {n, shape.back()}), true);
    const Variable b(random_view(rng, {n}), true);
    EXPECT_NO_THROW(
        gradcheck([](const Inputs& in) { return linear(in[0], in[1], in[2]); }, {x, w, b}));
    EXPECT_NO_THROW(gradcheck([](const Inputs& in) { return linear(in[0], in[1]); }, {x, w}));
  }
}

TEST(Linear, AddsToTheGradientThatTheWeightHas) {
  Rng rng(1);
  const Variable x(random_tensor(rng, {3, 4}));
  const Variable w(random_tensor(rng, {5, 4}), true);
  sum(linear(x, w)).backward();
  const std::vector<double> once = w.grad().to_vector<double>();
  const void* place = w.grad().raw_data();
  sum(linear(x, w) + linear(x, w)).backward();
  EXPECT_EQ(w.grad().raw_data(), place);
  const std::vector<double> thrice = w.grad().to_vector<double>();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(thrice[i], 3 * once[i], 1e-12);
}

}  // namespace
}  // namespace gladius
