#include "gladius/models/generation/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/message_of.h"
#include "support/random_models.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_ids;
using testing::random_model;
using testing::Rng;

using Ids = std::vector<std::int32_t>;

// Without a cache: the whole sequence anew for every token.
Ids slow_generate(const LanguageModel& model, const Ids& prompt, const GenerateOptions& options) {
  Generator generator(options.seed);
  Ids all = prompt;
  const auto V = static_cast<std::size_t>(model.config().vocab_size);
  for (std::int64_t i = 0; i < options.max_new_tokens; ++i) {
    const auto logits =
        model.forward(Tensor::from(all, {1, std::ssize(all)})).value().to_vector<float>();
    all.push_back(sample(std::span(logits).last(V), all, options.sampling, generator));
  }
  return {all.begin() + std::ssize(prompt), all.end()};
}

TEST(Generate, TheCacheChangesNothing) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 6; ++round) {
    const auto model = random_model(rng);
    const Ids prompt = random_ids(rng, model->config().vocab_size, testing::random_int(rng, 1, 8));
    const GenerateOptions options{
        .sampling = {.greedy = round % 2 == 0, .temperature = 0.8, .top_k = 20, .top_p = 0.9},
        .max_new_tokens = 12,
        .eos_token_ids = {},
        .seed = rng()};
    Ids streamed;
    const Ids ids =
        generate(*model, prompt, options, [&](std::int32_t id) { streamed.push_back(id); });
    EXPECT_EQ(ids, streamed);
    EXPECT_EQ(ids, slow_generate(*model, prompt, options));
  }
}

TEST(Generate, ASessionGoesOnFromWhatTextsHaveInCommon) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const auto model = random_model(rng);
  const GenerateOptions options{
      .sampling = {.greedy = true}, .max_new_tokens = 5, .eos_token_ids = {}, .seed = 1};
  GenerationSession session(*model, options);
  Ids text = random_ids(rng, model->config().vocab_size, 3);
  for (int turn = 0; turn < 12; ++turn) {
    SCOPED_TRACE(turn);
    const Ids reply = session.generate(text);
    EXPECT_EQ(reply, slow_generate(*model, text, options));
    text.insert(text.end(), reply.begin(), reply.end());
    // Longer, the same again, or a part of it that goes on in another way.
    text.resize(static_cast<std::size_t>(testing::random_int(rng, 1, std::ssize(text))));
    for (const auto id : random_ids(rng, model->config().vocab_size, 1 + turn % 3)) {
      text.push_back(id);
    }
  }
}

TEST(Generate, EndsAfterAnEndToken) {
  Rng rng(11);
  const auto model = random_model(rng);
  GenerateOptions options{.sampling = {}, .max_new_tokens = 300, .eos_token_ids = {}, .seed = 4};
  const Ids all = generate(*model, {1, 2}, options);  // past the cache's first room
  ASSERT_EQ(all.size(), 300u);
  options.eos_token_ids = {all[5], all[9]};
  const Ids ended = generate(*model, {1, 2}, options);
  const auto first = std::ranges::find_first_of(all, options.eos_token_ids);
  EXPECT_EQ(ended, Ids(all.begin(), first + 1));
  options.max_new_tokens = 0;
  EXPECT_TRUE(generate(*model, {1, 2}, options).empty());
}

TEST(Generate, BadInputIsRefused) {
  Rng rng(12);
  const auto model = random_model(rng);
  EXPECT_THAT(message_of<ShapeError>([&] { generate(*model, {}, {}); }), HasSubstr("no tokens"));
  EXPECT_THAT(message_of<ShapeError>([&] { generate(*model, {-1}, {}); }), HasSubstr("id -1"));
  EXPECT_THAT(message_of<ConfigError>([&] {
                generate(*model, {1}, {.sampling = {}, .max_new_tokens = -1, .eos_token_ids = {}});
              }),
              HasSubstr("max_new_tokens is -1"));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { generate(*model, {1}, {.sampling = {.top_p = 2}, .eos_token_ids = {}}); }),
              HasSubstr("top_p"));
}

}  // namespace
}  // namespace gladius
