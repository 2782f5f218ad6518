// Models, tokenizers and run files small enough to train in a test.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/random.h"
#include "gladius/train/data/example.h"
#include "gladius/train/run/run_config.h"
#include "support/random.h"
#include "support/temporary_directory.h"

namespace gladius::testing {

using Json = nlohmann::ordered_json;

inline Json tiny_config(std::int64_t vocab_size, std::int64_t hidden_size = 16) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", vocab_size},
          {"hidden_size", hidden_size},
          {"intermediate_size", 2 * hidden_size},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"initializer_range", 0.1}};
}

inline std::unique_ptr<LanguageModel> tiny_model(const Json& config, std::uint64_t seed) {
  auto model = make_language_model(ModelConfig::parse(config, "tiny"));
  Generator generator(seed);
  model->init_weights(generator);
  return model;
}

/// A tokenizer of single letters a .. e and space (as U+2581), bytes for the rest; <s> begins texts
/// unless told otherwise. 265 tokens: <unk> 0, <s> 1, </s> 2, bytes 3 .. 258, space 259, a 260 ...
inline void write_tiny_tokenizer(const std::filesystem::path& directory) {
  Json vocabulary{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte) & 0xffu);
    vocabulary[name] = vocabulary.size();
  }
  for (const char* piece : {"\u2581", "a", "b", "c", "d", "e"}) {
    vocabulary[piece] = vocabulary.size();
  }
  Json added = Json::array();
  for (const char* token : {"<unk>", "<s>", "</s>"}) {
    added.push_back({{"id", added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const Json bos{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const Json a{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json b{{"Sequence", {{"id", "B"}, {"type_id", 0}}}};
  const Json tokenizer{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}},
      {"pre_tokenizer", nullptr},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", Json::array({bos, a})},
        {"pair", Json::array({bos, a, b})},
        {"special_tokens",
         {{"<s>", {{"id", "<s>"}, {"ids", Json::array({1})}, {"tokens", Json::array({"<s>"})}}}}}}},
      {"decoder", {{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", "<unk>"},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"ignore_merges", false},
        {"vocab", vocabulary},
        {"merges", Json::array()}}}};
  std::filesystem::create_directories(directory);
  write_file(directory / "tokenizer.json", tokenizer.dump());
  write_file(directory / "tokenizer_config.json",
             R"({"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "LlamaTokenizer"})");
}

/// Sequences of ids in which each token follows from the one before, so that they can be learned.
inline std::vector<train::Example> learnable_examples(Rng& rng, std::int64_t count,
                                                      std::int64_t low, std::int64_t high,
                                                      std::int64_t vocab_size) {
  std::vector<train::Example> examples;
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> ids{static_cast<std::int32_t>(random_int(rng, 0, vocab_size - 1))};
    const std::int64_t length = random_int(rng, low, high);
    while (static_cast<std::int64_t>(ids.size()) < length) {
      ids.push_back(static_cast<std::int32_t>((ids.back() * 3 + 1) % vocab_size));
    }
    examples.push_back(train::next_token_example(ids, length));
  }
  return examples;
}

inline std::string as_jsonl(const std::vector<train::Example>& examples) {
  std::string lines;
  for (const train::Example& example : examples) {
    lines += Json{{"input_ids", example.ids}, {"labels", example.labels}}.dump() + "\n";
  }
  return lines;
}

/// A directory with a student's config.json, an expert's model directory and data.jsonl.
class TinyRun {
 public:
  static constexpr std::int64_t kVocabulary = 50;

  explicit TinyRun(std::int64_t expert_vocabulary = kVocabulary) {
    write_file(directory / "student.json", tiny_config(kVocabulary).dump());
    save_model(directory / "expert", *tiny_model(tiny_config(expert_vocabulary, 24), 7));
    Rng rng(3);
    write_file(directory / "data.jsonl", as_jsonl(learnable_examples(rng, 10, 3, 9, kVocabulary)));
  }

  /// Without experts; 12 steps of one sequence, an update every 3.
  Json run_file() const {
    return {{"student", {{"config", "student.json"}}},
            {"steps", 12},
            {"data", {{"train", "data.jsonl"}, {"shuffle", true}}},
            {"optimizer", {{"lr", 0.01}, {"schedule", "cosine"}, {"warmup_steps", 1}}},
            {"gradient_accumulation", 3},
            {"checkpoint_every", 4},
            {"log_every", 2}};
  }
  /// On the expert twice, 7 and 6 steps, so that groups end short.
  Json distillation_file() const {
    Json run = run_file();
    run.erase("steps");
    run["experts"] = {{{"name", "one"}, {"model", "expert"}, {"steps", 7}},
                      {{"name", "two"}, {"model", "expert"}, {"steps", 6}}};
    return run;
  }
  train::RunConfig config(const Json& run) const {
    return train::RunConfig::parse(run, (directory / "run.json").string());
  }

  TemporaryDirectory directory;
};

}  // namespace gladius::testing
