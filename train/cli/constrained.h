// Answers that are constrained: what `generate` and `eval --suite` have in common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/constraint/grammar_constraint.h"
#include "gladius/train/constraint/optional_call.h"
#include "gladius/train/constraint/schema_grammar.h"

namespace gladius::cli {

enum class ToolChoice { automatic, required };

/// What `generate` constrains its answers to.
struct ConstraintArguments {
  std::string json_schema;  // a file; "" for none
  std::optional<ToolChoice> tool_choice;

  bool constrains() const { return !json_schema.empty() || tool_choice.has_value(); }
};

/// `--json-schema` and `--tool-choice`; `ids` is the option that they exclude.
void add_constraint_options(CLI::App& command, ConstraintArguments& arguments, CLI::Option* ids);

/// The tokens of the tokenizer of a model.
std::shared_ptr<const train::TokenVocabulary> load_vocabulary(
    const std::filesystem::path& tokenizer);

/// The form that the prompt tells the model to write calls in.
train::CallForm call_form_of(const std::vector<std::int32_t>& prompt,
                             const text::Tokenizer& tokenizer);

/// The constraint of the answers of a conversation.
class ConstrainedAnswers {
 public:
  /// `tools` as of parse_tools. IoError, FormatError; ConfigError where there are none to choose.
  ConstrainedAnswers(const ConstraintArguments& arguments, nlohmann::ordered_json tools);

  /// For the answer to this prompt. ConfigError where `max_new_tokens` do not suffice for any.
  TokenConstraint& begin(const std::vector<std::int32_t>& prompt, const text::Tokenizer& tokenizer,
                         const std::filesystem::path& tokenizer_path,
                         const std::vector<std::int32_t>& end_tokens, std::int64_t max_new_tokens);
  /// Whether the answer so far fits as a whole, where it has to.
  bool is_whole() const { return constraint_ != nullptr && constraint_->is_whole(); }

 private:
  nlohmann::ordered_json tools_;
  bool optional_ = false;  // a call need not be made
  train::Grammar grammar_;
  std::unique_ptr<train::GrammarConstraint> constraint_;
  std::unique_ptr<train::OptionalCallConstraint> optional_call_;
};

}  // namespace gladius::cli

namespace gladius {

template <>
inline constexpr EnumName<cli::ToolChoice> kEnumNames<cli::ToolChoice>[] = {
    {cli::ToolChoice::automatic, "auto"}, {cli::ToolChoice::required, "required"}};

}  // namespace gladius
