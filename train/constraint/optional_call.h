// Answers that may make calls, but need not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gladius/train/constraint/grammar_constraint.h"
#include "gladius/train/constraint/schema_grammar.h"

namespace gladius::train {

/// The text is free until it begins a call: with `<tool_call>` (CallForm::tagged), behind any text,
/// or with `{` as its first character but white space (CallForm::plain). Then it goes on as a call
/// of one of the tools, whose arguments fit. Behind a tagged call the text is free again; a plain
/// one is the whole answer. A call that would not come to its end within the tokens left is not
/// begun.
class OptionalCallConstraint : public TokenConstraint {
 public:
  /// As GrammarConstraint and grammar_of_calls().
  OptionalCallConstraint(std::shared_ptr<const TokenVocabulary> vocabulary,
                         const nlohmann::ordered_json& tools, CallForm form,
                         std::vector<std::int32_t> end_tokens);

  /// Another text begins.
  void restart();

  bool is_finished(std::int64_t left) override;
  void mask(std::span<float> logits, std::int64_t left) override;
  void advance(std::int32_t id) override;

 private:
  enum class Mode { free, call };

  // The part of the call that text and token make, if they begin one; nothing if not.
  std::optional<std::string> begun_call(std::string_view token) const;
  void find_openers();

  std::shared_ptr<const TokenVocabulary> vocabulary_;
  CallForm form_;
  std::vector<std::int32_t> end_tokens_;
  GrammarConstraint call_;             // behind the tag
  std::vector<std::int32_t> openers_;  // tokens that may begin a call
  Mode mode_ = Mode::free;
  std::string tail_;       // of the free text: what a tag may have begun in
  bool at_start_ = true;   // there is no token
  bool may_begin_ = true;  // of a plain call: there is only white space
};

}  // namespace gladius::train
