#include "gladius/train/constraint/optional_call.h"

#include <gtest/gtest.h>

#include <random>

#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/json_schema.h"
#include "train/constraint/constraint_fixture.h"

namespace gladius::train {
namespace {

using testing::Json;
using testing::kEndToken;
using testing::Rng;

const Json& call_tools() {
  static const Json kTools = Json::parse(R"([
    {"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}},
    {"name": "g"}])");
  return kTools;
}

// What a model writes that likes these tokens, and among them the ones that come sooner.
std::string random_text(Rng& rng, OptionalCallConstraint& constraint,
                        const TokenVocabulary& vocabulary, std::int64_t most,
                        const std::vector<std::int32_t>& liked) {
  constraint.restart();
  std::vector<std::int32_t> ids;
  std::vector<float> logits(static_cast<std::size_t>(vocabulary.size()));
  Generator generator(rng());
  for (std::int64_t left = most; left > 0 && !constraint.is_finished(left); --left) {
    std::ranges::fill(logits, 0.0F);
    for (int i = 0; i < 40; ++i) {
      const auto id = testing::random_int(rng, 0, vocabulary.size() - 1);
      logits[static_cast<std::size_t>(id)] += 6;
    }
    for (const std::int32_t id : liked) {
      if (testing::chance(rng, 40)) logits[static_cast<std::size_t>(id)] += 9;
    }
    constraint.mask(logits, left);
    const std::int32_t id = sample(logits, ids, {.greedy = true}, generator);
    EXPECT_NE(logits[static_cast<std::size_t>(id)], -std::numeric_limits<float>::infinity());
    constraint.advance(id);
    ids.push_back(id);
    if (id == kEndToken) break;
  }
  return testing::text_of(vocabulary, ids);
}

void expect_fitting(const Call& call) {
  if (call.name == "g") {
    EXPECT_TRUE(call.arguments.empty());
    return;
  }
  EXPECT_EQ(call.name, "f");
  Json schema = call_tools()[0]["parameters"];
  schema["additionalProperties"] = false;
  EXPECT_EQ(fault_by_schema(schema, call.arguments), "");
}

std::vector<std::int32_t> tokens_named(const TokenVocabulary& vocabulary,
                                       const std::vector<std::string>& texts) {
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    if (std::ranges::count(texts, vocabulary.bytes(id, false)) > 0) ids.push_back(id);
  }
  return ids;
}

// Each call that is begun is whole and fits, however few tokens there are.
TEST(OptionalCall, TaggedCallsFitAndTextIsFree) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const auto vocabulary = testing::toy_vocabulary(rng, testing::chance(rng, 50));
  const auto liked =
      tokens_named(*vocabulary, {"<tool_call>", "<", "tool_call", ">", "</tool_call>"});
  OptionalCallConstraint constraint(vocabulary, call_tools(), CallForm::tagged, {kEndToken});
  int called = 0, free = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string text =
        random_text(rng, constraint, *vocabulary, testing::random_int(rng, 1, 90), liked);
    SCOPED_TRACE(text);
    std::size_t tags = 0;
    for (std::size_t at = text.find("<tool_call>"); at != text.npos;
         at = text.find("<tool_call>", at + 1)) {
      ++tags;
    }
    const std::vector<Call> calls = tags == 0 ? std::vector<Call>() : read_calls(text);
    EXPECT_EQ(calls.size(), tags);
    for (const Call& call : calls) expect_fitting(call);
    ++(tags > 0 ? called : free);
  }
  EXPECT_GT(called, 0);
  EXPECT_GT(free, 0);
}

TEST(OptionalCall, APlainCallIsTheWholeAnswer) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const auto vocabulary = testing::toy_vocabulary(rng, testing::chance(rng, 50));
  const auto liked = tokens_named(*vocabulary, {"{", "{\"", " ", "\n", "a"});
  OptionalCallConstraint constraint(vocabulary, call_tools(), CallForm::plain, {kEndToken});
  int called = 0, free = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string text =
        random_text(rng, constraint, *vocabulary, testing::random_int(rng, 1, 90), liked);
    SCOPED_TRACE(text);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool begins = first != text.npos && text[first] == '{';
    ++(begins ? called : free);
    if (!begins) continue;
    const std::vector<Call> calls = read_calls(text);
    ASSERT_EQ(calls.size(), 1U);
    expect_fitting(calls.front());
  }
  EXPECT_GT(called, 0);
  EXPECT_GT(free, 0);
}

}  // namespace
}  // namespace gladius::train
