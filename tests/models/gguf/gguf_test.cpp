// A GGUF file in a model directory's place.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/generation/generation_config.h"
#include "gladius/models/gguf/model_json.h"
#include "gladius/models/gguf/pre_tokenizers.h"
#include "gladius/models/gguf/tensor_names.h"
#include "gladius/models/gguf/tokenizer_json.h"
#include "gladius/models/gguf_export.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/narrowing.h"
#include "gladius/models/tokenizer/comparison.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/text_file.h"
#include "support/gguf_bytes.h"
#include "support/message_of.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using namespace gladius::testing;
using ::testing::HasSubstr;

class Gguf : public ::testing::Test {
 protected:
  std::filesystem::path write(const GgufBytes& file, const char* name = "model.gguf") const {
    write_text_file(directory_ / name, file.build());
    return directory_ / name;
  }

  TemporaryDirectory directory_;
};

TEST_F(Gguf, IsAModelDirectory) {
  const auto path = write(small_gguf());
  std::vector<std::string> warnings;
  const auto model =
      load_model(path, {.warn = [&](const std::string& w) { warnings.push_back(w); }});
  EXPECT_THAT(warnings, ::testing::IsEmpty());
  const ModelConfig& config = model->config();
  EXPECT_EQ(config.architecture, "LlamaForCausalLM");
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.num_key_value_heads, 1);
  EXPECT_EQ(config.vocab_size, 6);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);  // not the float next to it
  EXPECT_EQ(config.rope.theta, 100000);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(GenerationConfig::load(path, config).eos_token_ids, (std::vector<std::int32_t>{0, 5}));
  for (const auto& [name, tensor] : model->state_dict()) {
    if (name.find("q_proj") == name.npos && name.find("k_proj") == name.npos) {
      EXPECT_TRUE(tensor.storage()->read_only()) << name << " is a view of the file";
    }
  }
  EXPECT_EQ(weight_files(path), (std::vector<std::filesystem::path>{path}));
}

TEST_F(Gguf, RowsOfQueriesAndKeysComeBackInTheirOrder) {
  const auto model = load_model(write(small_gguf()));
  for (const auto& [name, tensor] : model->state_dict()) {
    const bool q = name.find("q_proj") != name.npos;
    if (!q && name.find("k_proj") == name.npos) continue;
    for (std::int64_t row = 0; row < tensor.size(0); ++row) {
      // Of a head's rows 0 1 2 3, the file has 0 2 1 3: pairs are neighbours there.
      const std::int64_t stored = row / 4 * 4 + std::vector<std::int64_t>{0, 2, 1, 3}[row % 4];
      EXPECT_EQ(tensor.select(0, row).to_vector<float>()[0],
                (q ? 2 : 3) + static_cast<float>(stored * 8) / 16)
          << name << " row " << row;
    }
  }
  for (std::int64_t row = 0; row < 24; ++row) {
    EXPECT_EQ(gguf::row_in_gguf(gguf::row_in_hugging_face(row, 8), 8), row);
  }
  // Qwen's are not permuted.
  EXPECT_FALSE(gguf::has_permuted_rows("qwen2", "model.layers.0.self_attn.q_proj.weight"));
}

TEST_F(Gguf, TrainableWeightsAreCopies) {
  const auto path = write(small_gguf());
  const auto frozen = load_model(path)->state_dict();
  const auto model = load_model(path, {.trainable = true});
  const auto trainable = model->state_dict();
  for (std::size_t i = 0; i < frozen.size(); ++i) {
    EXPECT_EQ(trainable[i].second.to_vector<float>(), frozen[i].second.to_vector<float>());
    EXPECT_FALSE(trainable[i].second.storage()->read_only()) << trainable[i].first;
  }
}

TEST_F(Gguf, TokenizerAndTemplate) {
  const auto path = write(small_gguf());
  EXPECT_TRUE(text::has_tokenizer(path));
  const text::Tokenizer tokenizer = text::Tokenizer::load(path);
  EXPECT_EQ(tokenizer.encode("ab1ba<im>"), (std::vector<std::int32_t>{3, 4, 2, 1, 5}));
  EXPECT_EQ(tokenizer.decode({3, 4, 5}), "ab1");
  EXPECT_EQ(tokenizer.special_tokens().at("eos_token"), "<end>");
  const text::ChatTemplates templates = text::ChatTemplates::load(path);
  ASSERT_FALSE(templates.empty());
  GgufBytes without = small_gguf();
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.chat_template"}) without.remove(key);
  const auto other = write(without, "without.gguf");
  EXPECT_FALSE(text::has_tokenizer(other));
  EXPECT_TRUE(text::ChatTemplates::load(other).empty());
}

