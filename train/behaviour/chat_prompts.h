// Conversations as a model reads them before it answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/behaviour/suite.h"

namespace gladius::train {

/// A tokenizer directory with chat templates. For one thread at a time.
class ChatPrompts {
 public:
  /// `warn` is told once of tools that the template makes nothing of. IoError, FormatError;
  /// ConfigError for a directory without a template.
  ChatPrompts(const std::filesystem::path& directory, text::Tokenizer tokenizer,
              std::function<void(const std::string&)> warn);

  /// The conversation in the form of the template, up to where the assistant's answer begins.
  /// Contents that are null beside calls of tools are "" where the template fails for them. As
  /// ChatTemplate::render.
  std::vector<std::int32_t> encode(const text::Conversation& conversation);
  /// See end_of_turn_tokens.
  std::vector<std::int32_t> stop_tokens();

 private:
  const text::ChatTemplate& template_for(bool with_tools);
  std::string render(const text::Conversation& conversation);

  text::Tokenizer tokenizer_;
  text::ChatTemplates templates_;
  nlohmann::ordered_json special_tokens_;
  std::function<void(const std::string&)> warn_;
  std::map<bool, text::ChatTemplate> parsed_;  // by whether there are tools, when first needed
  bool warned_ = false;
};

/// The prompts of all cases. ConfigError, FormatError naming the case.
std::vector<std::vector<std::int32_t>> encode_cases(const Suite& suite, ChatPrompts& chat);

}  // namespace gladius::train
