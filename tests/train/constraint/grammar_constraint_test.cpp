// Random answers of random schemas fit them; masks are what each token's bytes say.
#include "gladius/train/constraint/grammar_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/constraint/schema_grammar.h"
#include "support/message_of.h"
#include "train/constraint/constraint_fixture.h"

namespace gladius::train {
namespace {

using testing::chance;
using ::testing::HasSubstr;
using testing::kEndToken;
using testing::message_of;
using testing::random_int;
using testing::Rng;
using Json = nlohmann::ordered_json;

using Vocabulary = std::shared_ptr<const TokenVocabulary>;

Rng seeded(std::uint64_t& seed) {
  seed = std::random_device{}();
  return Rng(seed);
}

// Nothing where no answer can be written that fits.
std::optional<Grammar> grammar_if_any(const Json& schema) {
  try {
    return grammar_of_schema(schema);
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no answer that can be written fits")) << schema;
    return std::nullopt;
  }
}

void expect_fits(const std::string& text, const Json& schema) {
  EXPECT_GT(utf8::find_invalid(text), text.size() - 1) << text;
  Json value;
  ASSERT_NO_THROW(value = parse_json(text)) << text << "\n" << schema;
  EXPECT_EQ(fault_by_schema(schema, value), "") << text << "\n" << schema;
}

TEST(GrammarConstraint, AThousandRandomSchemas) {
  std::uint64_t seed = 0;
  Rng rng = seeded(seed);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const Vocabulary vocabularies[] = {testing::toy_vocabulary(rng, true),
                                     testing::toy_vocabulary(rng, false)};
  int schemas = 0, without = 0;
  while (schemas < 1000) {
    const Json schema = testing::random_schema(rng, 3);
    auto grammar = grammar_if_any(schema);
    if (!grammar) {
      ++without;
      ASSERT_LT(without, 500);
      continue;
    }
    const Vocabulary& vocabulary = vocabularies[schemas++ % 2];
    GrammarConstraint constraint(vocabulary, *std::move(grammar), {kEndToken});
    const std::int64_t least = constraint.fewest_tokens();
    for (const float peak : {0.0F, 8.0F}) {
      for (const std::int64_t more : {std::int64_t{0}, random_int(rng, 1, 10), std::int64_t{150}}) {
        const std::int64_t most = std::max<std::int64_t>(1, least + more);
        const auto ids = testing::random_answer(rng, constraint, vocabulary->size(), most, peak);
        EXPECT_TRUE(constraint.is_whole()) << schema;
        expect_fits(testing::text_of(*vocabulary, ids), schema);
        if (HasFatalFailure() || HasNonfatalFailure()) return;
      }
    }
  }
}

// A character that only the constant goes on with does not stand for all of them.
TEST(GrammarConstraint, AStringBesideAConstantEndsInTime) {
  std::uint64_t seed = 0;
  Rng rng = seeded(seed);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const Vocabulary vocabulary = testing::toy_vocabulary(rng, true);
  for (const char* text : {R"({"anyOf": [{"type": "string", "minLength": 12}, {"const": "a"}]})",
                           R"({"anyOf": [{"type": "string", "minLength": 12},
                                         {"type": "string", "pattern": "^a?$"}]})"}) {
    const Json schema = Json::parse(text);
    GrammarConstraint constraint(vocabulary, grammar_of_schema(schema), {kEndToken});
    for (int i = 0; i < 100; ++i) {
      const auto most = random_int(rng, 3, 15);
      const auto ids = testing::random_answer(rng, constraint, vocabulary->size(), most, 8);
      expect_fits(testing::text_of(*vocabulary, ids), schema);
    }
  }
}

// Each token by its bytes, from the state that the text has.
std::vector<bool> slow_mask(Automaton& automaton, const TokenVocabulary& vocabulary,
                            const std::string& text) {
  auto state = automaton.start();
  for (const char byte : text) state = automaton.step(state, static_cast<unsigned char>(byte));
  std::vector<bool> allowed;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& bytes = vocabulary.bytes(id, text.empty());
    auto next = state;
    for (const char byte : bytes) {
      if (next != Automaton::kDead) next = automaton.step(next, static_cast<unsigned char>(byte));
    }
    allowed.push_back(!bytes.empty() && next != Automaton::kDead);
  }
  allowed[kEndToken] = automaton.accepts(state);
  return allowed;
}

