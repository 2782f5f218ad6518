// Runs that are evaluated while they train.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "gladius/train/distill.h"
#include "gladius/train/loop/validation.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {

class ValidationTest : public ::testing::Test {
 protected:
  ValidationTest() { write_data("eval.jsonl", 5, 6, 9); }

  // Four examples of so many tokens.
  void write_data(const char* name, std::uint64_t seed, std::int64_t least,
                  std::int64_t most) const {
    testing::Rng rng(seed);
    testing::write_file(run_.directory / name,
                        testing::as_jsonl(testing::learnable_examples(
                            rng, 4, least, most, testing::TinyRun::kVocabulary)));
  }
  // Held-out examples that take several forward passes, between which an evaluation can be stopped.
  void evaluate_in_passes() const { write_data("eval.jsonl", 5, 260, 270); }

  // The experts' file of TinyRun, 13 steps, evaluated after 4, 8, 12 and 13.
  testing::Json file() const {
    testing::Json file = run_.distillation_file();
    file["data"]["eval"] = "eval.jsonl";
    file["eval_every"] = 4;
    return file;
  }
  std::filesystem::path out(const std::string& name = "out") const { return run_.directory / name; }

  // Asks to stop at the given question; 0: never. What `stop` throws comes out.
  RunOutcome stop_at(const RunConfig& config, const std::filesystem::path& out, bool resume,
                     int question, std::vector<std::string>* told = nullptr) const {
    int asked = 0;
    const auto tell = [&](const std::string& text) {
      if (told) told->push_back(text);
    };
    return distill(config, out, resume,
                   {.begin = [](const auto&, const auto&) {},
                    .step = [](const auto&) {},
                    .info = tell,
                    .warn = tell,
                    .stop_requested = [&] { return ++asked == question; }});
  }

  static std::vector<std::int64_t> evaluated(const std::filesystem::path& out) {
    std::vector<std::int64_t> steps;
    for (const StepRecord& record : read_metrics(out / "metrics.jsonl")) {
      if (record.evaluation) steps.push_back(record.step);
    }
    return steps;
  }

  Evaluation evaluation_of(const LanguageModel& model) const {
    return *evaluate(model, Dataset::open({run_.directory / "eval.jsonl"}, nullptr,
                                          {.vocab_size = testing::TinyRun::kVocabulary}));
  }
  // Of the checkpoint after so many steps.
  std::unique_ptr<LanguageModel> student_after(const std::filesystem::path& out,
                                               std::int64_t steps) const {
    auto model = make_language_model(ModelConfig::load(out / "student_config.json"));
    model->load_state_dict(
        load_checkpoint(out / "checkpoints" / testing::checkpoint_name(steps)).weights);
    return model;
  }

  testing::TinyRun run_;
};

// What a run comes to, but for what the clock decides.
inline void expect_same_results(const std::filesystem::path& run,
                                const std::filesystem::path& other) {
  EXPECT_EQ(testing::weights(run), testing::weights(other));
  EXPECT_EQ(testing::timeless_metrics(run), testing::timeless_metrics(other));
  EXPECT_EQ(testing::events_differ({run}), "");
  for (const char* name : {"evaluation.json", "expert_evaluations.json", "data.json"}) {
    ASSERT_EQ(std::filesystem::exists(run / name), std::filesystem::exists(other / name)) << name;
    if (std::filesystem::exists(run / name)) {
      EXPECT_EQ(testing::read_file(run / name), testing::read_file(other / name)) << name;
    }
  }
  const auto about_evaluations = [](const std::filesystem::path& report) {
    std::string lines;
    std::istringstream in(testing::read_file(report / "report.md"));
    for (std::string line; std::getline(in, line);) {
      for (const char* part : {"Held-out ", "| student", "| expert", "evaluations</summary>"}) {
        if (line.find(part) != std::string::npos) lines += line + "\n";
      }
    }
    return lines;
  };
  EXPECT_EQ(about_evaluations(run), about_evaluations(other));
}

}  // namespace gladius::train
