#include "gladius/train/teacher/cached_teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/data/batch_logits.h"
#include "gladius/train/loop/objective.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::random_int;
using testing::Rng;

constexpr std::int64_t kVocabulary = 60;

void ignore_warning(const std::string&) {}

Batch batch_of(const std::vector<Example>& examples) {
  std::vector<const Example*> pointers;
  for (const Example& example : examples) pointers.push_back(&example);
  return pack(pointers);
}

std::vector<float> all_logits(const LogitRows& rows, const Batch& batch) {
  return rows(0, batch.tokens()).to_vector<float>();
}

class CachedTeacherTest : public ::testing::Test {
 protected:
  CachedTeacherTest() : rng_(seed_), model_(testing::tiny_model(config(), 5)) {
    save_model(directory_ / "expert", *model_);
    teacher_ = std::make_unique<Teacher>(expert(), kVocabulary, ignore_warning);
  }
  static Json config() { return testing::tiny_config(kVocabulary, 24); }
  ExpertConfig expert() const { return {.name = "expert", .model = directory_ / "expert"}; }

  std::vector<Example> examples(std::int64_t count) {
    return testing::learnable_examples(rng_, count, 1, 12, kVocabulary);
  }
  // With a cache of its own for each limit.
  CachedTeacher cached(const OutputLimit& limit = {}) const {
    const Json manifest{{"top_k", limit.top_k.value_or(0)},
                        {"samples", limit.samples ? limit.samples->count : 0}};
    return {*teacher_, limit,
            std::make_unique<TeacherCache>(directory_ / manifest.dump(), manifest, 1 << 30,
                                           ignore_warning)};
  }
  // From here on whatever the teacher reads comes out as NaN; its head is as before.
  void break_teacher() const {
    const fs::path path = directory_ / "expert" / "model.safetensors";
    const SafetensorsFile file = SafetensorsFile::open(path);
    std::uint64_t header = 0;
    std::fstream raw(path, std::ios::binary | std::ios::in | std::ios::out);
    raw.read(reinterpret_cast<char*>(&header), sizeof header);
    for (const SafetensorsEntry& entry : file.entries()) {
      if (entry.name != "model.norm.weight") continue;
      raw.seekp(static_cast<std::streamoff>(sizeof header + header + entry.begin));
      raw << std::string(entry.end - entry.begin, '\xff');
    }
  }

  const unsigned seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, seed_};
  Rng rng_;
  testing::TemporaryDirectory directory_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Teacher> teacher_;
};

TEST_F(CachedTeacherTest, GivesTheTeachersLogitsOfAnExampleToTheBit) {
  for (const Example& example : examples(20)) {
    const Batch batch = batch_of({example});
    const std::vector<float> expected = all_logits(teacher_->logits(batch), batch);
    EXPECT_EQ(all_logits(cached().logits(batch), batch), expected);  // read by the teacher
    EXPECT_EQ(all_logits(cached().logits(batch), batch), expected);  // from the disk
  }
}

TEST_F(CachedTeacherTest, TheTeacherReadsAnExampleOnce) {
  const std::vector<Example> known = examples(12);
  const OutputLimit draws{.samples = SamplingOptions{.count = 9, .seed = 1}};
  for (const OutputLimit& limit : {OutputLimit{}, OutputLimit{.top_k = 5}, draws}) {
    for (const Example& example : known) cached(limit).logits(batch_of({example}));
  }
  std::vector<std::vector<float>> expected;
  for (const Example& example : known) {
    expected.push_back(all_logits(teacher_->logits(batch_of({example})), batch_of({example})));
  }
  break_teacher();
  CachedTeacher teacher = cached(), of_five = cached({5}), of_draws = cached(draws);
  for (int trial = 0; trial < 20; ++trial) {  // in batches of any size, in any order
    std::vector<Example> chosen;
    std::vector<float> logits;
    for (auto left = random_int(rng_, 1, 5); left > 0; --left) {
      const auto i = static_cast<std::size_t>(random_int(rng_, 0, std::ssize(known) - 1));
      chosen.push_back(known[i]);
      logits.insert(logits.end(), expected[i].begin(), expected[i].end());
    }
    const Batch batch = batch_of(chosen);
    const std::vector<float> actual = all_logits(teacher.logits(batch), batch);
    ASSERT_EQ(actual.size(), logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(actual[i], logits[i], 1e-5);  // the head's products are of other sizes
    }
    for (CachedTeacher* part : {&of_five, &of_draws}) {
      for (const float logit : all_logits(part->logits(batch), batch)) EXPECT_FALSE(logit != logit);
    }
  }
  const Batch fresh = batch_of({next_token_example({1, 1, 1, 1}, 9)});
  EXPECT_TRUE(std::isnan(all_logits(teacher.logits(fresh), fresh)[0]));  // it is broken
  EXPECT_TRUE(std::isnan(all_logits(of_five.logits(fresh), fresh)[0]));  // and it shows
  EXPECT_TRUE(std::isnan(all_logits(of_draws.logits(fresh), fresh)[0]));
}

// Bits do not depend on the batch in which the teacher first saw an example.
TEST_F(CachedTeacherTest, WhatIsCachedDoesNotMatter) {
  const SamplingOptions samples{.count = 12, .temperature = 2, .seed = rng_()};
  for (const OutputLimit& limit :
       {OutputLimit{}, OutputLimit{.top_k = 7}, OutputLimit{.samples = samples}}) {
    for (int trial = 0; trial < 20; ++trial) {
      const std::vector<Example> some = examples(random_int(rng_, 1, 6));
      const Batch batch = batch_of(some);
      CachedTeacher without(*teacher_, limit, nullptr), with = cached(limit);
      const std::vector<float> expected = all_logits(without.logits(batch), batch);
      for (const Example& example : some) {  // a part of them, alone
        if (random_int(rng_, 0, 1) == 0) with.logits(batch_of({example}));
      }
      EXPECT_EQ(all_logits(with.logits(batch), batch), expected);
      EXPECT_EQ(all_logits(with.logits(batch), batch), expected);
    }
  }
}

