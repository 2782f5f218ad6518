#include "gladius/train/verify/verification.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/sha256.h"
#include "support/message_of.h"
#include "support/random_models.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Json;
using testing::random_int;
using testing::read_file;
using testing::Rng;
using testing::write_file;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kPlainTemplate =
    "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}{% endfor %}";

// A model directory with all that is checked, of random sizes.
class Verify : public ::testing::Test {
 protected:
  Verify() : rng_(std::random_device{}()) {
    const std::uint64_t seed = rng_();
    RecordProperty("seed", std::to_string(seed));
    fmt::print("seed {}\n", seed);
    rng_.seed(seed);
    make(random_int(rng_, 0, 1) == 1);
  }

  void make(bool tied, std::uint64_t max_shard_size = 5'000'000'000) {
    fs::remove_all(model_);
    Json config = testing::random_config_json(rng_);
    config["vocab_size"] = random_int(rng_, 265, 300);
    config["tie_word_embeddings"] = tied;
    config["bos_token_id"] = 1;
    config["eos_token_id"] = {2, 0};
    save_model(model_, *testing::random_model(rng_, config), {.max_shard_size = max_shard_size});
    testing::write_tiny_tokenizer(model_);
    write_file(model_ / "chat_template.jinja", kPlainTemplate);
    write_file(model_ / "README.md", "---\nlicense: mit\ntags:\n- x\n---\n# A model\n");
  }

  Check check(const std::string& name) const {
    for (const Check& one : verify_model(model_)) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << "no check " << name;
    return {};
  }
  // What the check says, and that no other one fails.
  std::string detail_of(const std::string& name, Outcome outcome) const {
    for (const Check& one : verify_model(model_)) {
      EXPECT_TRUE(one.name == name || one.outcome != Outcome::failed)
          << one.name << ": " << one.detail;
    }
    const Check found = check(name);
    EXPECT_EQ(found.outcome, outcome) << name << ": " << found.detail;
    return found.detail;
  }

  Json json(const char* name) const { return Json::parse(read_file(model_ / name)); }
  void set(const char* name, const char* key, const Json& value) const {
    Json changed = json(name);
    changed[key] = value;
    write_file(model_ / name, changed.dump());
  }

  // The weights with a change of their list.
  void change_weights(const std::function<void(NamedTensors&)>& change) const {
    NamedTensors tensors;
    const SafetensorsFile file = SafetensorsFile::open(model_ / kWeights);
    for (const SafetensorsEntry& entry : file.entries()) {
      tensors.emplace_back(entry.name, file.tensor(entry.name).clone());
    }
    change(tensors);
    fs::remove(model_ / kWeights);
    write_safetensors(model_ / kWeights, tensors);
  }
  std::size_t some(const NamedTensors& tensors) {
    return static_cast<std::size_t>(random_int(rng_, 0, std::ssize(tensors) - 1));
  }

  testing::TemporaryDirectory directory_;
  fs::path model_ = directory_ / "model";
  Rng rng_;
};

TEST_F(Verify, AModelThatIsWhole) {
  std::vector<std::string> names;
  for (const Check& one : verify_model(model_)) {
    names.push_back(one.name);
    EXPECT_EQ(one.outcome, Outcome::ok) << one.name << ": " << one.detail;
  }
  EXPECT_THAT(names, ::testing::ElementsAre("config", "tensors", "tied head", "finite weights",
                                            "tokenizer", "special tokens", "chat template",
                                            "generation config", "checksums", "card"));
  EXPECT_EQ(check("checksums").detail, sha256_file(model_ / kWeights) + " " + kWeights);
}

TEST_F(Verify, WhatIsNotThere) {
  EXPECT_THAT(testing::message_of<IoError>([&] { verify_model(directory_ / "gone"); }),
              HasSubstr("gone does not exist"));
  fs::remove_all(model_);
  fs::create_directory(model_);
  EXPECT_EQ(check("config").outcome, Outcome::failed);
  EXPECT_THAT(check("tensors").detail, HasSubstr("has neither model.safetensors nor"));
  for (const char* name : {"tied head", "finite weights", "special tokens", "chat template",
                           "generation config", "checksums"}) {
    EXPECT_EQ(check(name).outcome, Outcome::skipped) << name;
  }
  for (const char* name : {"tokenizer", "card"}) {
    EXPECT_EQ(check(name).outcome, Outcome::warning) << name;
  }
}

