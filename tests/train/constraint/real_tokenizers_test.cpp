// Answers in the tokens of real tokenizers, as those decode them.
#include <gtest/gtest.h>

#include <filesystem>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/constraint/grammar_constraint.h"
#include "gladius/train/constraint/schema_grammar.h"
#include "train/constraint/constraint_fixture.h"

namespace gladius::train {
namespace {

using testing::Rng;
using Json = nlohmann::ordered_json;

// A text begins anew with each answer, whatever the prompt.
void expect_decoded_answers_fit(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) {
    GTEST_SKIP() << directory << " is missing, so no answer was written in its tokens";
  }
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const text::TokenBytes tokens(directory);
  const text::Tokenizer& tokenizer = tokens.tokenizer();
  const auto vocabulary = std::make_shared<const TokenVocabulary>(tokens);
  // Qwen's has "</s>" as ordinary text.
  const std::int32_t chat_end = tokenizer.token_to_id("<|im_end|>");
  const std::int32_t end = chat_end >= 0 ? chat_end : tokenizer.token_to_id("</s>");
  for (int round = 0; round < 20; ++round) {
    const Json schema = testing::random_schema(rng, 3);
    std::optional<Grammar> grammar;
    try {
      grammar = grammar_of_schema(schema);
    } catch (const FormatError&) {
      continue;  // nothing fits
    }
    GrammarConstraint constraint(vocabulary, *std::move(grammar), {end});
    const std::int64_t least = constraint.fewest_tokens();
    for (const std::int64_t more : {0, 30}) {
      const auto ids =
          testing::random_answer(rng, constraint, vocabulary->size(), least + more + 1, 8, end);
      ASSERT_TRUE(constraint.is_whole());
      const std::string text = tokenizer.decode(ids);
      Json value;
      ASSERT_NO_THROW(value = parse_json(text)) << text << "\n" << schema;
      ASSERT_EQ(fault_by_schema(schema, value), "") << text << "\n" << schema;
    }
  }
}

TEST(ConstrainedTokens, OfTheDefaultStudent) {
  expect_decoded_answers_fit(std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer");
}
TEST(ConstrainedTokens, OfLlama2) {
  expect_decoded_answers_fit(std::string(GLADIUS_SOURCE_DIR) + "/../shared/data/tokenizers/llama2");
}
TEST(ConstrainedTokens, OfQwen3) {
  expect_decoded_answers_fit(std::string(GLADIUS_SOURCE_DIR) + "/../shared/data/tokenizers/qwen3");
}

}  // namespace
}  // namespace gladius::train
