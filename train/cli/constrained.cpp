#include "constrained.h"

#include <fmt/format.h>

#include <utility>

#include "conversation_files.h"
#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/tensor/base/error.h"
#include "support.h"

namespace gladius::cli {
namespace {

// With the file that is to blame.
train::Grammar read_schema_grammar(const std::string& file) {
  const nlohmann::ordered_json schema = read_json_input(file);
  try {
    return train::grammar_of_schema(schema);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace

void add_constraint_options(CLI::App& command, ConstraintArguments& arguments, CLI::Option* ids) {
  CLI::Option* schema =
      command
          .add_option("--json-schema", arguments.json_schema,
                      "JSON file with a schema that the answer fits: only tokens that lead to such "
                      "JSON are chosen (docs/evaluation.md)")
          ->type_name("FILE")
          ->excludes(ids);
  add_choice<std::optional<ToolChoice>, ToolChoice>(
      command, "--tool-choice", arguments.tool_choice,
      "required: the answer is a call of one of the tools, with arguments that fit its parameters; "
      "auto: free text, unless it begins a call, which then is such a one; without this option the "
      "answer is whatever the model writes")
      ->excludes(ids)
      ->excludes(schema);
}

std::shared_ptr<const train::TokenVocabulary> load_vocabulary(
    const std::filesystem::path& tokenizer) {
  return std::make_shared<const train::TokenVocabulary>(text::TokenBytes(tokenizer));
}

train::CallForm call_form_of(const std::vector<std::int32_t>& prompt,
                             const text::Tokenizer& tokenizer) {
  return train::call_form_of(tokenizer.decode(prompt, /*skip_special_tokens=*/false));
}

ConstrainedAnswers::ConstrainedAnswers(const ConstraintArguments& arguments,
                                       nlohmann::ordered_json tools) {
  if (!arguments.json_schema.empty()) {
    grammar_ = read_schema_grammar(arguments.json_schema);
    return;
  }
  if (tools.is_null() || tools.empty()) {
    throw ConfigError(fmt::format("--tool-choice {}: there are no tools to call (--tools FILE)",
                                  name_of(*arguments.tool_choice)));
  }
  tools_ = std::move(tools);
  optional_ = arguments.tool_choice == ToolChoice::automatic;
  // Tells what is wrong with them; the prompt says how calls are written.
  grammar_ = train::grammar_of_calls(tools_, train::CallForm::plain);
}

TokenConstraint& ConstrainedAnswers::begin(const std::vector<std::int32_t>& prompt,
                                           const text::Tokenizer& tokenizer,
                                           const std::filesystem::path& tokenizer_path,
                                           const std::vector<std::int32_t>& end_tokens,
                                           std::int64_t max_new_tokens) {
  if (optional_) {
    if (optional_call_ == nullptr) {
      optional_call_ = std::make_unique<train::OptionalCallConstraint>(
          load_vocabulary(tokenizer_path), tools_, call_form_of(prompt, tokenizer), end_tokens);
    }
    optional_call_->restart();
    return *optional_call_;
  }
  if (constraint_ == nullptr) {
    if (!tools_.is_null()) {
      grammar_ = train::grammar_of_calls(tools_, call_form_of(prompt, tokenizer));
    }
    constraint_ = std::make_unique<train::GrammarConstraint>(load_vocabulary(tokenizer_path),
                                                             std::move(grammar_), end_tokens);
  }
  constraint_->restart();
  if (constraint_->fewest_tokens() > max_new_tokens) {
    throw ConfigError(fmt::format("--max-new-tokens {}: the shortest answer that fits has {}",
                                  max_new_tokens, constraint_->fewest_tokens()));
  }
  return *constraint_;
}

}  // namespace gladius::cli
