// student.init_from.grow: a student that begins as a smaller model.
#include "gladius/train/loop/growth.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gladius/tensor/random.h"
#include "gladius/train/loop/init_from.h"
#include "gladius/train/loop/student.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::random_int;
using testing::Rng;
using testing::TinyRun;

void tell_nobody(const std::string&) {}

TEST(Growth, LayersAreSpreadInOrder) {
  EXPECT_THAT(spread_growth(5, 3), ElementsAre(0, -1, 1, -1, 2));
  EXPECT_THAT(spread_growth(4, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(spread_growth(3, 1), ElementsAre(0, -1, -1));
  EXPECT_THAT(spread_growth(1, 1), ElementsAre(0));
  EXPECT_THAT(spread_growth(2, 3), ElementsAre(-1, -1));  // check_growth refuses it
}

// A model and a student that is at least as large in every size.
struct GrowingPair {
  explicit GrowingPair(Rng& rng) {
    const auto more = [&](Json& config, const char* key, std::int64_t step) {
      config[key] = model[key].get<std::int64_t>() + step * random_int(rng, 0, 2);
    };
    const std::int64_t keys = random_int(rng, 1, 2), group = random_int(rng, 1, 3);
    model = testing::tiny_config(random_int(rng, 20, 40), 8 * random_int(rng, 1, 3));
    model["head_dim"] = 4;
    model["num_hidden_layers"] = random_int(rng, 1, 3);
    model["num_key_value_heads"] = keys;
    model["num_attention_heads"] = keys * group;
    model["initializer_range"] = 0.3;
    const int family = static_cast<int>(random_int(rng, 0, 2));
    const char* names[] = {"Llama", "Qwen2", "Qwen3"};
    const char* types[] = {"llama", "qwen2", "qwen3"};
    model["architectures"] = {fmt::format("{}ForCausalLM", names[family])};
    model["model_type"] = types[family];
    student = model;
    more(student, "vocab_size", 7);
    more(student, "hidden_size", 8);
    more(student, "intermediate_size", 5);
    more(student, "num_hidden_layers", 1);
    const std::int64_t own_keys = keys + random_int(rng, 0, 2);
    student["num_key_value_heads"] = own_keys;
    student["num_attention_heads"] = own_keys * (group + random_int(rng, 0, 2));
    const bool tied = random_int(rng, 0, 1) == 0;
    model["tie_word_embeddings"] = tied;
    student["tie_word_embeddings"] = tied && random_int(rng, 0, 1) == 0;
    // So that rounding is all that differs.
    for (Json* config : {&student, &model}) (*config)["rms_norm_eps"] = 1e-12;
  }
  Json student, model;
};

// Norms and biases too, which fresh weights leave at one and zero.
void randomise(LanguageModel& model, std::uint64_t seed) {
  Generator generator(seed);
  for (auto& [name, parameter, role] : model.parameters_with_roles()) {
    if (role != nn::ParameterRole::norm && role != nn::ParameterRole::bias) continue;
    fill_uniform_(parameter.value(), generator, 0.5, 1.5);
  }
}

std::vector<float> logits_of(const LanguageModel& model, const Tensor& ids) {
  return model.forward(ids).value().to_vector<float>();
}

class GrowthTest : public ::testing::Test {
 protected:
  RunConfig config(const Json& student) {
    testing::write_file(run_.directory / "student.json", student.dump());
    return settle_init_from(run_.config(file_));
  }
  TinyRun run_;
  Json file_ = run_.run_file();
};

TEST_F(GrowthTest, TheStudentSaysWhatTheModelSays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 12; ++round) {
    const GrowingPair pair(rng);
    SCOPED_TRACE(pair.student.dump() + pair.model.dump());
    const auto model = testing::tiny_model(pair.model, rng());
    randomise(*model, rng());
    const auto from = run_.directory / fmt::format("small{}", round);
    save_model(from, *model);
    file_["student"]["init_from"] = {{"model", from.string()}, {"grow", true}};
    const RunConfig run = config(pair.student);
    const auto student = make_student(run.student);
    const InitFromSummary summary = take_layers(*student, run.student, tell_nobody, tell_nobody);
    EXPECT_TRUE(summary.grow);
    EXPECT_GT(summary.taken, 0);

    const std::int64_t V = pair.model["vocab_size"], own = pair.student["vocab_size"];
    std::vector<std::int64_t> text(9);
    for (auto& id : text) id = random_int(rng, std::int64_t{0}, V - 1);
    const Tensor ids = Tensor::from(text, {1, 9});
    const auto theirs = logits_of(*model, ids), ours = logits_of(*student, ids);
    for (std::int64_t t = 0; t < 9; ++t) {
      double mean = 0;
      for (std::int64_t v = 0; v < V; ++v) {
        const double expected = theirs[static_cast<std::size_t>(t * V + v)];
        mean += expected / static_cast<double>(V);
        EXPECT_NEAR(ours[static_cast<std::size_t>(t * own + v)], expected,
                    1e-4 * (1 + std::abs(expected)));
      }
      for (std::int64_t v = V; v < own; ++v) {
        EXPECT_NEAR(ours[static_cast<std::size_t>(t * own + v)], mean, 1e-4 * (1 + std::abs(mean)));
      }
    }
  }
}

TEST_F(GrowthTest, EveryPartLearns) {
  // After two updates no tensor is as it was: what was silent has gradients, and so has what it is
  // silent for.
  Json small = testing::tiny_config(TinyRun::kVocabulary, 8), large = small;
  for (Json* each : {&small, &large}) (*each)["head_dim"] = 4;
  large["hidden_size"] = 24, large["num_hidden_layers"] = 4, large["num_key_value_heads"] = 3;
  large["num_attention_heads"] = 6, large["intermediate_size"] = 40;
  save_model(run_.directory / "small", *testing::tiny_model(small, 2));
  file_["student"]["init_from"] = {{"model", "small"}, {"grow", true}};
  file_["optimizer"]["weight_decay"] = 0;
  const RunConfig run = config(large);
  const auto before = make_student(run.student);
  take_layers(*before, run.student, tell_nobody, tell_nobody);
  const auto out = run_.directory / "out";
  execute(run, out);
  const auto after = load_model(out / "model")->state_dict();
  std::size_t i = 0;
  for (const auto& [name, was] : before->state_dict()) {
    const auto old = was.to_vector<float>(), now = after[i++].second.to_vector<float>();
    std::size_t changed = 0;
    for (std::size_t k = 0; k < old.size(); ++k) changed += old[k] != now[k];
    // Ids that no example has stay as they are in an embedding of its own.
    EXPECT_GT(changed, old.size() / 2) << name;
  }
}

TEST_F(GrowthTest, ResumesToTheBitWithoutTheModel) {
  Json small = testing::tiny_config(TinyRun::kVocabulary, 8), large = small;
  for (Json* each : {&small, &large}) (*each)["head_dim"] = 4;
  large["hidden_size"] = 16, large["num_hidden_layers"] = 3;
  save_model(run_.directory / "small", *testing::tiny_model(small, 2));
  file_["student"]["init_from"] = {{"model", "small"}, {"grow", true}};
  const RunConfig run = config(large);
  const auto whole = run_.directory / "whole", out = run_.directory / "out";
  execute(run, whole);
  EXPECT_EQ(Json::parse(testing::read_file(whole / "run.json"))["student"]["init_from"]["layers"],
            Json({0, -1, 1}));
  EXPECT_EQ(Json::parse(testing::read_file(whole / "init_from.json"))["grow"], true);
  execute(run, out, false, 5);
  std::filesystem::rename(run_.directory / "small", run_.directory / "gone");
  expect_resumes_as(run, out, whole);
}

TEST_F(GrowthTest, WhatCannotGrowIsRefused) {
  Json small = testing::tiny_config(TinyRun::kVocabulary, 8);
  small["head_dim"] = 4;
  save_model(run_.directory / "small", *testing::tiny_model(small, 2));
  file_["student"]["init_from"] = {{"model", "small"}, {"grow", true}};
  const auto refusal = [&](const char* key, const Json& value) {
    Json student = small;
    student["hidden_size"] = 16;
    student[key] = value;
    return message_of<ConfigError>([&] { execute(config(student), run_.directory / "refused"); });
  };
  EXPECT_THAT(refusal("head_dim", 8),
              HasSubstr("head_dim is 8, the model's 4; they must be equal"));
  EXPECT_THAT(refusal("hidden_size", 4), HasSubstr("hidden_size is 4, the model's 8"));
  EXPECT_THAT(refusal("intermediate_size", 8), HasSubstr("intermediate_size is 8"));
  EXPECT_THAT(refusal("num_hidden_layers", 1), HasSubstr("num_hidden_layers is 1"));
  EXPECT_THAT(refusal("num_attention_heads", 2), HasSubstr("number of heads a key is 1"));
  EXPECT_THAT(refusal("rms_norm_eps", 1e-5), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(refusal("rope_theta", 5e5), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal("tie_word_embeddings", true), HasSubstr("the model has two tables"));
  for (const Json& layers : {Json{1, 0}, Json{0, -1}, Json{0, 1, -1}, Json{0, 0}}) {
    file_["student"]["init_from"]["layers"] = layers;
    EXPECT_THAT(refusal("hidden_size", 16), HasSubstr("layers must have a number")) << layers;
  }
  EXPECT_FALSE(std::filesystem::exists(run_.directory / "refused"));
}

}  // namespace
}  // namespace gladius::train