TEST_F(Gguf, BeginningAndEndOfATextAreAddedAsTheFileSays) {
  GgufBytes file = small_gguf();
  file.set("tokenizer.ggml.add_bos_token", boolean(1));
  file.set("tokenizer.ggml.add_eos_token", boolean(1));
  file.set("tokenizer.ggml.eos_token_id", u32(5));
  const text::Tokenizer tokenizer = text::Tokenizer::load(write(file));
  EXPECT_EQ(tokenizer.encode("ab"), (std::vector<std::int32_t>{0, 3, 5}));
  EXPECT_EQ(tokenizer.encode("ab", false), (std::vector<std::int32_t>{3}));
}

TEST_F(Gguf, SentencePieceMergesByScore) {
  GgufBytes file = small_gguf();
  file.set("tokenizer.ggml.model", gguf_text("llama"));
  file.remove("tokenizer.ggml.merges");
  file.set("tokenizer.ggml.tokens", texts({"<unk>", "a", "b", "ab", "ba", "\u2581"}));
  file.set("tokenizer.ggml.token_type", numbers<std::int32_t>(5, {2, 1, 1, 1, 1, 1}));
  file.set("tokenizer.ggml.unknown_token_id", u32(0));
  file.set("tokenizer.ggml.add_bos_token", boolean(0));
  file.set("tokenizer.ggml.scores", numbers<float>(6, {0, 0, 0, -2, -1, 0}));
  EXPECT_EQ(text::Tokenizer::load(write(file)).encode("aba"), (std::vector<std::int32_t>{5, 1, 4}));
  file.set("tokenizer.ggml.scores", numbers<float>(6, {0, 0, 0, -1, -2, 0}));
  EXPECT_EQ(text::Tokenizer::load(write(file)).encode("aba"), (std::vector<std::int32_t>{5, 3, 1}));
  file.set("tokenizer.ggml.add_space_prefix", boolean(0));
  EXPECT_EQ(text::Tokenizer::load(write(file)).encode("aba"), (std::vector<std::int32_t>{3, 1}));
}

TEST_F(Gguf, TokenizersOfTwoFilesAreCompared) {
  const auto first = write(small_gguf());
  EXPECT_FALSE(text::compare_tokenizers(first, write(small_gguf(), "same.gguf")).difference);
  GgufBytes other = small_gguf();
  other.set("tokenizer.ggml.tokens", texts({"<end>", "a", "b", "ab", "2", "<im>"}));
  EXPECT_TRUE(text::compare_tokenizers(first, write(other, "other.gguf")).difference);
}

TEST_F(Gguf, BecomesADirectory) {
  const auto path = write(small_gguf());
  const auto model = load_model(path);
  save_model(directory_ / "out", *model);
  copy_companions(ModelPaths::of(path), directory_ / "out");
  const auto copy = load_model(directory_ / "out");
  for (std::size_t i = 0; i < model->state_dict().size(); ++i) {
    EXPECT_EQ(copy->state_dict()[i].second.to_vector<float>(),
              model->state_dict()[i].second.to_vector<float>());
  }
  EXPECT_FALSE(text::compare_tokenizers(path, directory_ / "out").difference);
  EXPECT_FALSE(text::ChatTemplates::load(directory_ / "out").empty());
  EXPECT_EQ(GenerationConfig::load(directory_ / "out", copy->config()).eos_token_ids,
            (std::vector<std::int32_t>{0, 5}));
}