TEST_F(Verify, Config) {
  set("config.json", "architectures", {"UnheardOfForCausalLM"});
  EXPECT_THAT(detail_of("config", Outcome::failed), HasSubstr("UnheardOfForCausalLM"));
  EXPECT_EQ(check("tensors").outcome, Outcome::skipped);
}

TEST_F(Verify, ATensorIsMissing) {
  std::string name;
  change_weights([&](NamedTensors& tensors) {
    const std::size_t i = some(tensors);
    name = tensors[i].first;
    tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i));
  });
  EXPECT_EQ(detail_of("tensors", Outcome::failed), fmt::format("missing: 1 (\"{}\")", name));
}

TEST_F(Verify, TensorsAreUnexpected) {
  change_weights([&](NamedTensors& tensors) {
    for (const char* name : {"a", "b", "c", "d"}) tensors.emplace_back(name, Tensor::zeros({2}));
  });
  EXPECT_EQ(detail_of("tensors", Outcome::failed), R"(unexpected: 4 ("a", "b", "c", ...))");
}

TEST_F(Verify, ATensorHasAnotherShape) {
  std::string name, was, is;
  change_weights([&](NamedTensors& tensors) {
    auto& [tensor_name, tensor] = tensors[some(tensors)];
    Shape shape = tensor.shape();
    name = tensor_name;
    was = to_string(shape);
    ++shape[static_cast<std::size_t>(random_int(rng_, 0, std::ssize(shape) - 1))];
    is = to_string(shape);
    tensor = Tensor::zeros(shape);
  });
  EXPECT_EQ(detail_of("tensors", Outcome::failed),
            fmt::format("of another shape: 1 (\"{}\" is {}, expected {})", name, is, was));
}

TEST_F(Verify, WeightsThatAreCut) {
  fs::resize_file(model_ / kWeights, fs::file_size(model_ / kWeights) - 1);
  EXPECT_THAT(detail_of("tensors", Outcome::failed), HasSubstr(kWeights));
  EXPECT_EQ(check("finite weights").outcome, Outcome::skipped);
}

TEST_F(Verify, Shards) {
  make(random_int(rng_, 0, 1) == 1, 4000);
  ASSERT_TRUE(fs::exists(model_ / "model.safetensors.index.json"));
  EXPECT_EQ(check("tensors").outcome, Outcome::ok);
  EXPECT_EQ(check("finite weights").outcome, Outcome::ok);
  Json index = json("model.safetensors.index.json");
  index["metadata"]["total_size"] = 1;
  write_file(model_ / "model.safetensors.index.json", index.dump());
  EXPECT_THAT(detail_of("tensors", Outcome::warning), HasSubstr("total_size is 1"));
  fs::remove(model_ / index["weight_map"].begin()->get<std::string>());
  EXPECT_THAT(detail_of("tensors", Outcome::failed), HasSubstr("is missing"));
}

TEST_F(Verify, ATiedHeadIsThereTwice) {
  make(true);
  EXPECT_EQ(check("tied head").detail, "tied, stored once");
  change_weights([](NamedTensors& tensors) {
    const auto embedding =
        std::ranges::find(tensors, "model.embed_tokens.weight", &NamedTensors::value_type::first);
    tensors.emplace_back("lm_head.weight", embedding->second.clone());
  });
  EXPECT_EQ(detail_of("tied head", Outcome::ok),
            "tied, lm_head.weight repeats model.embed_tokens.weight");
  change_weights([&](NamedTensors& tensors) {
    Tensor& head =
        std::ranges::find(tensors, "lm_head.weight", &NamedTensors::value_type::first)->second;
    head.data<float>()[random_int(rng_, 0, head.numel() - 1)] += 1;
  });
  EXPECT_THAT(detail_of("tied head", Outcome::failed), HasSubstr("differs from"));
}

TEST_F(Verify, WeightsThatAreNotFinite) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    make(false);
    std::string name;
    change_weights([&](NamedTensors& tensors) {
      auto& [tensor_name, tensor] = tensors[some(tensors)];
      name = tensor_name;
      tensor.data<float>()[random_int(rng_, 0, tensor.numel() - 1)] = value;
    });
    EXPECT_EQ(detail_of("finite weights", Outcome::failed),
              fmt::format("tensors: 1 (\"{}\" holds {})", name,
                          std::isnan(value) ? "1 NaN" : "an infinity"));
  }
}

