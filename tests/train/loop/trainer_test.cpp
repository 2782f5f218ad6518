#include "gladius/train/loop/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "gladius/tensor/elementwise.h"
#include "gladius/train/run/student_optimizer.h"
#include "support/sanitizers.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::Json;
using testing::Rng;
using testing::TinyRun;

std::shared_ptr<LanguageModel> tiny_student(std::uint64_t seed = 1) {
  return testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), seed);
}

std::vector<Example> examples(std::int64_t count, std::int64_t low, std::int64_t high) {
  Rng rng(3);
  return testing::learnable_examples(rng, count, low, high, TinyRun::kVocabulary);
}

std::vector<double> weights_of(const LanguageModel& model) {
  std::vector<double> all;
  for (const auto& [name, tensor] : model.state_dict()) {
    const auto values = tensor.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void ignore(const std::string&) {}

TEST(Trainer, LearnsATinyProblem) {
  const TinyRun run;
  for (Json file : {run.run_file(), run.distillation_file()}) {
    file["data"]["shuffle"] = false;
    file["optimizer"] = {{"lr", 0.01}};
    file["gradient_accumulation"] = 1;
    if (file.contains("steps")) {
      file["steps"] = 60;
    } else {
      file["experts"] = {{{"model", "expert"}, {"steps", 60}}};
    }
    Trainer trainer(run.config(file), tiny_student(), examples(4, 5, 8), ignore);
    double first = 0, last = 0;  // sums over the first and the last round through the data
    while (!trainer.done()) {
      const StepRecord record = trainer.step();
      if (record.step < 4) first += record.loss;
      if (record.step >= 56) last += record.loss;
    }
    EXPECT_LT(last, 0.5 * first);
  }
}

// Pages of the process in memory, in bytes.
std::int64_t resident_bytes() {
  std::int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST(Trainer, MemoryDoesNotGrowOver1000Steps) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers keep what is freed";
  const TinyRun run;
  Json file = run.distillation_file();
  file["experts"] = {{{"model", "expert"}, {"steps", 1000}}};
  Trainer trainer(run.config(file), tiny_student(), examples(40, 2, 12), ignore);
  std::int64_t before = 0;
  while (!trainer.done()) {
    trainer.step();
    if (trainer.state().step == 200) before = resident_bytes();
  }
  EXPECT_EQ(trainer.state().step, 1000);
  // A kilobyte a step would be 800.
  EXPECT_LT(resident_bytes() - before, 400 << 10);
}

TEST(Trainer, AccumulationEqualsOnePackedBatch) {
  const TinyRun run;
  Json file = run.run_file();
  file["data"]["shuffle"] = false;
  file["optimizer"] = {{"lr", 0.01}};
  file["steps"] = 12;
  file["gradient_accumulation"] = 4;
  const auto accumulated = tiny_student(), packed = tiny_student();
  Trainer by_four(run.config(file), accumulated, examples(12, 6, 6), ignore);
  file["steps"] = 3;
  file["gradient_accumulation"] = 1;
  file["batch_size"] = 4;
  Trainer at_once(run.config(file), packed, examples(12, 6, 6), ignore);
  while (!at_once.done()) {
    double mean = 0;
    StepRecord last;
    for (int i = 0; i < 4; ++i) mean += (last = by_four.step()).loss / 4;
    const StepRecord whole = at_once.step();
    EXPECT_NEAR(whole.loss, mean, 1e-5 * mean);
    EXPECT_NEAR(*whole.grad_norm, *last.grad_norm, 1e-4 * *last.grad_norm);
  }
  const auto a = weights_of(*accumulated), b = weights_of(*packed);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-4) << "weight " << i;
}

TEST(Trainer, RecordsSayWhatHappened) {
  const TinyRun run;
  Trainer trainer(run.config(run.distillation_file()), tiny_student(), examples(5, 3, 6), ignore);
  ASSERT_EQ(trainer.plan().total_steps(), 13);
  ASSERT_EQ(trainer.plan().total_updates(), 5);  // 3 + 3 + 1, 3 + 3
  double sum = 0;
  std::vector<double> rates;
  for (std::int64_t step = 0; step < 13; ++step) {
    SCOPED_TRACE(step);
    const StepRecord record = trainer.step();
    sum += record.loss;
    EXPECT_EQ(record.step, step);
    EXPECT_EQ(record.expert, step < 7 ? "one" : "two");
    EXPECT_NEAR(record.loss_running_mean, sum / static_cast<double>(step + 1), 1e-12 * sum);
    EXPECT_NEAR(record.loss, 0.5 * *record.kl + 0.5 * record.ce, 1e-5 * record.loss);
    EXPECT_EQ(record.grad_norm.has_value(), step >= 2);
    EXPECT_GE(record.tokens, 3);
    if (rates.empty() || rates.back() != record.lr) rates.push_back(record.lr);
    const bool ends = step == 2 || step == 5 || step == 6 || step == 9 || step == 12;
    EXPECT_EQ(trainer.plan().ends_group(step), ends);
  }
  EXPECT_TRUE(trainer.done());
  EXPECT_EQ(trainer.state().updates, 5);
  // Warm-up from 0, then half a cosine over the four updates that are left.
  ASSERT_EQ(rates.size(), 5u);
  for (int update = 1; update < 5; ++update) {
    EXPECT_NEAR(rates[static_cast<std::size_t>(update)],
                0.005 * (1 + std::cos(M_PI * (update - 1) / 4)), 1e-15);
  }
  EXPECT_EQ(rates[0], 0);
}

TEST(Trainer, TheWindowMeanIsOfTheLastHundredLosses) {
  const TinyRun run;
  Json file = run.run_file();
  file["steps"] = 130;
  Trainer trainer(run.config(file), tiny_student(), examples(5, 3, 6), ignore);
  std::vector<double> losses;
  while (!trainer.done()) {
    const StepRecord record = trainer.step();
    losses.push_back(record.loss);
    const std::size_t count = std::min<std::size_t>(losses.size(), 100);
    double sum = 0;
    for (std::size_t i = losses.size() - count; i < losses.size(); ++i) sum += losses[i];
    ASSERT_NEAR(record.loss_window_mean, sum / static_cast<double>(count), 1e-12) << record.step;
  }
}

TEST(Trainer, AShortGroupHasTheMeanOfItsOwn) {
  const TinyRun run;
  Json file = run.run_file();
  file["optimizer"] = {{"lr", 0.01}};
  file["steps"] = 1;
  std::vector<std::vector<double>> weights;
  for (const int accumulation : {1, 8}) {
    file["gradient_accumulation"] = accumulation;
    const auto student = tiny_student();
    Trainer trainer(run.config(file), student, examples(5, 3, 6), ignore);
    trainer.step();
    weights.push_back(weights_of(*student));
  }
  EXPECT_EQ(weights[0], weights[1]);
}

TEST(Trainer, DecaysTheWeightsThatTheRunFileSays) {
  for (const OptimizerName name : {OptimizerName::adamw, OptimizerName::muon}) {
    for (const DecayScope decay : {DecayScope::all, DecayScope::matrices}) {
      const auto student = tiny_student();
      student->set_requires_grad(true);
      const auto before = tiny_student()->state_dict();
      Optimizer optimizer =
          make_optimizer({.name = name, .lr = 0.5, .weight_decay = 0.5, .decay = decay},
                         student->parameters_with_roles());
      for (auto [key, parameter] : student->named_parameters()) {
        parameter.set_grad(Tensor::zeros(parameter.shape()));
      }
      optimizer.step();
      std::size_t place = 0;
      for (const auto& [key, tensor] : student->state_dict()) {
        SCOPED_TRACE(key);
        const bool decays = decay == DecayScope::all || tensor.dim() >= 2;
        const Tensor expected = mul(before[place++].second, decays ? 0.75 : 1);
        EXPECT_EQ(tensor.to_vector<float>(), expected.to_vector<float>());
      }
    }
  }
}

// The loss is finite, the gradient is not: sums of squares leave the range of a float.
TEST(Trainer, AGradientThatIsNotFiniteIsSkippedAndEndsTheRunAfterSomeInARow) {
  const TinyRun run;
  Json file = run.run_file();
  file["max_nonfinite_steps"] = 2;
  const auto student = tiny_student();
  for (const auto& [name, tensor] : student->state_dict()) {
    if (name != "lm_head.weight") continue;
    Tensor head = tensor;
    head.fill_(0);
    head.narrow(0, 0, 1).fill_(3e38F);
  }
  Trainer trainer(run.config(file), student, examples(5, 3, 6), ignore);
  const auto before = weights_of(*student);
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(trainer.diverged());
    trainer.step();
  }
  EXPECT_TRUE(trainer.diverged());
  EXPECT_EQ(trainer.state().skipped_updates, 2);
  EXPECT_EQ(weights_of(*student), before);
}

