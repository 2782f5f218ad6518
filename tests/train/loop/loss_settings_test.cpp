// loss.divergence, loss.tokens and loss.normalization in runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gladius/train/loop/trainer.h"
#include "support/message_of.h"
#include "train/run/resume_fixture.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::Rng;
using testing::TinyRun;
using testing::weights;

std::shared_ptr<LanguageModel> student_of_run() {
  return testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), 1);
}

std::vector<double> all_weights(const LanguageModel& model) {
  std::vector<double> all;
  for (const auto& [name, tensor] : model.state_dict()) {
    const auto values = tensor.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void say_nothing(const std::string&) {}

// Examples of 3, 4, ... tokens, of which one has no label: no two have as many with one, so that a
// mean of means is always another.
std::vector<Example> partly_labelled(Rng& rng, std::int64_t count) {
  std::vector<Example> all;
  for (std::int64_t length = 3; length < 3 + count; ++length) {
    Example example =
        testing::learnable_examples(rng, 1, length, length, TinyRun::kVocabulary).front();
    example.labels[static_cast<std::size_t>(testing::random_int(rng, 0, length - 2))] = kNoLabel;
    all.push_back(std::move(example));
  }
  return all;
}

// With `tokens` an update is that of its micro-batches as one, which `micro_batch` has of one.
TEST(LossSettings, ByTokensAnUpdateIsOneOfAllItsMicroBatches) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  for (int round = 0; round < 8; ++round) {
    const std::int64_t group = testing::random_int(rng, 2, 4), updates = 4;
    const auto data = partly_labelled(rng, 11);
    Json file = run.distillation_file();
    file["data"] = {{"train", "data.jsonl"},
                    {"shuffle", true},
                    {"packing", round % 2 == 1},
                    {"max_seq_len", 20}};
    // A large eps: AdamW divides by what may be rounding alone.
    file["optimizer"] = {{"lr", 0.01}, {"eps", 1e-3}};
    const char* divergences[] = {"forward_kl", "reverse_kl", "jsd", "skew_kl"};
    file["loss"] = {{"divergence", divergences[testing::random_int(rng, 0, 3)]},
                    {"beta", 0.3},
                    {"tokens", testing::random_int(rng, 0, 1) ? "all" : "labelled"}};
    if (round < 2) {
      file.erase("experts");
      file["loss"].erase("divergence");
    }
    const auto config = [&](const char* normalization, std::int64_t batch, std::int64_t steps) {
      Json changed = file;
      changed["loss"]["normalization"] = normalization;
      changed["batch_size"] = batch;
      changed["gradient_accumulation"] = batch == 1 ? group : 1;
      if (file.contains("experts")) {
        changed["experts"] = {{{"model", "expert"}, {"steps", steps}}};
      } else {
        changed["steps"] = steps;
      }
      return run.config(changed);
    };
    SCOPED_TRACE(file.dump());
    const auto parts = student_of_run(), whole = student_of_run(), means = student_of_run();
    Trainer by_parts(config("tokens", 1, group * updates), parts, data, say_nothing);
    Trainer at_once(config("micro_batch", group, updates), whole, data, say_nothing);
    Trainer by_means(config("micro_batch", 1, group * updates), means, data, say_nothing);
    while (!at_once.done()) {
      StepRecord last;
      for (std::int64_t i = 0; i < group; ++i) {
        last = by_parts.step();
        if (last.kl) {
          EXPECT_NEAR(last.loss, 0.5 * *last.kl + 0.5 * last.ce, 1e-12);
        }
        const StepRecord own = by_means.step();
        if (at_once.state().step == 0) {
          EXPECT_NEAR(last.loss, own.loss, 1e-5 * own.loss);
        }
      }
      EXPECT_NEAR(*at_once.step().grad_norm, *last.grad_norm, 1e-4 * *last.grad_norm);
    }
    const auto a = all_weights(*parts), b = all_weights(*whole), c = all_weights(*means);
    double difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], b[i], 2e-4) << "weight " << i;
      difference = std::max(difference, std::abs(a[i] - c[i]));
    }
    EXPECT_GT(difference, 1e-4);  // the mean of means is something else
  }
}

TEST(LossSettings, ByTokensAShortGroupCountsItsOwn) {
  const TinyRun run;
  Json file = run.run_file();
  file["steps"] = 1;
  file["loss"] = {{"normalization", "tokens"}};
  Rng rng(3);
  const auto examples = testing::learnable_examples(rng, 5, 3, 6, TinyRun::kVocabulary);
  std::vector<std::vector<double>> weights_after;
  for (const int accumulation : {1, 8}) {
    file["gradient_accumulation"] = accumulation;
    const auto student = student_of_run();
    Trainer trainer(run.config(file), student, examples, say_nothing);
    trainer.step();
    weights_after.push_back(all_weights(*student));
  }
  EXPECT_EQ(weights_after[0], weights_after[1]);
}

