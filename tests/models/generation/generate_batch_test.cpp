#include "gladius/models/generation/generate_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <set>

#include "support/message_of.h"
#include "support/random_models.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_ids;
using testing::random_int;
using testing::random_model;
using testing::Rng;

using Ids = std::vector<std::int32_t>;

// What the whole text says after each of its tokens: [T, V].
Tensor logits_after_each(const LanguageModel& model, const Ids& text) {
  return model.forward(Tensor::from(text, {1, std::ssize(text)})).value().select(0, 0);
}

// How many tokens of the answer are not those that the model alone would choose, with the choices
// before them. A product's rounding depends on its rows, so that the closest choices may differ.
int other_choices(const LanguageModel& model, const Ids& prompt, const Ids& answer,
                  const GenerateOptions& options, std::size_t index) {
  Ids text = prompt;
  text.insert(text.end(), answer.begin(), answer.end());
  const Tensor logits = logits_after_each(model, text);
  Generator generator(options.seed + index);
  int others = 0;
  for (std::int64_t i = std::ssize(prompt); i < std::ssize(text); ++i) {
    const Tensor row = logits.select(0, i - 1);
    const std::span values(row.data<float>(), static_cast<std::size_t>(row.numel()));
    const Ids before(text.begin(), text.begin() + i);
    others +=
        sample(values, before, options.sampling, generator) != text[static_cast<std::size_t>(i)];
  }
  return others;
}

bool ends_rightly(const Ids& answer, const GenerateOptions& options) {
  const auto is_end = [&](std::int32_t id) {
    return std::ranges::count(options.eos_token_ids, id) > 0;
  };
  if (answer.empty()) return options.max_new_tokens == 0;
  const bool ends_before = std::any_of(answer.begin(), answer.end() - 1, is_end);
  return !ends_before && (is_end(answer.back()) || std::ssize(answer) == options.max_new_tokens);
}

// Prompts of which some begin alike.
std::vector<Ids> random_prompts(Rng& rng, std::int64_t vocab_size) {
  std::vector<Ids> prompts;
  for (std::int64_t i = random_int(rng, 1, 20); i > 0; --i) {
    Ids prompt;
    if (!prompts.empty() && random_int(rng, 0, 1) == 1) {
      prompt = prompts.back();
      prompt.resize(static_cast<std::size_t>(random_int(rng, 0, std::ssize(prompt))));
    }
    const std::int64_t length =
        random_int(rng, 0, 5) == 0 ? random_int(rng, 20, 90) : random_int(rng, 1, 12);
    for (const auto id : random_ids(rng, vocab_size, length)) prompt.push_back(id);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

void check_batch(const LanguageModel& model, const std::vector<Ids>& prompts,
                 const GenerateOptions& options, std::int64_t batch_size) {
  std::vector<Ids> told(prompts.size());
  std::multiset<std::size_t> indices;
  const auto answers = generate_batch(model, prompts, options, batch_size,
                                      [&](std::size_t index, const Ids& answer) {
                                        told.at(index) = answer;
                                        indices.insert(index);
                                      });
  EXPECT_EQ(told, answers);
  EXPECT_EQ(indices.size(), prompts.size());
  int others = 0;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_TRUE(ends_rightly(answers.at(i), options));
    others += other_choices(model, prompts[i], answers[i], options, i);
    tokens += answers[i].size();
  }
  EXPECT_LE(others, 1) << "of " << tokens;
}

TEST(GenerateBatch, EachTextIsContinuedAsAlone) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    auto json = testing::random_config_json(rng);
    json["max_position_embeddings"] = 256;
    if (round % 3 == 1 && json["model_type"] != "llama") {
      json.update({{"use_sliding_window", true},
                   {"sliding_window", random_int(rng, 1, 9)},
                   {"max_window_layers", 0}});
    }
    const auto model = random_model(rng, json);
    const std::int64_t V = model->config().vocab_size;
    const GenerateOptions options{
        .sampling = {.greedy = round % 2 == 0, .temperature = 0.8, .top_k = 20, .top_p = 0.9},
        .max_new_tokens = random_int(rng, 1, 60),
        .eos_token_ids = random_ids(rng, V, random_int(rng, 0, 2)),
        .seed = rng()};
    check_batch(*model, random_prompts(rng, V), options, random_int(rng, 1, 9));
  }
}