TEST_F(Gguf, QuantisedWeightsAreUsedAsTheyAre) {
  GgufBytes file = small_gguf();
  // 64 wide: rows of two blocks of Q8_0, whose scale is 1/16 and whose numbers are -16 to 15.
  file.set("llama.embedding_length", u32(64));
  file.set("llama.attention.key_length", u32(4));
  for (GgufBytes::Tensor& tensor : file.tensors) {
    for (std::int64_t& size : tensor.sizes) size = size == 8 ? 64 : size;
    if (tensor.name == "blk.0.attn_q.weight") tensor.sizes = {64, 8};
    if (tensor.name == "blk.0.attn_output.weight") tensor.sizes = {8, 64};
    const auto kind = tensor.sizes.size() == 1 || tensor.sizes[0] % 32 != 0 ? 0u : 8u;
    tensor = kind == 0 ? f32_tensor(tensor.name, tensor.sizes, 0.5f) : tensor;
    if (kind == 0) continue;
    tensor.type = kind;
    tensor.data.clear();
    for (std::int64_t block = 0; block < tensor.sizes[0] * tensor.sizes[1] / 32; ++block) {
      tensor.data += raw<std::uint16_t>(0x2c00);
      for (int i = -16; i < 16; ++i) tensor.data += static_cast<char>(i + block % 5);
    }
  }
  const auto path = write(file);
  const auto quantised = load_model(path), numbers = load_model(path, {.trainable = true});
  EXPECT_EQ(quantised->head_weight().dtype(), Dtype::Q8_0);
  EXPECT_EQ(numbers->head_weight().dtype(), Dtype::F32);
  for (const std::int64_t length : {2, 12}) {  // few rows, and many
    const Tensor ids = Tensor::ones({1, length}, Dtype::I64);
    const auto got = quantised->forward(ids).value().to_vector<float>();
    const auto expected = numbers->forward(ids).value().to_vector<float>();
    const float largest = std::abs(*std::ranges::max_element(
        expected, [](float a, float b) { return std::abs(a) < std::abs(b); }));
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 1e-5 * largest);
    }
  }
  EXPECT_THAT(message_of<Error>([&] { quantised->set_requires_grad(true); }), HasSubstr("Q8_0"));
}

// Written and read again, each weight is what its type makes of it.
TEST_F(Gguf, WritesRandomModels) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  int run = 0;
  for (const Dtype dtype : {Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0,
                            Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1, Dtype::Q4_K, Dtype::Q6_K}) {
    auto json = random_config_json(rng);
    json["hidden_size"] = block_elements(dtype) == 256 ? 256 : 32 * random_int(rng, 1, 2);
    const auto model = random_model(rng, json);
    const auto path = directory_ / fmt::format("{}.gguf", ++run);
    int warnings = 0;
    save_gguf(path, *model, ModelPaths::of(directory_ / "none"), dtype,
              [&](const std::string&) { ++warnings; });
    const auto copy = load_model(path);
    EXPECT_EQ(copy->config().rope.theta, model->config().rope.theta);
    EXPECT_EQ(copy->config().rms_norm_eps, model->config().rms_norm_eps);
    const auto written = copy->state_dict(), weights = model->state_dict();
    ASSERT_EQ(written.size(), weights.size());
    // One warning for each type in the place of another.
    std::set<Dtype> others;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto& [name, tensor] = weights[i];
      const Dtype stored = written[i].second.dtype();
      ASSERT_EQ(written[i].first, name);
      const bool whole = tensor.size(-1) % block_elements(dtype) == 0;
      if (tensor.dim() == 2 && !whole) others.insert(stored);
      ASSERT_EQ(is_quantized(stored),
                is_quantized(dtype) && tensor.dim() == 2 && tensor.size(-1) % 32 == 0)
          << name;
      ASSERT_TRUE(tensor.dim() == 2 || stored == Dtype::F32) << name;
      ASSERT_EQ(written[i].second.to_vector<float>(), tensor.to(stored).to_vector<float>())
          << name << " as " << dtype_name(stored);
    }
    EXPECT_EQ(warnings, std::ssize(others));
  }
}

