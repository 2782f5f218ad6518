// A conversation with a model: what `generate --chat` keeps of it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::cli {

/// What a conversation begins with.
struct ChatArguments {
  std::optional<std::string> system;  // a message
  std::string messages, tools;        // files; "" for none
};

/// What is said so far, in the form of the model's chat template.
class Chat {
 public:
  /// IoError, FormatError; ConfigError for a model without a template, and for arguments that say
  /// something twice.
  Chat(const ModelPaths& model, const text::Tokenizer& tokenizer, const ChatArguments& arguments,
       const Common& common);

  /// As of parse_tools.
  const nlohmann::ordered_json& tools() const { return conversation_.tools; }
  void add(const char* role, const std::string& text);
  /// Up to where the assistant's answer begins.
  std::vector<std::int32_t> encode(const text::Tokenizer& tokenizer) const;
  /// See end_of_turn_tokens.
  std::vector<std::int32_t> stop_tokens(const text::Tokenizer& tokenizer) const;

 private:
  using Json = nlohmann::ordered_json;

  std::string render(const Json& tools) const;

  text::Conversation conversation_;
  text::ChatTemplate template_;
  Json special_tokens_;
  const Common& common_;
};

}  // namespace gladius::cli
