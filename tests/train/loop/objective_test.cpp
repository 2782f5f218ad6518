#include "gladius/train/loop/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/grad_mode.h"
#include "gladius/train/data/batch_logits.h"
#include "gladius/train/teacher/teacher.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::Rng;

Batch random_batch(Rng& rng, std::int64_t vocab_size, std::vector<Example>& examples) {
  examples = testing::learnable_examples(rng, 3, 2, 6, vocab_size);
  examples[1].labels[0] = kNoLabel;
  return pack({&examples[0], &examples[1], &examples[2]});
}

// One sequence through the model by itself, in float64 from there on.
std::vector<std::vector<double>> logits_alone(const LanguageModel& model, const Example& example) {
  const NoGrad no_grad;
  const std::vector<std::int64_t> ids(example.ids.begin(), example.ids.end());
  const auto T = static_cast<std::int64_t>(ids.size());
  const Tensor logits = model.forward(Tensor::from(ids, {1, T})).value();
  std::vector<std::vector<double>> rows;
  for (std::int64_t t = 0; t < T; ++t) {
    rows.push_back(logits.select(0, 0).select(0, t).to_vector<double>());
  }
  return rows;
}

std::vector<double> log_softmax(std::vector<double> x, std::size_t entries, double temperature) {
  x.resize(entries);
  double sum = 0;
  for (const double value : x) sum += std::exp(value / temperature);
  for (double& value : x) value = value / temperature - std::log(sum);
  return x;
}

struct Reference {
  double ce = 0, kl_sum = 0;
  std::int64_t labelled = 0, tokens = 0;
};

Reference reference(const LanguageModel& student, const LanguageModel& teacher,
                    const std::vector<Example>& examples, std::size_t vocabulary, double T) {
  Reference result;
  for (const Example& example : examples) {
    const auto s = logits_alone(student, example), t = logits_alone(teacher, example);
    for (std::size_t i = 0; i < s.size(); ++i, ++result.tokens) {
      const auto log_p = log_softmax(t[i], vocabulary, T), log_q = log_softmax(s[i], vocabulary, T);
      for (std::size_t v = 0; v < vocabulary; ++v) {
        result.kl_sum += T * T * std::exp(log_p[v]) * (log_p[v] - log_q[v]);
      }
      if (example.labels[i] == kNoLabel) continue;
      result.ce -= log_softmax(s[i], s[i].size(), 1)[static_cast<std::size_t>(example.labels[i])];
      ++result.labelled;
    }
  }
  result.ce /= static_cast<double>(result.labelled);
  return result;
}

TEST(Objective, IsTheWeightedSumOfDivergenceAndCrossEntropy) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const std::int64_t vocab_size = testing::random_int(rng, 50, 90);
    const auto student = testing::tiny_model(testing::tiny_config(vocab_size), seed);
    const auto teacher = testing::tiny_model(testing::tiny_config(vocab_size, 24), seed + 1);
    std::vector<Example> examples;
    const Batch batch = random_batch(rng, vocab_size, examples);
    const double T = 1 + seed * 0.5, alpha = 0.1 + 0.15 * seed;
    const Reference expected =
        reference(*student, *teacher, examples, static_cast<std::size_t>(vocab_size), T);
    const Tensor teacher_logits = batch_logits(*teacher, batch).value();
    for (const LossReduction reduction : {LossReduction::mean, LossReduction::batchmean}) {
      const ObjectiveValue value =
          distillation_objective(*student, rows_of(teacher_logits, batch.tokens()), batch,
                                 {.temperature = T, .alpha = alpha, .reduction = reduction});
      const double count =
          reduction == LossReduction::mean ? static_cast<double>(expected.tokens) : 3;
      ASSERT_TRUE(value.kl);
      EXPECT_NEAR(*value.kl, expected.kl_sum / count, 1e-5 * (1 + expected.kl_sum / count));
      EXPECT_NEAR(value.ce, expected.ce, 1e-5 * expected.ce);
      const double loss = alpha * expected.kl_sum / count + (1 - alpha) * expected.ce;
      EXPECT_NEAR(value.loss.item(), loss, 1e-5 * (1 + loss));
    }
    const ObjectiveValue plain = cross_entropy_objective(*student, batch);
    EXPECT_FALSE(plain.kl);
    EXPECT_NEAR(plain.loss.item(), expected.ce, 1e-5 * expected.ce);
  }
}

