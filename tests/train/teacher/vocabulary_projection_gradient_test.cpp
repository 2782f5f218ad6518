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

// The teacher's and the student's probabilities of the classes: entries of the same bytes are one,
// and so are all without a target.
std::vector<std::pair<double, double>> classes(const std::vector<double>& z, const Expected& wanted,
                                               const std::pair<std::int32_t, std::int32_t>& twins,
                                               double T) {
  double sum = 0, supported = 0;
  for (const double x : z) sum += std::exp(x / T);
  std::vector<std::pair<double, double>> result;
  for (const auto& [s, q] : wanted.q) {
    if (q <= 1e-9) continue;
    double p = std::exp(z[static_cast<std::size_t>(s)] / T) / sum;
    if (s == twins.second) p += std::exp(z[static_cast<std::size_t>(twins.first)] / T) / sum;
    supported += p;
    result.emplace_back(q, p);
  }
  if (wanted.rest > 0 || supported < 1 - 1e-9) result.emplace_back(wanted.rest, 1 - supported);
  return result;
}

// The divergence of classes with probabilities q of the teacher's and p of the student's.
double divergence_of_classes(const std::vector<std::pair<double, double>>& classes,
                             const DistillationOptions& options) {
  const auto times_log = [](double x, double by) { return x > 0 ? x * std::log(x / by) : 0; };
  double possible = 0, divergence = 0;
  for (const auto& [q, p] : classes) possible += q > 0 ? p : 0;
  for (const auto& [q, p] : classes) {
    const double m = options.beta * q + (1 - options.beta) * p;
    switch (options.divergence) {
      case Divergence::forward_kl:
        divergence += times_log(q, p);
        break;
      case Divergence::reverse_kl:
        if (q > 0) divergence += times_log(p / possible, q);
        break;
      case Divergence::jsd:
        divergence += options.beta * times_log(q, m) + (1 - options.beta) * times_log(p, m);
        break;
      case Divergence::skew_kl:
        divergence += times_log(q, m);
        break;
    }
  }
  return divergence * options.temperature * options.temperature;
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
      const DistillationOptions options{
          .temperature = pair.T,
          .alpha = 1,
          .divergence = std::vector{Divergence::forward_kl, Divergence::reverse_kl, Divergence::jsd,
                                    Divergence::skew_kl}[testing::random_int(rng, 0, 3)],
          .beta = 0.3};
      const bool reverse = options.divergence == Divergence::reverse_kl;
      // Where the teacher gives next to nothing, what it gives is rounding, of which this one takes
      // the logarithm.
      const auto negligible = [](const auto& entry) { return entry.second < 3e-3; };
      if (reverse &&
          (std::ranges::any_of(wanted.q, negligible) || (wanted.rest > 0 && wanted.rest < 3e-3))) {
        continue;
      }
      const double tolerance = reverse ? 1e-3 : 1e-4;
      const Variable z(pair.student_logits.narrow(0, place, 1).clone(), true);
      const DistillationLoss loss = distillation_loss(z, target.narrow(0, place, 1),
                                                      Tensor::full({1}, -100, Dtype::I64), options);
      const auto gradient = grad({loss.loss}, {z})[0].value().to_vector<double>();
      auto values = z.value().to_vector<double>();
      const auto divergence = [&] {
        return divergence_of_classes(classes(values, wanted, {twin, 1}, pair.T), options);
      };
      ASSERT_NEAR(loss.kl, divergence(), tolerance);
      for (std::size_t s = 0; s < values.size(); ++s) {
        const double at = values[s];
        values[s] = at + 1e-5;
        const double above = divergence();
        values[s] = at - 1e-5;
        const double slope = (above - divergence()) / 2e-5;
        values[s] = at;
        ASSERT_NEAR(gradient[s], slope, tolerance) << "row " << i << ", entry " << s;
      }
    }
  }
  EXPECT_GT(with_rest, 5);
}

}  // namespace
}  // namespace gladius::train
