// student.init_from: a student that begins with layers of another model.
#include "gladius/train/loop/init_from.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/models/gguf_export.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/train/loop/student.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::random_int;
using testing::Rng;
using testing::TinyRun;

void ignore_line(const std::string&) {}

using ValuesByName = std::map<std::string, std::vector<float>>;

ValuesByName values_by_name(const LanguageModel& model) {
  ValuesByName weights;
  for (const auto& [name, tensor] : model.state_dict()) {
    weights[name] = tensor.to(Dtype::F32).to_vector<float>();
  }
  return weights;
}

TEST(InitFrom, LayersAreSpreadEvenlyFromTheFirstToTheLast) {
  EXPECT_THAT(spread_layers(6, 12), ElementsAre(0, 2, 4, 7, 9, 11));  // DistilBERT's
  EXPECT_THAT(spread_layers(2, 22), ElementsAre(0, 21));
  EXPECT_THAT(spread_layers(3, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(spread_layers(1, 5), ElementsAre(0));
  EXPECT_THAT(spread_layers(4, 2), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(spread_layers(3, 1), ElementsAre(0, 0, 0));
}

// A student and the model that it begins with, of random sizes; the model as a directory of a
// random type.
struct LayerPair {
  explicit LayerPair(Rng& rng) {
    const auto layers = [&] { return random_int(rng, 1, 4); };
    student = testing::tiny_config(TinyRun::kVocabulary);
    student["num_hidden_layers"] = layers();
    model = testing::tiny_config(TinyRun::kVocabulary + (random_int(rng, 0, 3) == 0 ? 3 : 0));
    model["num_hidden_layers"] = layers();
    if (random_int(rng, 0, 2) == 0) model["intermediate_size"] = 48;
    if (random_int(rng, 0, 2) == 0) model["num_key_value_heads"] = 4;
    for (Json* config : {&student, &model}) {
      (*config)["tie_word_embeddings"] = random_int(rng, 0, 1) == 0;
    }
    if (random_int(rng, 0, 2) == 0) {
      model["architectures"] = {"Qwen2ForCausalLM"};
      model["model_type"] = "qwen2";
    }
    dtype = std::vector{Dtype::F32, Dtype::BF16,
                        Dtype::F16}[static_cast<std::size_t>(random_int(rng, 0, 2))];
  }
  Json student, model;
  Dtype dtype;
};

// Where a student's tensor comes from, by the rules; "" for none.
std::string name_in_model(const std::string& name, const std::vector<std::int64_t>& layers,
                          const Json& model) {
  if (name == "lm_head.weight" && model["tie_word_embeddings"]) return "model.embed_tokens.weight";
  constexpr std::string_view kLayers = "model.layers.";
  if (!name.starts_with(kLayers)) return name;
  const std::size_t end = name.find('.', kLayers.size());
  const auto layer = std::stoul(name.substr(kLayers.size(), end - kLayers.size()));
  return fmt::format("{}{}{}", kLayers, layers.at(layer), name.substr(end));
}

TEST(InitFrom, TakesWhatFitsAndLeavesTheRestAsItWouldBe) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  for (int round = 0; round < 6; ++round) {
    const LayerPair pair(rng);
    SCOPED_TRACE(pair.student.dump() + pair.model.dump());
    testing::write_file(run.directory / "student.json", pair.student.dump());
    const fs::path from = run.directory / fmt::format("from{}", round);
    const auto model = testing::tiny_model(pair.model, rng());
    save_model(from, *model, {.dtype = pair.dtype});
    Json file = run.run_file();
    file["student"]["seed"] = random_int(rng, 0, 99);
    const ValuesByName fresh = values_by_name(*make_student(run.config(file).student));
    file["student"]["init_from"] = {{"model", from.string()}};
    const std::int64_t own = pair.student["num_hidden_layers"],
                       available = pair.model["num_hidden_layers"];
    std::vector<std::int64_t> layers = spread_layers(own, available);
    if (random_int(rng, 0, 1) == 0) {
      for (std::int64_t& layer : layers) layer = random_int(rng, std::int64_t{0}, available - 1);
      file["student"]["init_from"]["layers"] = layers;
    }
    const RunConfig config = settle_init_from(run.config(file));
    EXPECT_EQ(config.student.init_from->layers, layers);
    EXPECT_EQ(config.resolved()["student"]["init_from"]["layers"], Json(layers));
    const auto student = make_student(config.student);
    const InitFromSummary summary = take_layers(*student, config.student, ignore_line, ignore_line);
    std::map<std::string, Tensor> theirs;
    for (const auto& [name, tensor] : model->state_dict()) {
      theirs[name] = tensor.to(pair.dtype).to(Dtype::F32);
    }
    std::int64_t taken = 0, tensors = 0, kinds = 0;
    for (const auto& [name, tensor] : student->state_dict()) {
      const auto found = theirs.find(name_in_model(name, layers, pair.model));
      const bool fits = found != theirs.end() && found->second.shape() == tensor.shape();
      EXPECT_EQ(tensor.to_vector<float>(), fits ? found->second.to_vector<float>() : fresh.at(name))
          << name;
      taken += fits, ++tensors;
    }
    EXPECT_EQ(summary.taken, taken);
    EXPECT_EQ(summary.tensors, tensors);
    for (const auto& kind : summary.fresh) kinds += kind.tensors;
    EXPECT_EQ(taken + kinds, tensors);
  }
}

class InitFromRun : public ::testing::Test {
 protected:
  InitFromRun() {
    Json teacher = testing::tiny_config(TinyRun::kVocabulary);
    teacher["num_hidden_layers"] = 5;
    save_model(run_.directory / "from", *testing::tiny_model(teacher, 4));
    file_["student"]["init_from"] = {{"model", "from"}, {"layers", {1, 4}}};
  }
  std::string refusal() {
    return message_of<ConfigError>(
        [&] { execute(run_.config(file_), run_.directory / "refused"); });
  }

  TinyRun run_;
  Json file_ = run_.distillation_file();
};

TEST_F(InitFromRun, WhatDoesNotFitIsRefused) {
  auto& from = file_["student"]["init_from"];
  from["layers"] = {0, 1, 2};
  EXPECT_THAT(refusal(), HasSubstr("layers names 3 layers, and the student has 2"));
  from["layers"] = {0, 5};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("names layer 5"), HasSubstr("has 5 layers")));
  for (const Json& wrong : {Json{-1, 0}, Json{0.5, 1}, Json::array(), Json(3), Json{"0", "1"}}) {
    from["layers"] = wrong;
    EXPECT_THAT(refusal(), HasSubstr("student.init_from.layers")) << wrong;
  }
  from["layers"] = nullptr;
  from.erase("model");
  EXPECT_THAT(refusal(), HasSubstr("\"student.init_from.model\" is missing"));
  from["model"] = "expert";  // of another hidden size, as is every tensor
  EXPECT_THAT(refusal(), HasSubstr("no tensor of"));
  from["model"] = "from";
  file_["student"]["init"] = "from";
  EXPECT_THAT(refusal(), HasSubstr("give one"));
  EXPECT_FALSE(fs::exists(run_.directory / "refused"));
}