TEST_F(Verify, WeightsOf16BitsThatAreNotFinite) {
  change_weights([&](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) tensor = tensor.to(Dtype::BF16);
  });
  EXPECT_EQ(check("finite weights").outcome, Outcome::ok);
  change_weights([&](NamedTensors& tensors) {
    Tensor& tensor = tensors[some(tensors)].second;
    Tensor changed = tensor.to(Dtype::F32);
    changed.data<float>()[random_int(rng_, 0, changed.numel() - 1)] = NAN;
    tensor = changed.to(Dtype::BF16);
  });
  EXPECT_THAT(detail_of("finite weights", Outcome::failed), HasSubstr("holds 1 NaN"));
}

TEST_F(Verify, WeightsOfATypeThatIsNone) {
  change_weights([&](NamedTensors& tensors) {
    Tensor& tensor = tensors[some(tensors)].second;
    tensor = Tensor::zeros(tensor.shape(), Dtype::I64);
  });
  EXPECT_THAT(detail_of("finite weights", Outcome::failed),
              HasSubstr("is of type I64, which no weight is"));
}

TEST_F(Verify, TokenizerWithIdsOutsideOfTheVocabulary) {
  const std::int64_t vocabulary = json("config.json")["vocab_size"];
  Json tokenizer = json("tokenizer.json");
  tokenizer["model"]["vocab"]["zz"] = vocabulary;
  write_file(model_ / "tokenizer.json", tokenizer.dump());
  EXPECT_EQ(detail_of("tokenizer", Outcome::failed),
            fmt::format("it has ids up to {} (\"zz\"), the model's vocabulary ends at {}",
                        vocabulary, vocabulary - 1));
}

TEST_F(Verify, TokenizerThatCannotBeRead) {
  write_file(model_ / "tokenizer.json", "{");
  EXPECT_THAT(detail_of("tokenizer", Outcome::failed), HasSubstr("tokenizer.json"));
  fs::remove(model_ / "tokenizer.json");
  EXPECT_THAT(detail_of("tokenizer", Outcome::warning), HasSubstr("there is none"));
}

TEST_F(Verify, SpecialTokensOutsideOfTheVocabulary) {
  for (const char* file : {"config.json", "generation_config.json"}) {
    for (const bool below : {false, true}) {
      make(false);
      const std::int64_t vocabulary = json("config.json")["vocab_size"],
                         id = below ? -1 : vocabulary;
      set(file, "pad_token_id", id);
      EXPECT_EQ(detail_of("special tokens", Outcome::failed),
                fmt::format("{}: pad_token_id {} lies outside of the vocabulary", file, id));
    }
  }
}

TEST_F(Verify, SpecialTokensThatTheTokenizerDoesNotHave) {
  const std::int64_t last = json("config.json")["vocab_size"].get<std::int64_t>() - 1;
  set("config.json", "eos_token_id", {2, last});
  if (last > 264) {
    EXPECT_EQ(detail_of("special tokens", Outcome::failed),
              fmt::format("config.json: eos_token_id {} has no token in the tokenizer", last));
  }
}

// The tokenizer adds it behind the last, as transformers does.
TEST_F(Verify, SpecialTokensThatTheVocabularyLacks) {
  set("tokenizer_config.json", "eos_token", "<end>");
  const bool has_room = json("config.json")["vocab_size"].get<std::int64_t>() > 265;
  const std::string detail = detail_of("tokenizer", has_room ? Outcome::ok : Outcome::failed);
  EXPECT_THAT(detail, HasSubstr(has_room ? "ids up to 265 of" : "ids up to 265 (\"<end>\")"));
}

TEST_F(Verify, ChatTemplatesThatFail) {
  for (const auto& [source, fault] :
       {std::pair("{% for %}", ""),
        {"{{ raise_exception('never') }}", "never"},
        {"{{ messages[0].content.nothing.more }}", "nothing"},
        {"Hello.", "default: what the user says is not in the text"}}) {
    write_file(model_ / "chat_template.jinja", source);
    EXPECT_THAT(detail_of("chat template", Outcome::failed), HasSubstr(fault));
  }
}

