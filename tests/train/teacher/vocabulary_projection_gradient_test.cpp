// The gradient that the projection's target gives, against differences of the divergence of
// classes.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "gladius/autograd/engine.h"
#include "train/teacher/random_pair.h"

namespace gladius::train {
namespace {

using testing::encode;
using testing::expected;
using testing::Expected;
using testing::random_tensor;
using testing::RandomPair;
using testing::Rng;
using testing::TokenIds;

// The divergence of classes: entries of the same bytes are one, and so are all without a target.
double divergence_of_classes(const std::vector<double>& z, const Expected& wanted,
                             const std::pair<std::int32_t, std::int32_t>& twins, double T) {
  double sum = 0, supported = 0, kl = 0;
  for (const double x : z) sum += std::exp(x / T);
  const auto p = [&](std::int32_t s) {
    const double own = std::exp(z[static_cast<std::size_t>(s)] / T) / sum;
    return s == twins.second ? own + std::exp(z[static_cast<std::size_t>(twins.first)] / T) / sum
                             : own;
  };
  for (const auto& [s, q] : wanted.q) {
    if (q <= 1e-9) continue;
    supported += p(s);
    kl += q * std::log(q / p(s));
  }
  if (wanted.rest > 0) kl += wanted.rest * std::log(wanted.rest / (1 - supported));
  return kl * T * T;
}

TEST(VocabularyProjection, GradientsAreThoseOfTheClasses) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::int64_t with_rest = 0;
  for (int run = 0; run < 60; ++run) {
    RandomPair pair(rng, 4, 3);
    // One more student entry that spells "b", as "<0x62>" does beside "b".
    const auto twin = static_cast<std::int32_t>(pair.student_entries.size());
    std::vector<TokenIds> lists;
    for (const std::string& entry : pair.teacher_entries) {
      lists.push_back(encode(pair.student_entries, entry));
    }
    TokenIds canonical(pair.student_entries.size());
    std::iota(canonical.begin(), canonical.end(), 0);
    canonical.push_back(1);
    pair.pieces = std::make_shared<const text::TokenPieces>(lists, canonical);
    pair.student_logits =
        random_tensor(rng, {std::ssize(pair.student.ids), twin + 1}, -3, 3, Dtype::F32);
    const Tensor target = pair.targets(pair.student_logits);
    for (std::size_t i = 0; i < pair.rows.size(); ++i) {
      if (pair.rows[i].teacher_row < 0) continue;
      const Expected wanted = expected(pair, i);
      if (wanted.total < 1e-5) continue;
      with_rest += wanted.rest > 0 ? 1 : 0;
      const auto place = static_cast<std::int64_t>(i);
      const Variable z(pair.student_logits.narrow(0, place, 1).clone(), true);
      const DistillationLoss loss =
          distillation_loss(z, target.narrow(0, place, 1), Tensor::full({1}, -100, Dtype::I64),
                            {.temperature = pair.T, .alpha = 1});
      const auto gradient = grad({loss.loss}, {z})[0].value().to_vector<double>();
      auto values = z.value().to_vector<double>();
      const auto divergence = [&] {
        return divergence_of_classes(values, wanted, {twin, 1}, pair.T);
      };
      ASSERT_NEAR(loss.kl, divergence(), 1e-4);
      for (std::size_t s = 0; s < values.size(); ++s) {
        const double at = values[s];
        values[s] = at + 1e-5;
        const double above = divergence();
        values[s] = at - 1e-5;
        const double slope = (above - divergence()) / 2e-5;
        values[s] = at;
        ASSERT_NEAR(gradient[s], slope, 1e-4) << "row " << i << ", entry " << s;
      }
    }
  }
  EXPECT_GT(with_rest, 5);
}

}  // namespace
}  // namespace gladius::train