class TeacherTest : public ::testing::Test {
 protected:
  // An expert of `vocab_size` entries whose tokenizer ends at 265.
  TeacherTest() : model_(testing::tiny_model(testing::tiny_config(280, 24), 5)) {
    save_model(directory_ / "expert", *model_);
    expert_ = {.name = "big", .model = directory_ / "expert"};
  }
  Teacher load(std::int64_t student_vocab_size) {
    return Teacher(expert_, student_vocab_size,
                   [&](const std::string& text) { warnings_.push_back(text); });
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<LanguageModel> model_;
  ExpertConfig expert_;
  std::vector<std::string> warnings_;
};

TEST_F(TeacherTest, SameRefusesOtherSizes) {
  EXPECT_EQ(load(280).vocabulary(), 280);
  const std::string message = message_of<ConfigError>([&] { load(300); });
  EXPECT_THAT(message, HasSubstr("expert big: its vocabulary has 280 entries, the student's 300"));
  EXPECT_THAT(message, HasSubstr("\"truncate\" compares the first 280"));
  EXPECT_TRUE(warnings_.empty());
}

// Models pad their tables to different sizes; what both have is the tokenizer's.
TEST_F(TeacherTest, SameComparesTheEntriesOfTheTokenizerWhereSizesDiffer) {
  testing::write_tiny_tokenizer(directory_ / "expert");
  EXPECT_EQ(load(280).vocabulary(), 280);
  EXPECT_EQ(load(300).vocabulary(), 265);
  EXPECT_EQ(load(265).vocabulary(), 265);
  EXPECT_THAT(message_of<ConfigError>([&] { load(264); }),
              HasSubstr("both must have the 265 of their tokenizer"));
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(TeacherTest, TruncateTakesTheFirstOfBothAndOfTheTokenizer) {
  expert_.vocabulary = VocabularyMode::truncate;
  EXPECT_EQ(load(100).vocabulary(), 100);
  EXPECT_EQ(load(300).vocabulary(), 280);
  testing::write_tiny_tokenizer(directory_ / "expert");
  EXPECT_EQ(load(300).vocabulary(), 265);
  EXPECT_EQ(load(100).vocabulary(), 100);
  EXPECT_EQ(warnings_.size(), 4u);
  EXPECT_THAT(warnings_[2], HasSubstr("first 265 entries (student 300, expert 280)"));
}

TEST_F(TeacherTest, LogitsOfTheSharedEntriesAreTheModels) {
  expert_.vocabulary = VocabularyMode::truncate;
  Rng rng(1);
  std::vector<Example> examples;
  const Batch batch = random_batch(rng, 60, examples);
  const Tensor whole = batch_logits(*model_, batch).value();
  const Teacher teacher = load(60);
  const Tensor some = teacher.logits(batch)(0, batch.tokens());
  ASSERT_EQ(some.shape(), (Shape{batch.tokens(), 60}));
  const auto expected = whole.narrow(1, 0, 60).to_vector<double>();
  const auto actual = some.to_vector<double>();
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5);
}

TEST_F(TeacherTest, ATokenThatTheExpertLacksIsNamed) {
  expert_.vocabulary = VocabularyMode::truncate;
  const Example example = next_token_example({3, 290, 4}, 3);
  EXPECT_THAT(message_of<ConfigError>([&] { load(300).logits(pack({&example})); }),
              HasSubstr("expert big: the data has token 290"));
}

}  // namespace
}  // namespace gladius::train
