#include "gladius/train/loop/position_losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>

#include "gladius/autograd/grad_mode.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/loop/evaluate.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using testing::Rng;

// Texts with labels at random places, losses and bytes at random.
struct Texts {
  std::vector<Example> examples;
  std::vector<std::vector<float>> losses;
  std::vector<std::vector<std::int64_t>> bytes;
};

Texts random_texts(Rng& rng, std::int64_t most) {
  Texts texts;
  std::uniform_real_distribution<float> loss(0, 9);
  for (auto n = testing::random_int(rng, 1, 12); n > 0; --n) {
    Example& example = texts.examples.emplace_back();
    auto& losses = texts.losses.emplace_back();
    auto& bytes = texts.bytes.emplace_back();
    for (auto length = testing::random_int(rng, 1, most); length > 0; --length) {
      const bool labelled = testing::random_int(rng, 0, 3) > 0;
      example.ids.push_back(1);
      example.labels.push_back(labelled ? 2 : kNoLabel);
      losses.push_back(labelled ? loss(rng) : 0.0F);
      bytes.push_back(labelled ? testing::random_int(rng, 0, 6) : 0);
    }
  }
  return texts;
}

// What there is of a text within a bucket.
struct Part {
  double nats = 0, tokens = 0, bytes = 0;
};

std::vector<Part> parts_of(const Texts& texts, const PositionBucket& bucket) {
  std::vector<Part> parts;
  for (std::size_t text = 0; text < texts.examples.size(); ++text) {
    Part part;
    for (auto i = static_cast<std::size_t>(bucket.from);
         i < std::min<std::size_t>(texts.losses[text].size(), static_cast<std::size_t>(bucket.to));
         ++i) {
      if (texts.examples[text].labels[i] == kNoLabel) continue;
      part.nats += static_cast<double>(texts.losses[text][i]);
      part.tokens += 1;
      part.bytes += static_cast<double>(texts.bytes[text][i]);
    }
    if (part.tokens > 0) parts.push_back(part);
  }
  return parts;
}

// The ratio of the sums with its error, in two passes.
void expect_mean(const TextMean& mean, const std::vector<Part>& parts, double scale,
                 double Part::*weight) {
  double nats = 0, all = 0, squares = 0;
  for (const Part& part : parts) {
    nats += part.nats * scale;
    all += part.*weight;
  }
  const double ratio = nats / all;
  EXPECT_NEAR(mean.value, ratio, 1e-12 * ratio);
  ASSERT_EQ(mean.half_interval.has_value(), parts.size() > 1);
  if (parts.size() < 2) return;
  for (const Part& part : parts) squares += std::pow(part.nats * scale - ratio * part.*weight, 2);
  const auto n = static_cast<double>(parts.size());
  const double error = std::sqrt(n / (n - 1) * squares) / all;
  const double half = student_t(std::ssize(parts) - 1) * error;
  EXPECT_NEAR(*mean.half_interval, half, 1e-5 * ratio);
}

TEST(PositionLossesTest, BucketsAreTheSumsOfTheirPositions) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (int round = 0; round < 20; ++round) {
    const std::int64_t length = testing::random_int(rng, 1, 700);
    const std::int64_t trained = testing::random_int(rng, 1, 500);
    const ReachBounds bounds{.trained = trained,
                             .extended = trained + testing::random_int(rng, 0, 200)};
    const Texts texts = random_texts(rng, length);
    PositionLosses losses(bounds, length, /*has_bytes=*/true);
    double labels = 0;
    for (std::size_t i = 0; i < texts.examples.size(); ++i) {
      losses.add(texts.examples[i], texts.losses[i], texts.bytes[i]);
      labels += static_cast<double>(count_labels(texts.examples[i].labels));
    }
    double tokens = 0;
    std::int64_t last = 0;
    for (const PositionBucket& bucket : losses.buckets()) {
      SCOPED_TRACE(bucket.to_json().dump());
      EXPECT_GE(bucket.from, last);
      last = bucket.to;
      EXPECT_EQ(bucket.reach, bounds.at(bucket.from));
      EXPECT_EQ(bucket.reach, bounds.at(bucket.to - 1));
      const std::vector<Part> parts = parts_of(texts, bucket);
      EXPECT_EQ(bucket.texts, std::ssize(parts));
      tokens += static_cast<double>(bucket.tokens);
      expect_mean(bucket.cross_entropy, parts, 1, &Part::tokens);
      if (!bucket.bits_per_byte) {
        EXPECT_EQ(bucket.bytes, 0);
        continue;
      }
      expect_mean(*bucket.bits_per_byte, parts, 1 / std::numbers::ln2, &Part::bytes);
    }
    EXPECT_EQ(tokens, labels);
  }
}