TEST_F(Verify, EachChatTemplateIsRendered) {
  fs::create_directory(model_ / "additional_chat_templates");
  const fs::path file = model_ / "additional_chat_templates" / "tool_use.jinja";
  write_file(file, std::string("{{ tools[0].function.name }}") + kPlainTemplate);
  EXPECT_EQ(detail_of("chat template", Outcome::ok), "renders a conversation: default, tool_use");
  write_file(file, "{{ 1 + }}");
  EXPECT_THAT(detail_of("chat template", Outcome::failed), HasSubstr("tool_use"));
  fs::remove_all(model_ / "additional_chat_templates");
  fs::remove(model_ / "chat_template.jinja");
  EXPECT_EQ(detail_of("chat template", Outcome::skipped), "there is none");
}

TEST_F(Verify, GenerationConfig) {
  constexpr const char* kFile = "generation_config.json";
  for (const auto& [key, value] : {std::pair<const char*, Json>("temperature", -0.5),
                                   {"top_p", 0},
                                   {"top_p", 1.5},
                                   {"top_k", -1},
                                   {"repetition_penalty", 0},
                                   {"max_new_tokens", 0}}) {
    make(false);
    set(kFile, key, value);
    EXPECT_THAT(detail_of("generation config", Outcome::failed),
                HasSubstr(fmt::format("{} is {}; expected", key, value.dump())));
  }
  make(false);
  set(kFile, "temperature", 0);
  EXPECT_EQ(check("generation config").outcome, Outcome::ok);
  set(kFile, "do_sample", true);
  EXPECT_THAT(detail_of("generation config", Outcome::failed), HasSubstr("do_sample"));
  set(kFile, "temperature", "warm");
  EXPECT_THAT(detail_of("generation config", Outcome::failed), HasSubstr("\"temperature\""));
  fs::remove(model_ / kFile);
  EXPECT_EQ(check("generation config").outcome, Outcome::skipped);
}

TEST_F(Verify, Checksums) {
  const auto line = [&](const char* name) {
    return fmt::format("{}  {}\n", sha256_file(model_ / name), name);
  };
  const std::string sums = line(kWeights) + line("config.json");
  for (const char* name : {"SHA256SUMS", "checksums.sha256"}) {
    write_file(model_ / name, "# sums\n\n" + sums);
    EXPECT_EQ(detail_of("checksums", Outcome::ok), fmt::format("2 files as {} has them", name));
    fs::remove(model_ / name);
  }
  const fs::path file = model_ / "SHA256SUMS";
  write_file(file, line("config.json"));
  EXPECT_EQ(detail_of("checksums", Outcome::warning), "\"model.safetensors\" has no sum");
  const std::string zeros(64, '0');
  for (const auto& [text, fault] :
       {std::pair(sums + zeros + "  README.md\n", "1 (\"README.md\" has another sum)"),
        {sums + zeros + "  gone\n", "1 (\"gone\" is missing)"},
        {sums + zeros + "  ../out\n", "1 (\"../out\" leads out of the directory)"},
        {sums + zeros + "  /etc/passwd\n", "1 (\"/etc/passwd\" leads out of the directory)"},
        {sums + "1234  x\n",
         "SHA256SUMS, line 3: expected a SHA-256, two spaces, a file's name"}}) {
    write_file(file, text);
    EXPECT_EQ(detail_of("checksums", Outcome::failed), fault);
  }
}

TEST_F(Verify, ChecksumsOfARun) {
  const testing::TinyRun run;
  testing::execute(run.config(run.run_file()), directory_ / "out");
  model_ = directory_ / "out" / "model";
  EXPECT_THAT(detail_of("checksums", Outcome::ok), HasSubstr("the run wrote these files"));
  write_file(model_ / "generation_config.json", "{}");
  EXPECT_EQ(detail_of("checksums", Outcome::failed),
            "generation_config.json is not the file that the run wrote");
}

TEST_F(Verify, Card) {
  for (const auto& [text, detail] :
       {std::pair("# A model\n", "README.md has no front matter (YAML between two lines ---)"),
        {"---\nlicense: mit\n# no end\n",
         "README.md has no front matter (YAML between two lines ---)"},
        {"---\n---\n", "README.md has no front matter (YAML between two lines ---)"},
        {"---\ntags:\n- x\n---\n", "the front matter has no license"},
        {"---\nlicense: \"unknown\"\n---\n", "the front matter's license is unknown"}}) {
    write_file(model_ / "README.md", text);
    EXPECT_EQ(detail_of("card", Outcome::warning), detail);
  }
  write_file(model_ / "README.md", "---\r\nlicense: mit\r\n---\r\n");
  EXPECT_EQ(detail_of("card", Outcome::ok), "front matter with 1 keys");
}

}  // namespace
}  // namespace gladius::train
