// The cases of a suite that can be answered under a constraint, with and without it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/behaviour/suite_evaluation.h"
#include "gladius/train/constraint/grammar_constraint.h"

namespace gladius::cli {

/// Cases that expect a call of their tools, or JSON of a schema, of kinds that an answer can be
/// constrained to.
class ConstrainedSuite {
 public:
  /// `prompts` are those of all cases.
  ConstrainedSuite(const train::Suite& suite, const std::vector<std::vector<std::int32_t>>& prompts,
                   const text::Tokenizer& tokenizer,
                   std::shared_ptr<const train::TokenVocabulary> vocabulary,
                   std::int64_t max_new_tokens);

  /// The places of these cases in the whole suite.
  const std::vector<std::size_t>& places() const { return places_; }
  /// That of the answer to one of these cases.
  std::unique_ptr<TokenConstraint> constraint(std::size_t index,
                                              const std::vector<std::int32_t>& end_tokens) const;
  /// Judges the constrained answers to these cases, and those of them among the free ones.
  void evaluate(const train::SuiteEvaluation& free, std::vector<train::Answer> constrained);

  const train::Suite& suite() const { return suite_; }
  const train::SuiteEvaluation& free() const { return free_; }
  const train::SuiteEvaluation& constrained() const { return constrained_; }
  /// How many cases that expect a call or JSON are left out, by why.
  const std::map<std::string, std::int64_t>& left_out() const { return left_out_; }
  nlohmann::ordered_json to_json(bool each_case) const;

 private:
  std::shared_ptr<const train::TokenVocabulary> vocabulary_;
  train::Suite suite_;  // these cases alone
  std::vector<std::size_t> places_;
  std::vector<train::Grammar> grammars_;
  std::map<std::string, std::int64_t> left_out_;
  train::SuiteEvaluation free_, constrained_;
};

}  // namespace gladius::cli