TEST(GrammarConstraint, AMaskIsWhatTheBytesOfEachTokenSay) {
  std::uint64_t seed = 0;
  Rng rng = seeded(seed);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  for (int round = 0; round < 150; ++round) {
    // A long string as well, in which masks are made of parts.
    const Json schema = round % 5 == 0
                            ? Json{{"type", "string"}, {"minLength", 3}, {"maxLength", 30}}
                            : testing::random_schema(rng, 2);
    const auto grammar = grammar_if_any(schema);
    if (!grammar) continue;
    const Vocabulary vocabulary = testing::toy_vocabulary(rng, round % 2 == 0);
    GrammarConstraint constraint(vocabulary, *grammar, {kEndToken});
    Automaton automaton(std::make_shared<const Grammar>(*grammar));
    std::string text;
    bool first = true;
    for (int step = 0; step < 30; ++step) {
      constexpr std::int64_t kMany = 1 << 20;
      std::vector<float> logits(static_cast<std::size_t>(vocabulary->size() + 3), 1.0F);
      constraint.mask(logits, kMany);
      const std::vector<bool> slow = slow_mask(automaton, *vocabulary, text);
      std::vector<std::int32_t> possible;
      for (std::size_t id = 0; id < logits.size(); ++id) {
        const bool allowed = id < slow.size() && slow[id];
        ASSERT_EQ(logits[id] == 1.0F, allowed) << schema << "\n" << text << "\n" << id;
        if (allowed && id != kEndToken) possible.push_back(static_cast<std::int32_t>(id));
      }
      ASSERT_EQ(constraint.is_finished(kMany), possible.empty());
      if (possible.empty()) break;
      const auto id =
          possible[static_cast<std::size_t>(random_int(rng, 0, std::ssize(possible) - 1))];
      constraint.advance(id);
      text += vocabulary->bytes(id, first);
      first = false;
    }
  }
}

TEST(GrammarConstraint, FromEveryStateAnEndIsAsFarAsItSays) {
  std::uint64_t seed = 0;
  Rng rng = seeded(seed);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  for (int round = 0; round < 200; ++round) {
    const Json schema = testing::random_schema(rng, 3);
    const auto grammar = grammar_if_any(schema);
    if (!grammar) continue;
    Automaton automaton(std::make_shared<const Grammar>(*grammar));
    auto state = automaton.start();
    for (int step = 0; step < 100; ++step) {
      std::vector<Automaton::State> next;
      std::int64_t nearest = kNever;
      for (int byte = 0; byte < 256; ++byte) {
        const auto after = automaton.step(state, static_cast<unsigned char>(byte));
        if (after == Automaton::kDead) continue;
        next.push_back(after);
        nearest = std::min(nearest, automaton.fewest_bytes(after));
      }
      if (!automaton.accepts(state)) {
        ASSERT_EQ(automaton.fewest_bytes(state), nearest + 1) << schema;
      }
      if (next.empty()) break;
      if (chance(rng, 5)) {
        const auto bytes = automaton.fewest_bytes(state);
        state = automaton.forget_others(state);
        ASSERT_EQ(automaton.fewest_bytes(state), bytes);
        continue;
      }
      state = next[static_cast<std::size_t>(random_int(rng, 0, std::ssize(next) - 1))];
    }
  }
}

// Of a tool's call, which read_calls has to read, there is a test beside the tools.
TEST(GrammarConstraint, TooFewTokensAreRefused) {
  Rng rng(1);
  const Vocabulary vocabulary = testing::toy_vocabulary(rng, false);
  GrammarConstraint constraint(vocabulary, grammar_of_schema(Json::parse(R"({"const": "zzzzzz"})")),
                               {kEndToken});
  EXPECT_EQ(constraint.fewest_tokens(), 8);
  EXPECT_THAT(
      message_of([&] { constraint.is_finished(7); }),
      HasSubstr("7 tokens may be generated; the shortest answer that fits the schema has 8"));
  EXPECT_FALSE(constraint.is_finished(8));
}

TEST(GrammarConstraint, AVocabularyWithoutTheTokensIsRefused) {
  const std::vector<std::string> tokens{"", "{", "}", "\"", "a"};
  const auto vocabulary = std::make_shared<const TokenVocabulary>(tokens, tokens);
  EXPECT_THAT(
      message_of([&] {
        GrammarConstraint(vocabulary, grammar_of_schema({{"type", "boolean"}}), {kEndToken});
      }),
      HasSubstr("the vocabulary has no tokens to write an answer"));
  // Enough for this one, though most bytes have no token: it is written without dead ends.
  GrammarConstraint constraint(vocabulary, grammar_of_schema({{"type", "string"}}), {kEndToken});
  Rng rng(2);
  for (int i = 0; i < 20; ++i) {
    const auto ids = testing::random_answer(rng, constraint, vocabulary->size(), 9, 1);
    EXPECT_TRUE(constraint.is_whole());
  }
}

}  // namespace
}  // namespace gladius::train
