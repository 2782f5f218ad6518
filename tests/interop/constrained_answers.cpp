// Answers of random logits under a constraint, for the comparison with the package jsonschema: JSON
// lines with schemas from standard input to JSON lines {"text"}, or {"refused"} with the reason.
#include <iostream>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/constraint/schema_grammar.h"
#include "train/constraint/constraint_fixture.h"

namespace {

using gladius::testing::Json;
using gladius::train::TokenVocabulary;

Json answer(const Json& schema, const gladius::text::TokenBytes& tokens,
            const std::shared_ptr<const TokenVocabulary>& vocabulary, gladius::testing::Rng& rng) {
  try {
    const std::int32_t end = tokens.tokenizer().token_to_id("</s>");
    gladius::train::GrammarConstraint constraint(vocabulary,
                                                 gladius::train::grammar_of_schema(schema), {end});
    const auto most = constraint.fewest_tokens() + 1 + static_cast<std::int64_t>(rng() % 60);
    const auto ids =
        gladius::testing::random_answer(rng, constraint, vocabulary->size(), most, 8, end);
    return {{"text", tokens.tokenizer().decode(ids)}};
  } catch (const gladius::Error& error) {
    return {{"refused", error.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: constrained_answers TOKENIZER SEED\n";
    return 2;
  }
  const gladius::text::TokenBytes tokens(argv[1]);
  const auto vocabulary = std::make_shared<const TokenVocabulary>(tokens);
  gladius::testing::Rng rng(std::stoull(argv[2]));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(Json::parse(line), tokens, vocabulary, rng).dump() << '\n';
  }
  return 0;
}
