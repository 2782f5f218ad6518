// Model directories that are damaged, or hold more or less than the model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "gladius/models/generation/generation_config.h"
#include "gladius/models/model_directory.h"
#include "support/message_of.h"
#include "support/random_models.h"
#include "support/same_weights.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::expect_same_weights;
using ::testing::HasSubstr;
using testing::message_of;
using testing::random_model;
using testing::read_file;
using testing::Rng;
using testing::TemporaryDirectory;
using testing::write_file;

// A model saved for the tests that damage it.
class SavedModel : public ::testing::Test {
 protected:
  SavedModel() {
    SCOPED_TRACE(::testing::Message() << "seed " << seed_);
    nlohmann::ordered_json json = testing::random_config_json(rng_);
    json["tie_word_embeddings"] = false;
    json["num_hidden_layers"] = 2;
    model_ = random_model(rng_, json);
    save_model(path(), *model_);
  }
  fs::path path() const { return directory_ / "model"; }
  NamedTensors weights() const {
    NamedTensors tensors;
    const auto file = SafetensorsFile::open(path() / "model.safetensors");
    for (const auto& entry : file.entries())
      tensors.emplace_back(entry.name, file.tensor(entry.name).clone());
    return tensors;
  }
  void rewrite(const NamedTensors& tensors) const {
    write_safetensors(path() / "model.safetensors", tensors);
  }
  void set_config(const char* key, const nlohmann::json& value) const {
    auto json = nlohmann::ordered_json::parse(read_file(path() / "config.json"));
    json[key] = value;
    write_file(path() / "config.json", json.dump());
  }
  // What was saved first, again.
  void restore() const { save_model(path(), *model_, {.overwrite = true}); }
  std::string load_error() const {
    return message_of<FormatError>([&] { load_model(path()); });
  }

  const std::uint64_t seed_ = std::random_device{}();
  Rng rng_{seed_};
  TemporaryDirectory directory_;
  std::unique_ptr<LanguageModel> model_;
};

TEST_F(SavedModel, MissingAndMisshapedTensorsAreNamed) {
  const NamedTensors good = weights();
  NamedTensors tensors = good;
  std::erase_if(tensors, [](const auto& e) { return e.first == "lm_head.weight"; });
  rewrite(tensors);
  EXPECT_THAT(load_error(), AllOf(HasSubstr(path().string()), HasSubstr("\"lm_head.weight\""),
                                  HasSubstr("missing")));
  tensors = good;
  for (auto& [name, tensor] : tensors)
    if (name == "model.norm.weight") tensor = Tensor::zeros({5});
  rewrite(tensors);
  EXPECT_THAT(load_error(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("[5]"),
                                  HasSubstr("the model needs")));
  tensors = good;
  for (auto& [name, tensor] : tensors)
    if (name == "model.norm.weight") tensor = Tensor::zeros(tensor.shape(), Dtype::I64);
  rewrite(tensors);
  EXPECT_THAT(load_error(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("floating-point")));
}

TEST_F(SavedModel, TensorsOfNoParameterArePassedOverWithAWarning) {
  NamedTensors tensors = weights();
  tensors.emplace_back("model.layers.0.self_attn.rotary_emb.inv_freq", Tensor::ones({4}));
  tensors.emplace_back("model.mtp.fc.weight", Tensor::ones({2, 2}, Dtype::BF16));
  tensors.emplace_back("marker", Tensor::zeros({0}, Dtype::U8));
  tensors.emplace_back("step\n", Tensor::zeros({}, Dtype::I64));
  rewrite(tensors);
  for (const bool trainable : {false, true}) {
    std::vector<std::string> warnings;
    const auto loaded =
        load_model(path(), {.trainable = trainable,
                            .warn = [&](const std::string& text) { warnings.push_back(text); }});
    expect_same_weights(*loaded, *model_);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(warnings[0], AllOf(HasSubstr("4 tensors that belong to no parameter"),
                                   HasSubstr("\"model.layers.0.self_attn.rotary_emb.inv_freq\""),
                                   HasSubstr("...")));
  }
}

TEST_F(SavedModel, AMissingHeadNamesTheKeyThatTiesIt) {
  NamedTensors tensors = weights();
  std::erase_if(tensors, [](const auto& entry) { return entry.first == "lm_head.weight"; });
  rewrite(tensors);
  EXPECT_THAT(load_error(), AllOf(HasSubstr("\"lm_head.weight\" is missing"),
                                  HasSubstr("set tie_word_embeddings to true in config.json")));
}