TEST_F(CachedTeacherTest, AllOfTheVocabularyIsTheWhole) {
  const Batch batch = batch_of(examples(5));
  const std::vector<float> expected =
      all_logits(CachedTeacher(*teacher_, {}, nullptr).logits(batch), batch);
  for (const std::int64_t k : {kVocabulary, 10 * kVocabulary}) {
    const std::vector<float> actual = all_logits(cached({k}).logits(batch), batch);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5);
  }
}

// The mean of T^2 KL(p || q), with p the softmax of the k largest alone, in float64.
TEST_F(CachedTeacherTest, TheLossOfTheKLargestIsItsComposition) {
  for (int trial = 0; trial < 10; ++trial) {
    const std::int64_t k = random_int(rng_, 1, 20);
    const double temperature = 1 + 0.5 * static_cast<double>(random_int(rng_, 0, 6));
    SCOPED_TRACE(::testing::Message() << "k " << k << ", temperature " << temperature);
    const auto student = testing::tiny_model(testing::tiny_config(kVocabulary), rng_());
    student->set_requires_grad(true);
    const Batch batch = batch_of(examples(3));
    const std::int64_t N = batch.tokens();
    const auto t = teacher_->logits(batch)(0, N).to_vector<double>();
    const auto s = batch_logits(*student, batch).value().to_vector<double>();
    const auto V = static_cast<std::size_t>(kVocabulary);
    double expected = 0;
    for (std::size_t row = 0; row < t.size() / V; ++row) {
      std::vector<std::size_t> order(V);
      for (std::size_t v = 0; v < V; ++v) order[v] = row * V + v;
      std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return t[a] > t[b]; });
      double teacher = 0, whole = 0;
      for (std::size_t v = 0; v < V; ++v) whole += std::exp(s[row * V + v] / temperature);
      order.resize(static_cast<std::size_t>(k));
      for (const std::size_t i : order) teacher += std::exp(t[i] / temperature);
      for (const std::size_t i : order) {
        const double log_p = t[i] / temperature - std::log(teacher);
        const double log_q = s[i] / temperature - std::log(whole);
        expected += std::exp(log_p) * (log_p - log_q);
      }
    }
    expected *= temperature * temperature / static_cast<double>(N);
    for (int pass = 0; pass < 2; ++pass) {
      const ObjectiveValue value = distillation_objective(
          *student, cached({k}).logits(batch), batch, {.temperature = temperature, .alpha = 1});
      EXPECT_NEAR(*value.kl, expected, 1e-5 * (1 + expected));
      value.loss.backward();
      for (const Variable& parameter : student->parameters()) {
        for (const float g : parameter.grad().to_vector<float>()) ASSERT_TRUE(std::isfinite(g));
      }
    }
  }
}

// Draws of one teacher and text, by their seed, as logits; and the text's probabilities.
TEST_F(CachedTeacherTest, DrawsAreOfTheSoftenedDistributionAndTheSameForASeed) {
  const double T = 1.5;
  const std::int64_t draws = 20000;
  const Batch batch = batch_of(examples(3));
  const std::vector<std::int64_t> lengths = batch.lengths();
  const auto ids = batch.ids.to_vector<std::int64_t>();
  const auto sampled = [&](std::int64_t count, std::uint64_t seed) {
    CachedTeacher teacher(*teacher_, {.samples = SamplingOptions{count, T, seed}}, nullptr);
    const TeacherAnswer answer = teacher.answer(batch);
    return std::pair(all_logits(answer.logits, batch), answer.text);
  };
  const auto [logits, text] = sampled(draws, 3);
  EXPECT_EQ(sampled(draws, 3).first, logits);
  EXPECT_NE(sampled(draws, 4).first, logits);
  const auto whole =
      all_logits(CachedTeacher(*teacher_, {}, nullptr).logits(batch), batch);  // rows of 60
  std::int64_t example = 0, end = lengths[0];
  for (std::int64_t row = 0; row < batch.tokens(); ++row) {
    if (row == end) end += lengths[static_cast<std::size_t>(++example)];
    double sum = 0, share = 0, distance = 0;
    const auto at = static_cast<std::size_t>(row * kVocabulary);
    for (std::size_t v = at; v < at + kVocabulary; ++v) sum += std::exp(whole[v] / T);
    for (std::size_t v = at; v < at + kVocabulary; ++v) {
      const double p = std::exp(whole[v] / T) / sum, drawn = std::exp(logits[v] / T);
      share += drawn;
      distance = std::max(distance, std::abs(drawn - p) / std::sqrt(p * (1 - p) / draws));
    }
    EXPECT_NEAR(share, 1, 1e-4);
    EXPECT_LT(distance, 6);        // standard deviations
    if (row + 1 == end) continue;  // nothing follows
    const auto next = static_cast<std::size_t>(ids[static_cast<std::size_t>(row) + 1]);
    EXPECT_NEAR(text[static_cast<std::size_t>(row)], whole[at + next] / T - std::log(sum), 1e-5);
  }
}

TEST_F(CachedTeacherTest, ATokenThatTheExpertLacksIsNamed) {
  const Batch batch = batch_of({next_token_example({3, kVocabulary, 4}, 3)});
  EXPECT_THAT(message_of<ConfigError>([&] { cached().logits(batch); }),
              HasSubstr("expert expert: the data has token 60"));
}

}  // namespace
}  // namespace gladius::train
