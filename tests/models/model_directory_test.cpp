#include "gladius/models/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "gladius/models/generation/generation_config.h"
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
using testing::random_int;
using testing::random_model;
using testing::read_file;
using testing::Rng;
using testing::TemporaryDirectory;
using testing::write_file;

// The card's configuration.
const fs::path kCardConfig = fs::path(GLADIUS_SOURCE_DIR) / "configs/gladius-125m.json";

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}

TEST(ModelDirectory, RoundTripsAnyModelWholeOrInShards) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 12; ++round) {
    const TemporaryDirectory directory;
    const auto model = random_model(rng);
    const auto limit = static_cast<std::uint64_t>(random_int(rng, 1, 20000));
    save_model(directory / "m", *model, {.max_shard_size = limit});
    for (const bool trainable : {false, true}) {
      const auto loaded = load_model(directory / "m", {.trainable = trainable});
      expect_same_weights(*model, *loaded);
      EXPECT_EQ(loaded->config().to_text(), model->config().to_text());
      for (const auto& [name, parameter] : loaded->named_parameters()) {
        EXPECT_EQ(parameter.requires_grad(), trainable) << name;
        EXPECT_EQ(parameter.value().storage()->read_only(), !trainable) << name;
      }
    }
  }
}

TEST(ModelDirectory, ShardsAreFilledInOrderAndIndexed) {
  Rng rng(1);
  const TemporaryDirectory directory;
  const auto model = random_model(rng);
  const std::uint64_t limit = 3000;
  save_model(directory / "m", *model, {.max_shard_size = limit});
  const auto index = nlohmann::json::parse(read_file(directory / "m/model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_parameters"], model->num_parameters());
  EXPECT_EQ(index["metadata"]["total_size"], 4 * model->num_parameters());
  EXPECT_EQ(index["weight_map"].size(), model->named_parameters().size());
  const auto files = open_weights(directory / "m");
  ASSERT_GT(files.size(), 1u);
  for (const auto& file : files) {
    std::uint64_t bytes = 0;
    for (const auto& entry : file.entries()) {
      bytes += entry.end - entry.begin;
      EXPECT_EQ(index["weight_map"][entry.name], file.path().filename().string());
    }
    EXPECT_TRUE(bytes <= limit || file.entries().size() == 1) << file.path();
  }
}

TEST(ModelDirectory, WritesTheFilesOfTheModelCard) {
  const ModelConfig card = ModelConfig::load(kCardConfig);
  EXPECT_EQ(card.to_text().size(), 668u);
  EXPECT_EQ(generation_config_text(card).size(), 133u);
  EXPECT_EQ(make_language_model(card)->num_parameters(), 124'668'672);
  EXPECT_EQ(make_language_model(card)->named_parameters().size(), 111u);
  // The header's size does not depend on the data: 498,687,008 bytes in all.
  std::vector<SafetensorsSpec> specs;
  for (const auto& [name, tensor] : make_language_model(card)->state_dict())
    specs.push_back({name, stored_dtype(tensor.dtype()), tensor.shape()});
  EXPECT_EQ(plan_safetensors(specs).file_size, 498'687'008u);
}

TEST(ModelDirectory, ConvertsTypesAndSaysSoInTheConfig) {
  Rng rng(2);
  const TemporaryDirectory directory;
  nlohmann::ordered_json json = testing::random_config_json(rng);
  json["torch_dtype"] = "float32";
  const auto model = random_model(rng, json);
  save_model(directory / "half", *model, {.dtype = Dtype::BF16});
  const auto half = load_model(directory / "half");
  EXPECT_EQ(half->config().source["torch_dtype"], "bfloat16");
  EXPECT_FALSE(half->config().source.contains("dtype"));
  for (const auto& [name, tensor] : half->state_dict()) EXPECT_EQ(tensor.dtype(), Dtype::BF16);
  for (const auto& [name, parameter] :
       load_model(directory / "half", {.trainable = true})->named_parameters())
    EXPECT_EQ(parameter.dtype(), Dtype::F32);
  save_model(directory / "again", *half);
  EXPECT_EQ(read_file(directory / "half/model.safetensors"),
            read_file(directory / "again/model.safetensors"));
}

