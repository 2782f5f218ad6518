#include "gladius/models/generation/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_int;
using testing::Rng;

// transformers' processors, one full sort each, as their documentation says.
std::vector<double> reference(const std::vector<float>& logits,
                              const std::vector<std::int32_t>& previous,
                              const SamplingOptions& options) {
  std::vector<double> scores(logits.begin(), logits.end());
  for (const std::int32_t id : std::set<std::int32_t>(previous.begin(), previous.end())) {
    double& s = scores.at(static_cast<std::size_t>(id));
    s = s < 0 ? s * options.repetition_penalty : s / options.repetition_penalty;
  }
  for (double& s : scores) s /= options.temperature;
  const auto softmax = [&] {
    double sum = 0;
    std::vector<double> p;
    for (const double s : scores) sum += p.emplace_back(std::exp(s));
    for (double& x : p) x /= sum;
    return p;
  };
  if (options.top_k > 0) {
    std::vector<double> sorted = scores;
    std::ranges::sort(sorted, std::greater<>());
    const double last =
        sorted[std::min(sorted.size(), static_cast<std::size_t>(options.top_k)) - 1];
    for (double& s : scores)
      if (s < last) s = -std::numeric_limits<double>::infinity();
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return scores[i]; });
  const std::vector<double> p = softmax();
  double below = 0;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    below += p[order[i]];
    if (options.top_p < 1 && below <= 1 - options.top_p)
      scores[order[i]] = -std::numeric_limits<double>::infinity();
  }
  return softmax();
}

TEST(Sampling, AgreesWithTheProcessorsInTheirOrder) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t V = random_int(rng, 1, 60);
    std::normal_distribution<float> normal(0, 2);
    std::vector<float> logits;
    for (std::int64_t i = 0; i < V; ++i) logits.push_back(normal(rng));
    std::vector<std::int32_t> previous;
    for (std::int64_t i = random_int(rng, 0, 9); i > 0; --i)
      previous.push_back(static_cast<std::int32_t>(random_int(rng, 0, V - 1)));
    std::uniform_real_distribution<double> uniform(0.05, 1);
    const SamplingOptions options{.temperature = 2 * uniform(rng),
                                  .top_k = random_int(rng, 0, V + 3),
                                  .top_p = round % 3 == 0 ? 1 : uniform(rng),
                                  .repetition_penalty = 2 * uniform(rng)};
    const auto actual = next_token_probabilities(logits, previous, options);
    const auto expected = reference(logits, previous, options);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], 1e-9) << "round " << round << ", token " << i;
  }
}

TEST(Sampling, DrawsAsOftenAsProbableAndTheSameBySeed) {
  const std::vector<float> logits{std::log(0.5F), std::log(0.3F), -100, std::log(0.2F)};
  const auto draw = [&](std::uint64_t seed) {
    Generator generator(seed);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 20000; ++i) ids.push_back(sample(logits, {}, {}, generator));
    return ids;
  };
  const auto ids = draw(3);
  EXPECT_EQ(ids, draw(3));
  EXPECT_NE(ids, draw(4));
  const double p[] = {0.5, 0.3, 0, 0.2};
  for (std::int32_t id = 0; id < 4; ++id) {
    // Five standard deviations.
    EXPECT_NEAR(static_cast<double>(std::ranges::count(ids, id)) / 20000, p[id], 0.018) << id;
  }
}

TEST(Sampling, GreedyTakesTheFirstOfTheLikeliest) {
  Generator generator(0);
  const std::vector<float> logits{1, 5, 5, 2};
  EXPECT_EQ(sample(logits, {}, {.greedy = true, .temperature = 0}, generator), 1);
  EXPECT_EQ(sample(logits, std::vector<std::int32_t>{1}, {.greedy = true, .repetition_penalty = 2},
                   generator),
            2);
  EXPECT_EQ(generator.state(), Generator(0).state());
}

TEST(Sampling, BadOptionsAndLogitsAreNamed) {
  const auto error_of = [](const SamplingOptions& options) {
    return message_of<ConfigError>([&] { check_sampling_options(options); });
  };
  EXPECT_THAT(error_of({.temperature = 0}), HasSubstr("temperature is 0"));
  EXPECT_THAT(error_of({.temperature = std::nan("")}), HasSubstr("temperature"));
  EXPECT_THAT(error_of({.top_k = -1}), HasSubstr("top_k is -1"));
  EXPECT_THAT(error_of({.top_p = 0}), HasSubstr("top_p is 0"));
  EXPECT_THAT(error_of({.top_p = 1.5}), HasSubstr("top_p is 1.5"));
  EXPECT_THAT(error_of({.repetition_penalty = 0}), HasSubstr("repetition_penalty is 0"));
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& logits :
       {std::vector<float>{0, std::nanf("")}, {0, inf}, {-inf, -inf}}) {
    EXPECT_THAT(message_of([&] { next_token_probabilities(logits, {}, {}); }),
                HasSubstr("NaN or infinite"));
  }
  EXPECT_THAT(message_of<ShapeError>([&] { next_token_probabilities({}, {}, {}); }),
              HasSubstr("no logits"));
}

}  // namespace
}  // namespace gladius