TEST_F(SavedModel, ValuesThatATypeCannotHoldAreRefusedBeforeAnythingIsWritten) {
  std::vector<std::string> warnings;
  const auto save = [&](double value, Dtype from, Dtype to) {
    warnings.clear();
    NamedTensors state = model_->state_dict();
    for (auto& [name, tensor] : state) tensor = tensor.to(from);
    state.back().second = Tensor::full(state.back().second.shape(), value, from);
    const auto model = make_language_model(model_->config());
    model->set_requires_grad(false);
    model->load_state_dict(state);
    save_model(directory_ / "narrow", *model,
               {.dtype = to, .overwrite = true, .warn = [&](const std::string& text) {
                  warnings.push_back(text);
                }});
  };
  const std::string last = model_->state_dict().back().first;
  for (const Dtype from : {Dtype::F32, Dtype::BF16, Dtype::F64}) {
    EXPECT_THAT(message_of<FormatError>([&] { save(-70144, from, Dtype::F16); }),
                AllOf(HasSubstr(last), HasSubstr("as F16, whose largest is 65504"),
                      HasSubstr("70144"), HasSubstr("store the model as bf16")));
    EXPECT_FALSE(fs::exists(directory_ / "narrow"));
  }
  EXPECT_THAT(message_of<FormatError>([&] { save(1e300, Dtype::F64, Dtype::F32); }),
              HasSubstr("keep the type that it has"));
  EXPECT_THROW(save(3.4e38, Dtype::F32, Dtype::BF16), FormatError);
  EXPECT_FALSE(fs::exists(directory_ / "narrow"));
  // 65519 rounds down to the largest.
  save(65519, Dtype::F32, Dtype::F16);
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(load_model(directory_ / "narrow")->state_dict().back().second.to_vector<float>()[0],
            65504);
  save(NAN, Dtype::F32, Dtype::F16);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("values are NaN or infinite"));
  save(1e-8, Dtype::F32, Dtype::F16);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("too small for F16 and become zero"));
}

TEST_F(SavedModel, ATiedHeadMayBeThereIfItIsTheEmbedding) {
  set_config("tie_word_embeddings", true);
  EXPECT_THAT(load_error(), AllOf(HasSubstr("lm_head.weight differs"),
                                  HasSubstr("set tie_word_embeddings to false")));
  NamedTensors tensors = weights();
  Tensor embedding;
  for (const auto& [name, tensor] : tensors)
    if (name == "model.embed_tokens.weight") embedding = tensor;
  for (auto& [name, tensor] : tensors)
    if (name == "lm_head.weight") tensor = embedding;
  rewrite(tensors);
  EXPECT_NO_THROW(load_model(path()));
  std::erase_if(tensors, [](const auto& e) { return e.first == "lm_head.weight"; });
  rewrite(tensors);
  EXPECT_NO_THROW(load_model(path()));
}

TEST_F(SavedModel, IndexesThatDoNotFitAreRefused) {
  const auto index_error = [&](const std::string& text) {
    write_file(path() / "model.safetensors.index.json", text);
    return message_of([&] { load_model(path()); });
  };
  fs::rename(path() / "model.safetensors", path() / "part.safetensors");
  EXPECT_THAT(message_of<IoError>([&] { load_model(path()); }),
              HasSubstr("neither model.safetensors nor model.safetensors.index.json"));
  nlohmann::json map;
  const auto part = SafetensorsFile::open(path() / "part.safetensors");
  for (const auto& entry : part.entries()) map[entry.name] = "part.safetensors";
  const auto text = [](const nlohmann::json& m) {
    return nlohmann::json{{"weight_map", m}}.dump();
  };
  write_file(path() / "model.safetensors.index.json", text(map));
  EXPECT_NO_THROW(load_model(path()));

  EXPECT_THAT(index_error("{\"weight_map\": "), HasSubstr("not valid JSON"));
  EXPECT_THAT(index_error("[]"), HasSubstr("weight_map"));
  EXPECT_THAT(index_error(R"({"weight_map": 3})"), HasSubstr("weight_map"));
  EXPECT_THAT(index_error(R"({"weight_map": {}})"), HasSubstr("is empty"));
  for (const char* name : {"../part.safetensors", "/etc/passwd", "..", ".", "", "a/b", "a/"}) {
    map["lm_head.weight"] = name;
    EXPECT_THAT(index_error(text(map)),
                AllOf(HasSubstr("lm_head.weight"), HasSubstr("in the directory")));
  }
  map["lm_head.weight"] = std::string("part.safetensors\0x", 18);
  EXPECT_THAT(index_error(text(map)), HasSubstr("in the directory"));
  map["lm_head.weight"] = 7;
  EXPECT_THAT(index_error(text(map)), HasSubstr("gives 7 for \"lm_head.weight\""));
  map["lm_head.weight"] = "gone.safetensors";
  EXPECT_THAT(index_error(text(map)),
              AllOf(HasSubstr("gone.safetensors"), HasSubstr("missing"), HasSubstr("lm_head")));
  map["lm_head.weight"] = "part.safetensors";
  map["new.weight"] = "part.safetensors";
  EXPECT_THAT(index_error(text(map)),
              AllOf(HasSubstr("part.safetensors"), HasSubstr("new.weight"), HasSubstr("does not")));
  map.erase("new.weight");
  map.erase("lm_head.weight");
  EXPECT_THAT(index_error(text(map)),
              AllOf(HasSubstr("model.safetensors.index.json: part"),
                    HasSubstr("holds tensor \"lm_head.weight\""), HasSubstr("does not list")));
}