TEST(Trainer, AGroupThatIsNotFiniteIsSkippedCountedAndLogged) {
  const TinyRun run;
  std::vector<std::string> warnings;
  const auto student = tiny_student();
  Trainer trainer(run.config(run.run_file()), student, examples(5, 3, 6),
                  [&](const std::string& text) { warnings.push_back(text); });
  for (int i = 0; i < 4; ++i) trainer.step();  // past an update, into the second group
  const auto before = weights_of(*student);
  Tensor norm = student->state_dict().back().second;
  for (const auto& [name, tensor] : student->state_dict()) {
    if (name == "model.norm.weight") norm = tensor;
  }
  const Tensor good = norm.clone();
  norm.fill_(NAN);
  const StepRecord spoiled = trainer.step();
  norm.copy_(good);
  const StepRecord last = trainer.step();
  EXPECT_TRUE(std::isnan(spoiled.loss));
  EXPECT_TRUE(spoiled.to_json().dump().find("\"loss\":null") != std::string::npos);
  EXPECT_TRUE(std::isfinite(last.loss_running_mean));
  EXPECT_EQ(spoiled.skipped_updates, 0);
  EXPECT_EQ(last.skipped_updates, 1);
  EXPECT_EQ(trainer.state().skipped_in_a_row, 1);
  EXPECT_EQ(trainer.state().updates, 2);
  EXPECT_EQ(weights_of(*student), before);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[0], HasSubstr("step 4: the loss is nan"));
  EXPECT_THAT(warnings[1], HasSubstr("step 5: update skipped"));
  for (int i = 0; i < 3; ++i) trainer.step();
  EXPECT_EQ(trainer.state().skipped_updates, 1);
  EXPECT_EQ(trainer.state().skipped_in_a_row, 0);
  EXPECT_NE(weights_of(*student), before);
}