// Stopped within a group the terms of the whole update are known, and what was read ahead is read
// again.
TEST(LossSettings, GoOnToTheBit) {
  const TinyRun run;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  auto examples = testing::learnable_examples(rng, 9, 3, 9, TinyRun::kVocabulary);
  for (Example& example : examples) {
    example.labels[static_cast<std::size_t>(testing::random_int(rng, 0, 1))] = kNoLabel;
  }
  testing::write_file(run.directory / "data.jsonl",
                      "{\"text\": 1}\n" + testing::as_jsonl(examples));
  Json file = run.distillation_file();
  file["data"] = {
      {"train", "data.jsonl"}, {"max_seq_len", 20}, {"shuffle", true}, {"on_bad_line", "skip"}};
  const std::map<std::string, const char*> of_report{
      {"forward_kl", "L_KL = KL(softmax(teacher / T) || softmax(student / T)) * T^2, a mean over"},
      {"reverse_kl", "L_KL = KL(softmax(student / T) || softmax(teacher / T)) * T^2, a mean over"},
      {"jsd", "L_KL = JSD(softmax(teacher / T) || softmax(student / T)), beta 0.2, * T^2"},
      {"skew_kl", "L_KL = KL(softmax(teacher / T) || m), m = 0.2 of it and 0.8 of softmax(stu"}};
  std::string before;
  for (const char* divergence : {"forward_kl", "reverse_kl", "jsd", "skew_kl"}) {
    SCOPED_TRACE(divergence);
    file["data"]["packing"] = testing::random_int(rng, 0, 1) == 0;
    file["loss"] = {{"divergence", divergence},
                    {"beta", 0.2},
                    {"tokens", testing::random_int(rng, 0, 1) ? "all" : "labelled"},
                    {"normalization", "tokens"}};
    file["teacher_cache"] = {{"top_k", testing::random_int(rng, 5, 60)}};
    const RunConfig config = run.config(file);
    const fs::path whole = run.directory / (std::string("whole-") + divergence);
    execute(config, whole);
    EXPECT_THAT(testing::read_file(whole / "report.md"), HasSubstr(of_report.at(divergence)));
    EXPECT_NE(weights(whole), before);
    before = weights(whole);
    for (int trial = 0; trial < 2; ++trial) {
      const std::int64_t stop = testing::random_int(rng, 1, 12);
      SCOPED_TRACE(stop);
      const fs::path out = run.directory / (divergence + std::to_string(trial));
      execute(config, out, false, stop);
      expect_resumes_as(config, out, whole);
    }
  }
}

TEST(LossSettings, TokensAreTheDefaultButOfSumsBySequences) {
  const TinyRun run;
  Json file = run.distillation_file();
  EXPECT_EQ(run.config(file).loss.normalization, LossNormalization::tokens);
  file["loss"] = {{"reduction", "batchmean"}};
  EXPECT_EQ(run.config(file).loss.normalization, LossNormalization::micro_batch);
  EXPECT_EQ(run.config(file).resolved()["loss"]["normalization"], "micro_batch");
}

// Begun by a version that had no choice, or another default.
TEST(LossSettings, ARunGoesOnAsItBegan) {
  const TinyRun run;
  Json file = run.distillation_file();
  const RunConfig as_file_says = run.config(file);
  file["loss"] = {{"normalization", "micro_batch"}};
  const fs::path whole = run.directory / "whole";
  execute(run.config(file), whole);
  for (const bool recorded : {true, false}) {
    const fs::path out = run.directory / (recorded ? "recorded" : "earlier");
    execute(run.config(file), out, false, 5);
    if (!recorded) {
      const fs::path checkpoint = out / "checkpoints" / testing::checkpoint_name(5);
      patch_json(out / "run.json", [](Json& json) { json["loss"].erase("normalization"); });
      patch_json(checkpoint / "state.json",
                 [](Json& json) { json["run"]["loss"].erase("normalization"); });
      sign(checkpoint);
    }
    file["loss"]["normalization"] = "tokens";
    EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), out, true); }),
                HasSubstr("loss.normalization"));
    expect_resumes_as(as_file_says, out, whole);
    file["loss"]["normalization"] = "micro_batch";
  }
}

TEST(LossSettings, ThatContradictEachOtherAreRefused) {
  const TinyRun run;
  const auto refusal = [&](const Json& loss, const Json& cache) {
    Json file = run.distillation_file();
    file["loss"] = loss;
    file["teacher_cache"] = cache;
    return message_of<ConfigError>([&] { run.config(file); });
  };
  EXPECT_THAT(refusal({{"normalization", "tokens"}, {"reduction", "batchmean"}}, Json::object()),
              AllOf(HasSubstr("\"loss.normalization\" is \"tokens\""), HasSubstr("batchmean")));
  for (const char* divergence : {"reverse_kl", "jsd", "skew_kl"}) {
    EXPECT_THAT(refusal({{"divergence", divergence}}, {{"samples", 12}}),
                AllOf(HasSubstr(divergence), HasSubstr("teacher_cache.samples")));
  }
}

TEST(LossSettings, ADivergenceThatNothingHasIsRefused) {
  const TinyRun run;
  Json file = run.run_file();
  file["loss"] = {{"divergence", "jsd"}};
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); }),
              HasSubstr("loss.divergence is \"jsd\", and this run has no expert to differ from"));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

TEST(LossSettings, WithoutALabelThereIsNothingToCompareWhereOnlyLabelledTokensCount) {
  const TinyRun run;
  testing::write_file(run.directory / "data.jsonl",
                      R"({"input_ids": [1, 2], "labels": [-100, -100]})");
  Json file = run.distillation_file();
  file["loss"] = {{"tokens", "labelled"}};
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); }),
              HasSubstr("nothing to learn from"));
}

}  // namespace
}  // namespace gladius::train