TEST(PositionLossesTest, EndsWhereTheReachDoes) {
  RopeParameters rope;
  rope.max_position_embeddings = 100;
  EXPECT_EQ(ReachBounds::of(rope).extended, 100);
  rope.type = "linear";
  rope.factor = 3;
  EXPECT_EQ(ReachBounds::of(rope).trained, 100);
  EXPECT_EQ(ReachBounds::of(rope).extended, 300);
  rope.type = "llama3";
  rope.original_max_position_embeddings = 20;
  EXPECT_EQ(ReachBounds::of(rope).trained, 20);
  EXPECT_EQ(ReachBounds::of(rope).extended, 100);

  Example example;
  example.ids.assign(150, 1);
  example.labels.assign(150, 1);
  PositionLosses losses(ReachBounds::of(rope), 150, /*has_bytes=*/false);
  losses.add(example, std::vector<float>(150, 1.0F), {});
  std::vector<std::int64_t> ends;
  std::vector<Reach> reaches;
  for (const PositionBucket& bucket : losses.buckets()) {
    ends.push_back(bucket.to);
    reaches.push_back(bucket.reach);
    EXPECT_TRUE(bucket.to_json().at("cross_entropy_interval").is_null());  // of one text
    EXPECT_TRUE(bucket.to_json().at("bits_per_byte").is_null());
  }
  EXPECT_THAT(ends, ::testing::ElementsAre(20, 64, 100, 128, 150));
  EXPECT_THAT(reaches, ::testing::ElementsAre(Reach::trained, Reach::extended, Reach::extended,
                                              Reach::beyond, Reach::beyond));
}

// scipy.stats.t.ppf(0.975, n).
TEST(PositionLossesTest, StudentsT) {
  constexpr std::pair<std::int64_t, double> kKnown[] = {
      {1, 12.7062}, {2, 4.3027},  {3, 3.1824},   {4, 2.7764},    {5, 2.5706},
      {10, 2.2281}, {30, 2.0423}, {100, 1.9840}, {10000, 1.9602}};
  for (const auto& [freedom, t] : kKnown) EXPECT_NEAR(student_t(freedom), t, 0.01 * t) << freedom;
}

// Each token by itself, from the logits of its whole text.
TEST(PositionLossesTest, EvaluateTellsTheLossesOfEachText) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  constexpr std::int64_t kVocabulary = 37;
  testing::Json config = testing::tiny_config(kVocabulary);
  config["max_position_embeddings"] = 16;
  const char* type = testing::random_int(rng, 0, 1) == 0 ? "dynamic" : "linear";
  config["rope_scaling"] = {{"rope_type", type}, {"factor", 2.0}};
  const auto model = testing::tiny_model(config, 5);
  std::vector<Example> examples = testing::learnable_examples(rng, 5, 1, 40, kVocabulary);
  examples.push_back(testing::learnable_examples(rng, 1, 600, 1200, kVocabulary).front());
  for (Example& example : examples) {
    for (std::int32_t& label : example.labels) {
      if (testing::random_int(rng, 0, 3) == 0) label = kNoLabel;
    }
    example.labels.front() = 1;
  }
  const Dataset data(examples);
  std::vector<std::vector<float>> told;
  const Evaluation each = *evaluate(
      *model, data, [] { return false; },
      [&](const Example&, std::span<const float> losses) {
        told.emplace_back(losses.begin(), losses.end());
      });
  ASSERT_EQ(told.size(), examples.size());
  const NoGrad no_grad;
  double total = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::vector<std::int64_t> ids(examples[i].ids.begin(), examples[i].ids.end());
    const auto logits =
        model->forward(Tensor::from(ids, {1, std::ssize(ids)})).value().to_vector<double>();
    ASSERT_EQ(told[i].size(), ids.size());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      if (examples[i].labels[t] == kNoLabel) {
        EXPECT_EQ(told[i][t], 0);
        continue;
      }
      const std::span row = std::span(logits).subspan(t * kVocabulary, kVocabulary);
      double sum = 0;
      for (const double logit : row) sum += std::exp(logit);
      const double loss = std::log(sum) - row[static_cast<std::size_t>(examples[i].labels[t])];
      EXPECT_NEAR(told[i][t], loss, 1e-4) << i << " " << t;
      total += loss;
    }
  }
  EXPECT_NEAR(each.cross_entropy, total / static_cast<double>(each.tokens), 1e-5);
  EXPECT_NEAR(evaluate(*model, data)->cross_entropy, each.cross_entropy, 1e-5);
}

}  // namespace
}  // namespace gladius::train