TEST_F(Gguf, WritesItsTokenizerAndTemplate) {
  const auto path = write(small_gguf());
  const auto model = load_model(path);
  save_gguf(directory_ / "copy.gguf", *model, ModelPaths::of(path), Dtype::F32);
  const auto copy = directory_ / "copy.gguf";
  EXPECT_FALSE(text::compare_tokenizers(path, copy).difference);
  EXPECT_EQ(text::ChatTemplates::load(copy).texts(), text::ChatTemplates::load(path).texts());
  EXPECT_EQ(GenerationConfig::load(copy, load_model(copy)->config()).eos_token_ids,
            (std::vector<std::int32_t>{0, 5}));
  // The weights are the same bytes.
  const auto before = gguf::File::open(path), after = gguf::File::open(copy);
  for (const auto& tensor : before.header().tensors) {
    const auto* other = after.find_tensor(tensor.name);
    ASSERT_TRUE(other) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(before.bytes(tensor), after.bytes(*other))) << tensor.name;
  }
}

TEST_F(Gguf, DoesNotWriteWhatItHasNoKeysFor) {
  Rng rng(5);
  auto json = random_config_json(rng);
  json["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", 2.0}};
  const auto model = random_model(rng, json);
  const auto path = directory_ / "x.gguf";
  const auto error = [&](Dtype dtype) {
    return message_of<Error>(
        [&] { save_gguf(path, *model, ModelPaths::of(directory_ / "none"), dtype); });
  };
  EXPECT_THAT(error(Dtype::F32), HasSubstr("\"dynamic\""));
  EXPECT_THAT(error(Dtype::Q5_K), HasSubstr("Q5_K is not written"));
  json["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 2.0}, {"beta_fast", 16.0}};
  EXPECT_THAT(message_of<Error>([&] {
                save_gguf(path, *random_model(rng, json), ModelPaths::of(directory_ / "none"),
                          Dtype::F32);
              }),
              HasSubstr("\"beta_fast\""));
  EXPECT_FALSE(std::filesystem::exists(path));
}

// Also where a matrix falls back to F16, and where the numbers are blocks that hold larger ones.
TEST_F(Gguf, WhatATypeCannotHoldIsRefusedByTheTensorsName) {
  Rng rng(6);
  auto json = random_config_json(rng);
  json["hidden_size"] = 24;  // no whole blocks
  json["num_attention_heads"] = 2, json["num_key_value_heads"] = 2, json["head_dim"] = 12;
  const auto model = random_model(rng, json);
  Tensor embedding = model->state_dict().front().second;
  embedding.data<float>()[0] = 70144;
  const auto path = directory_ / "x.gguf";
  for (const Dtype dtype : {Dtype::F16, Dtype::Q8_0}) {
    EXPECT_THAT(message_of<FormatError>(
                    [&] { save_gguf(path, *model, ModelPaths::of(directory_ / "none"), dtype); }),
                AllOf(HasSubstr("embed_tokens"), HasSubstr("infinite as F16")));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  const Tensor blocks = Tensor::full({32}, 127 * 600).to(Dtype::Q8_0);
  EXPECT_THAT(message_of<FormatError>([&] {
                check_narrowing({{"w", blocks}}, Dtype::F16, {});
              }),
              HasSubstr("32 of 32 values"));
}

TEST(GgufNames, ThereAndBack) {
  for (const char* name : {"token_embd.weight", "output.weight", "blk.12.attn_q.bias",
                           "blk.0.ffn_down.weight", "blk.3.attn_k_norm.weight"}) {
    const auto other = gguf::hugging_face_name(name);
    ASSERT_TRUE(other) << name;
    EXPECT_EQ(gguf::gguf_name(*other), name);
  }
  EXPECT_EQ(gguf::hugging_face_name("blk.12.attn_q.bias"), "model.layers.12.self_attn.q_proj.bias");
  for (const char* name :
       {"", "blk", "blk.", "blk.x.attn_q.weight", "blk.1.attn_q", "blk.01.attn_q.weight",
        "blk.1.attn_q.scale", "blk.1.other.weight", "model.norm.weight"}) {
    EXPECT_FALSE(gguf::hugging_face_name(name)) << name;
  }
}

TEST(GgufPreTokenizers, AreFoundByWhatTheyDo) {
  for (const char* name : {"gpt-2", "smollm", "qwen2", "llama-bpe", "default"}) {
    const auto found = gguf::find_pre_tokenizer(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(gguf::name_of_pre_tokenizer(found->normalizer, found->pre_tokenizer), name);
  }
  EXPECT_FALSE(gguf::name_of_pre_tokenizer(nullptr, nullptr));
}

}  // namespace
}  // namespace gladius
