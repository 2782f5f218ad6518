#include "constrained_suite.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <variant>

#include "constrained.h"
#include "gladius/tensor/base/error.h"

namespace gladius::cli {
namespace {

// Nothing for a case that expects neither a call nor JSON. FormatError where it has no grammar.
std::optional<train::Grammar> grammar_of_case(const train::Case& one,
                                              const std::vector<std::int32_t>& prompt,
                                              const text::Tokenizer& tokenizer) {
  if (const auto* schema = std::get_if<train::ExpectedSchema>(&one.expected)) {
    return train::grammar_of_schema(schema->schema);
  }
  const std::size_t calls = train::expected_calls(one.expected).size();
  if (calls == 0) return std::nullopt;
  if (calls > 1) throw FormatError("several calls are expected, and a constraint is to one");
  return train::grammar_of_calls(one.conversation.tools, call_form_of(prompt, tokenizer));
}

}  // namespace

ConstrainedSuite::ConstrainedSuite(const train::Suite& suite,
                                   const std::vector<std::vector<std::int32_t>>& prompts,
                                   const text::Tokenizer& tokenizer,
                                   std::shared_ptr<const train::TokenVocabulary> vocabulary,
                                   std::int64_t max_new_tokens)
    : vocabulary_(std::move(vocabulary)) {
  for (std::size_t i = 0; i < suite.cases.size(); ++i) {
    try {
      auto grammar = grammar_of_case(suite.cases[i], prompts[i], tokenizer);
      if (!grammar) continue;
      if (train::GrammarConstraint(vocabulary_, *grammar, {}).fewest_tokens() > max_new_tokens) {
        throw FormatError("the shortest answer has more tokens than --max-new-tokens");
      }
      suite_.cases.push_back(suite.cases[i]);
      places_.push_back(i);
      grammars_.push_back(*std::move(grammar));
    } catch (const FormatError& error) {
      ++left_out_[error.what()];
    }
  }
}

std::unique_ptr<TokenConstraint> ConstrainedSuite::constraint(
    std::size_t index, const std::vector<std::int32_t>& end_tokens) const {
  return std::make_unique<train::GrammarConstraint>(vocabulary_, grammars_.at(index), end_tokens);
}

void ConstrainedSuite::evaluate(const train::SuiteEvaluation& free,
                                std::vector<train::Answer> constrained) {
  std::vector<train::Answer> unbound;
  for (const std::size_t place : places_) unbound.push_back(free.answers[place].answer);
  free_ = train::evaluate_suite(suite_, std::move(unbound));
  constrained_ = train::evaluate_suite(suite_, std::move(constrained));
}

nlohmann::ordered_json ConstrainedSuite::to_json(bool each_case) const {
  return {{"left_out", left_out_},
          {"free", train::to_json(free_, suite_, each_case)},
          {"constrained", train::to_json(constrained_, suite_, each_case)}};
}

}  // namespace gladius::cli