TEST_F(InitFromRun, ResumesToTheBitWithoutTheModel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  if (random_int(rng, 0, 1) == 0) file_["student"]["init_from"].erase("layers");
  const RunConfig config = run_.config(file_);
  const fs::path whole = run_.directory / "whole", out = run_.directory / "out";
  execute(config, whole);
  Json fresh = file_;
  fresh["student"].erase("init_from");
  execute(run_.config(fresh), run_.directory / "fresh");
  EXPECT_NE(testing::weights(whole), testing::weights(run_.directory / "fresh"));
  const Json record = Json::parse(testing::read_file(whole / "init_from.json"));
  EXPECT_EQ(record["taken_tensors"], record["tensors"]);
  EXPECT_EQ(Json::parse(testing::read_file(whole / "run.json"))["student"]["init_from"]["layers"],
            file_["student"]["init_from"].contains("layers") ? Json({1, 4}) : Json({0, 4}));
  EXPECT_THAT(testing::read_file(whole / "report.md"), HasSubstr("What the student began with"));
  execute(config, out, false, random_int(rng, 1, 12));
  const fs::path from = run_.directory / "from", gone = run_.directory / "gone";
  fs::rename(from, gone);
  expect_resumes_as(config, out, whole);
  // Before the first checkpoint it is needed, as it was.
  const fs::path early = run_.directory / "early";
  fs::rename(gone, from);
  execute(config, early, false, 1);
  fs::remove_all(early / "checkpoints" / testing::checkpoint_name(1));
  fs::remove(early / "timeline.jsonl");
  fs::rename(from, gone);
  EXPECT_THAT(message_of<Error>([&] { execute(config, early, true); }),
              HasSubstr("student.init_from"));
  fs::rename(gone, from);
  expect_resumes_as(config, early, whole);
  // Another start is another run.
  file_["student"]["init_from"]["layers"] = {2, 3};
  execute(config, run_.directory / "other", false, 2);
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run_.config(file_), run_.directory / "other", true); }),
      HasSubstr("student.init_from.layers"));
}