TEST(Trainer, WarnsOfUpdatesWithoutALabel) {
  const TinyRun run;
  std::vector<Example> data(1, Example{.ids = {1, 2, 3}, .labels = {2, 3, kNoLabel}});
  data.resize(24, Example{.ids = {1, 2}, .labels = {kNoLabel, kNoLabel}});
  const auto warnings_of = [&](const Json& file) {
    std::vector<std::string> warnings;
    Trainer trainer(run.config(file), tiny_student(), data,
                    [&](const std::string& text) { warnings.push_back(text); });
    while (!trainer.done()) trainer.step();
    return warnings;
  };
  Json file = run.run_file();  // an update every 3 of 24 steps
  file["data"]["shuffle"] = false;
  file["steps"] = 24;
  const auto warnings = warnings_of(file);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_THAT(warnings[0],
              HasSubstr("step 5: no token of this update's 3 micro-batches has a label"));
  EXPECT_THAT(warnings[2], HasSubstr("further updates are not named"));
  // With an expert the divergence counts every token, if it is not told otherwise.
  EXPECT_TRUE(warnings_of(run.distillation_file()).empty());
  file = run.distillation_file();
  file["loss"] = {{"tokens", "labelled"}};
  EXPECT_FALSE(warnings_of(file).empty());
}

}  // namespace
}  // namespace gladius::train