TEST(ModelDirectory, OverwritesOnlyWhenAskedAndLeavesNoOldShards) {
  Rng rng(3);
  const TemporaryDirectory directory;
  const auto json = testing::random_config_json(rng);
  const auto first = random_model(rng, json), second = random_model(rng, json);
  save_model(directory / "m", *first, {.max_shard_size = 1000});
  EXPECT_THAT(message_of<IoError>([&] { save_model(directory / "m", *second); }),
              AllOf(HasSubstr("/m exists and is not empty"), HasSubstr("another directory")));
  expect_same_weights(*load_model(directory / "m"), *first);
  save_model(directory / "m", *second, {.overwrite = true});
  expect_same_weights(*load_model(directory / "m"), *second);
  EXPECT_THAT(names_in(directory / "m"),
              ::testing::ElementsAre("config.json", "generation_config.json", "model.safetensors"));
  save_model(directory / "m", *first, {.max_shard_size = 1000, .overwrite = true});
  expect_same_weights(*load_model(directory / "m"), *first);
  write_file(directory / "file", "");
  EXPECT_THAT(message_of<IoError>([&] { save_model(directory / "file", *first); }),
              HasSubstr("is not a directory"));
}

TEST(ModelDirectory, ModelsOfOtherFormatsAreNamedWithWhatToDo) {
  const TemporaryDirectory directory;
  const auto error = [&](const char* file, const std::string& text) {
    fs::remove_all(directory / "model");
    fs::create_directory(directory / "model");
    write_file(directory / "model" / file, text);
    return message_of<Error>([&] { load_model(directory / "model"); });
  };
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\n";
  EXPECT_THAT(
      error("config.json", pointer),
      AllOf(HasSubstr("config.json: this is a git-lfs pointer"), HasSubstr("git lfs pull")));
  EXPECT_THAT(error("adapter_config.json", "{}"), HasSubstr("LoRA adapter"));
  EXPECT_THAT(error("pytorch_model.bin", "PK"), HasSubstr("convert them to safetensors"));
  EXPECT_THAT(error("model.Q4_K_M.gguf", "GGUF"), HasSubstr("GGUF"));
  EXPECT_THAT(error("notes.txt", ""), ::testing::EndsWith("is expected there"));
  for (const auto& [head, what] : {std::pair{pointer, "git-lfs pointer"},
                                   {std::string("GGUF\3\0\0\0", 8), "GGUF"},
                                   {"PK\x03\x04 archive", "zip"},
                                   {"<!DOCTYPE html><html>", "web page"}}) {
    write_file(directory / "model.safetensors", head + std::string(100, ' '));
    EXPECT_THAT(
        message_of<FormatError>([&] { SafetensorsFile::open(directory / "model.safetensors"); }),
        AllOf(HasSubstr("model.safetensors: this is"), HasSubstr(what)));
  }
}

TEST(ModelDirectory, CopiesTheTokenizersFiles) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "from");
  fs::create_directory(directory / "to");
  EXPECT_THAT(message_of<IoError>([&] { copy_tokenizer(directory / "from", directory / "to"); }),
              HasSubstr("has no tokenizer.json"));
  write_file(directory / "from/tokenizer.json", "{}");
  write_file(directory / "from/chat_template.jinja", "{{ bos_token }}");
  write_file(directory / "from/model.safetensors", "");
  fs::create_directory(directory / "from/additional_chat_templates");
  write_file(directory / "from/additional_chat_templates/tool_use.jinja", "{{ tools }}");
  copy_tokenizer(directory / "from", directory / "to");
  EXPECT_THAT(
      names_in(directory / "to"),
      ::testing::ElementsAre("additional_chat_templates", "chat_template.jinja", "tokenizer.json"));
  EXPECT_EQ(read_file(directory / "to/additional_chat_templates/tool_use.jinja"), "{{ tools }}");
  EXPECT_EQ(read_file(directory / "to/chat_template.jinja"), "{{ bos_token }}");
}

TEST(GenerationConfig, FillsInTheEndTokensOfTheConfig) {
  const TemporaryDirectory directory;
  const ModelConfig card = ModelConfig::load(kCardConfig);
  EXPECT_EQ(GenerationConfig::load(directory.path(), card).eos_token_ids,
            std::vector<std::int32_t>{2});
  write_file(directory / "generation_config.json",
             R"({"eos_token_id": [7, 8], "top_k": 20, "temperature": 0.5, "top_p": null})");
  const auto config = GenerationConfig::load(directory.path(), card);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int32_t>{7, 8}));
  EXPECT_EQ(config.top_k, 20);
  EXPECT_EQ(config.temperature, 0.5);
  EXPECT_FALSE(config.top_p);
  write_file(directory / "generation_config.json", R"({"eos_token_id": "x"})");
  EXPECT_THAT(message_of<ConfigError>([&] { GenerationConfig::load(directory.path(), card); }),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("eos_token_id")));
}

}  // namespace
}  // namespace gladius
