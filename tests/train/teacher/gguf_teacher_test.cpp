// A teacher that is a GGUF file with quantised weights.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "gladius/models/gguf_export.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using testing::execute;
using testing::Json;
using testing::random_int;
using testing::Rng;
using testing::timeless_metrics;
using testing::weights;

class GgufTeacherTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kVocabulary = 265;  // of the tiny tokenizer
  static constexpr std::int64_t kSteps = 13;

  GgufTeacherTest() {
    testing::write_tiny_tokenizer(directory_ / "tokenizer");
    save_gguf(directory_ / "teacher.gguf", *testing::tiny_model(teacher_config(), rng_()),
              ModelPaths::of(directory_ / "tokenizer"), Dtype::Q4_K);
    testing::write_file(directory_ / "student.json", testing::tiny_config(kVocabulary).dump());
    testing::write_file(directory_ / "data.jsonl", texts(8));
  }
  // Each row is one whole block.
  static Json teacher_config() {
    Json config = testing::tiny_config(kVocabulary, 256);
    config["intermediate_size"] = 256;
    config["num_hidden_layers"] = 1;
    return config;
  }
  std::string texts(int count) {
    std::string lines;
    while (count-- > 0) {
      std::string text;
      for (auto left = random_int(rng_, 2, 12); left > 0; --left) {
        text += "abcde xyz"[random_int(rng_, 0, 8)];
      }
      lines += Json{{"text", text}}.dump() + "\n";
    }
    return lines;
  }
  // Two experts of 7 and 6 steps, an update every 3.
  RunConfig config(bool cached) const {
    const auto expert = [](const char* name, std::int64_t steps) {
      return Json{{"name", name}, {"model", "teacher.gguf"}, {"steps", steps}};
    };
    Json run{{"student", {{"config", "student.json"}, {"tokenizer", "teacher.gguf"}}},
             {"experts", {expert("one", 7), expert("two", kSteps - 7)}},
             {"data", {{"train", "data.jsonl"}, {"shuffle", true}, {"max_seq_len", 16}}},
             {"optimizer", {{"lr", 0.01}}},
             {"gradient_accumulation", 3},
             {"checkpoint_every", 4},
             {"log_every", 2}};
    if (cached) run["teacher_cache"] = {{"max_gb", 1}};
    return RunConfig::parse(run, (directory_ / "run.json").string());
  }

  const unsigned seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, ::testing::Message() << "seed " << seed_};
  Rng rng_{seed_};
  testing::TemporaryDirectory directory_;
};

TEST_F(GgufTeacherTest, HasQuantisedMatrices) {
  for (const auto& [name, tensor] : load_model(directory_ / "teacher.gguf")->state_dict()) {
    // With four bits the output matrix is finer.
    const Dtype matrix = name == "lm_head.weight" ? Dtype::Q6_K : Dtype::Q4_K;
    EXPECT_EQ(tensor.dtype(), tensor.dim() == 1 ? Dtype::F32 : matrix) << name;
  }
}

TEST_F(GgufTeacherTest, ARunGoesOnToTheBitWithAndWithoutACache) {
  std::set<std::string> results;
  for (const bool cached : {false, true}) {
    const RunConfig run = config(cached);
    const fs::path whole = directory_ / fmt::format("whole-{}", cached);
    const fs::path out = directory_ / fmt::format("stopped-{}", cached);
    EXPECT_TRUE(execute(run, whole).complete);
    const auto expected = timeless_metrics(whole);
    ASSERT_EQ(std::ssize(expected), kSteps);
    for (const StepRecord& record : read_metrics(whole / "metrics.jsonl")) {
      EXPECT_GT(record.kl.value_or(0), 0);  // it has a teacher
    }
    const std::int64_t stop = random_int(rng_, 1, kSteps - 1);
    SCOPED_TRACE(::testing::Message() << "cached " << cached << ", stopped after " << stop);
    EXPECT_EQ(execute(run, out, false, stop).steps, stop);
    EXPECT_TRUE(execute(run, out, true).complete);
    EXPECT_EQ(weights(out), weights(whole));
    EXPECT_EQ(timeless_metrics(out), expected);
    results.insert(weights(whole));
  }
  EXPECT_EQ(results.size(), 1u);  // the cache gives the same logits
}

}  // namespace
}  // namespace gladius::train