TEST(GenerateBatch, LongTextsGiveUpWhatEndedTextsHeld) {
  Rng rng(7);
  const auto model = random_model(rng);
  const std::int64_t V = model->config().vocab_size;
  std::vector<Ids> prompts;
  for (int i = 0; i < 40; ++i) prompts.push_back(random_ids(rng, V, 1 + i % 7));
  const GenerateOptions options{
      .sampling = {.temperature = 2}, .max_new_tokens = 150, .eos_token_ids = {1}, .seed = 3};
  check_batch(*model, prompts, options, 3);  // its end passes the first room many times
}

TEST(GenerateBatch, DynamicFrequenciesAreThoseOfEachText) {
  Rng rng(8);
  auto json = testing::random_config_json(rng);
  json["max_position_embeddings"] = 16;
  json["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", 2.0}};
  const auto model = random_model(rng, json);
  const std::int64_t V = model->config().vocab_size;
  const std::vector<Ids> prompts{random_ids(rng, V, 20), random_ids(rng, V, 3)};
  const GenerateOptions options{
      .sampling = {.greedy = true}, .max_new_tokens = 8, .eos_token_ids = {}, .seed = 3};
  const auto answers = generate_batch(*model, prompts, options, 2);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(answers[i], generate(*model, prompts[i], options)) << i;
  }
}

// Only every third token, and so many of them as the prompt's place says.
class EveryThird : public TokenConstraint {
 public:
  explicit EveryThird(std::size_t index) : index_(index) {}
  bool is_finished(std::int64_t) override { return tokens_ == index_ % 5; }
  void mask(std::span<float> logits, std::int64_t) override {
    for (std::size_t id = 0; id < logits.size(); ++id) {
      if (id % 3 != index_ % 3) logits[id] = -std::numeric_limits<float>::infinity();
    }
  }
  void advance(std::int32_t) override { ++tokens_; }

 private:
  std::size_t index_, tokens_ = 0;
};

TEST(GenerateBatch, EachTextHasItsConstraint) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const auto model = random_model(rng, testing::random_config_json(rng));
  const auto prompts = random_prompts(rng, model->config().vocab_size);
  const GenerateOptions options{.sampling = {.greedy = random_int(rng, 0, 1) == 0},
                                .max_new_tokens = random_int(rng, 0, 6),
                                .eos_token_ids = {},
                                .seed = rng()};
  const auto answers =
      generate_batch(*model, prompts, options, random_int(rng, 1, 6), {},
                     [](std::size_t index) { return std::make_unique<EveryThird>(index); });
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(std::ssize(answers[i]),
              std::min(options.max_new_tokens, static_cast<std::int64_t>(i % 5)));
    for (const std::int32_t id : answers[i]) EXPECT_EQ(static_cast<std::size_t>(id) % 3, i % 3);
  }
}

TEST(GenerateBatch, NothingToDo) {
  Rng rng(9);
  const auto model = random_model(rng);
  EXPECT_TRUE(generate_batch(*model, {}, {.sampling = {}, .eos_token_ids = {}}, 4).empty());
  const GenerateOptions none{.sampling = {}, .max_new_tokens = 0, .eos_token_ids = {}};
  EXPECT_EQ(generate_batch(*model, {{1}, {2, 3}}, none, 4), (std::vector<Ids>{{}, {}}));
}

TEST(GenerateBatch, BadInputIsRefused) {
  Rng rng(10);
  const auto model = random_model(rng);
  const GenerateOptions options{.sampling = {}, .eos_token_ids = {}};
  EXPECT_THAT(message_of<ShapeError>([&] {
                generate_batch(*model, {{1}, {}}, options, 2);
              }),
              HasSubstr("prompt 1 has no tokens"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                generate_batch(*model, {{1}, {-1}}, options, 2);
              }),
              HasSubstr("id -1"));
  EXPECT_THAT(message_of<ConfigError>([&] { generate_batch(*model, {{1}}, options, 0); }),
              HasSubstr("batch_size is 0"));
  EXPECT_THAT(message_of<ConfigError>([&] {
                generate_batch(*model, {{1}}, {.sampling = {.top_p = 2}, .eos_token_ids = {}}, 1);
              }),
              HasSubstr("top_p"));
}

}  // namespace
}  // namespace gladius