TEST_F(SavedModel, LinksThatLeadNowhereAreNamed) {
  for (const std::string name : {"model.safetensors", "generation_config.json", "config.json"}) {
    for (const std::string& target : {std::string("gone"), name}) {
      restore();
      fs::remove(path() / name);
      fs::create_symlink(target, path() / name);
      EXPECT_THAT(message_of<IoError>([&] {
                    const auto model = load_model(path());
                    GenerationConfig::load(path(), model->config());
                  }),
                  AllOf(HasSubstr("cannot open " + (path() / name).string()),
                        HasSubstr(target == name ? "levels of symbolic links" : "No such file")));
      fs::remove(path() / name);
    }
  }
}

TEST_F(SavedModel, TheIndexsTotalSizeIsComparedAndNoMore) {
  std::uint64_t bytes = 0;
  nlohmann::json map;
  fs::rename(path() / "model.safetensors", path() / "part.safetensors");
  const auto part = SafetensorsFile::open(path() / "part.safetensors");
  for (const auto& entry : part.entries()) {
    map[entry.name] = "part.safetensors";
    bytes += entry.end - entry.begin;
  }
  const auto write_index = [&](const nlohmann::json& metadata) {
    write_file(path() / "model.safetensors.index.json",
               nlohmann::json{{"metadata", metadata}, {"weight_map", map}}.dump());
  };
  for (const nlohmann::json& metadata :
       {nlohmann::json{{"total_size", bytes}}, nlohmann::json{{"total_size", double(bytes)}},
        nlohmann::json{{"format", "pt"}}, nlohmann::json()}) {
    write_index(metadata);
    EXPECT_NO_THROW(load_model(path())) << metadata;
  }
  std::vector<std::string> warnings;
  const LoadOptions listening{.warn = [&](const std::string& text) { warnings.push_back(text); }};
  // An old number, and the number of files.
  for (const std::uint64_t stale : {bytes + 1, std::uint64_t{1}}) {
    warnings.clear();
    write_index({{"total_size", stale}});
    load_model(path(), listening);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(warnings[0],
                AllOf(HasSubstr("model.safetensors.index.json: metadata.total_size is " +
                                std::to_string(stale)),
                      HasSubstr("take " + std::to_string(bytes) + " bytes")));
  }
  warnings.clear();
  for (const nlohmann::json& none :
       {nlohmann::json("12"), nlohmann::json(-1), nlohmann::json(1e300), nlohmann::json(nullptr)}) {
    write_index({{"total_size", none}});
    EXPECT_NO_THROW(load_model(path(), listening)) << none;
  }
  EXPECT_TRUE(warnings.empty());
}

TEST_F(SavedModel, ATensorInTwoShardsIsRefused) {
  nlohmann::json map;
  for (const auto& [name, tensor] : weights()) {
    map[name] = map.size() % 2 ? "a.safetensors" : "b.safetensors";
  }
  fs::copy(path() / "model.safetensors", path() / "a.safetensors");
  fs::rename(path() / "model.safetensors", path() / "b.safetensors");
  write_file(path() / "model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
  EXPECT_THAT(load_error(), AllOf(HasSubstr("is in two shards"), HasSubstr("a.safetensors"),
                                  HasSubstr("b.safetensors")));
}

}  // namespace
}  // namespace gladius