TEST(InitFrom, EmbeddingAndHeadAreOfOneTokenizerAlone) {
  const TinyRun run;
  constexpr std::int64_t kEntries = 265;
  for (const char* name : {"own", "same", "other"}) {
    testing::write_tiny_tokenizer(run.directory / name);
    if (std::string(name) == "own") continue;
    const auto model = testing::tiny_model(testing::tiny_config(kEntries), 4);
    const fs::path from = run.directory / (std::string(name) + "-model");
    save_model(from, *model);
    copy_tokenizer(run.directory / name, from);
  }
  const fs::path other = run.directory / "other-model";
  Json tokenizer = Json::parse(testing::read_file(other / "tokenizer.json"));
  auto& vocabulary = tokenizer["model"]["vocab"];
  std::swap(vocabulary["a"], vocabulary["b"]);
  testing::write_file(other / "tokenizer.json", tokenizer.dump());
  testing::write_file(run.directory / "student.json", testing::tiny_config(kEntries).dump());
  for (const char* name : {"same-model", "other-model"}) {
    Json file = run.run_file();
    file["student"]["tokenizer"] = "own";
    file["student"]["init_from"] = {{"model", name}};
    const RunConfig config = settle_init_from(run.config(file));
    const auto student = make_student(config.student);
    std::vector<std::string> told, warned;
    const InitFromSummary summary = take_layers(
        *student, config.student, [&](const std::string& text) { told.push_back(text); },
        [&](const std::string& text) { warned.push_back(text); });
    const bool same = std::string(name) == "same-model";
    EXPECT_EQ(summary.taken, summary.tensors - (same ? 0 : 2));
    EXPECT_THAT(
        told, Contains(HasSubstr(fmt::format("{} of {} tensors", summary.taken, summary.tensors))));
    if (same) {
      EXPECT_THAT(warned, ::testing::IsEmpty());
    } else {
      EXPECT_THAT(warned, ElementsAre(HasSubstr("another tokenizer")));
      EXPECT_THAT(told, Contains(AllOf(HasSubstr("lm_head.weight"), HasSubstr("embed_tokens"))));
    }
  }
}

// Quantised tensors are taken as the numbers that they stand for.
TEST(InitFrom, ReadsGgufFiles) {
  const TinyRun run;
  constexpr std::int64_t kEntries = 265;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  Json config = testing::tiny_config(kEntries, 256);
  config["intermediate_size"] = 256;
  config["num_hidden_layers"] = 3;
  save_gguf(run.directory / "from.gguf", *testing::tiny_model(config, 4),
            ModelPaths::of(run.directory / "tokenizer"), Dtype::Q4_K);
  config["num_hidden_layers"] = 2;
  testing::write_file(run.directory / "student.json", config.dump());
  Json file = run.run_file();
  file["student"]["tokenizer"] = "from.gguf";
  file["student"]["init_from"] = {{"model", "from.gguf"}};
  const RunConfig settled = settle_init_from(run.config(file));
  const auto student = make_student(settled.student);
  const InitFromSummary summary = take_layers(*student, settled.student, ignore_line, ignore_line);
  EXPECT_EQ(summary.taken, summary.tensors);
  const ValuesByName own = values_by_name(*student);
  const ValuesByName theirs =
      values_by_name(*load_model(run.directory / "from.gguf", {.trainable = true}));
  EXPECT_EQ(own.at("model.layers.1.mlp.up_proj.weight"),
            theirs.at("model.layers.2.mlp.up_proj.weight"));
  EXPECT_EQ(own.at("model.layers.1.self_attn.q_proj.weight"),
            theirs.at("model.layers.2.self_attn.q_proj.weight"));
  EXPECT_EQ(own.at("model.embed_tokens.weight"), theirs.at("model.embed_tokens.weight"));
}

}  // namespace
}  // namespace gladius::train
