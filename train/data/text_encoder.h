// Texts and conversations to token ids.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius {

/// A conversation's tokens and which of them the assistant wrote.
struct EncodedChat {
  std::vector<std::int32_t> ids;
  std::vector<bool> from_assistant;
};

/// A tokenizer directory: tokenizer.json and, where there is one, its chat template.
class TextEncoder {
 public:
  explicit TextEncoder(const std::filesystem::path& directory);

  /// As Tokenizer::encode, with the post-processor's tokens.
  std::vector<std::int32_t> encode(const std::string& text) const;

  /// The conversation in the form of the chat template, which writes its special tokens itself (as
  /// transformers' apply_chat_template). ConfigError if the directory has no template.
  ///
  /// The assistant's tokens are found by rendering what precedes each of its messages, with the
  /// generation prompt, and the conversation up to the message's end: tokens are counted from the
  /// first that differs to the last that is the same in the whole conversation. So it needs no
  /// marks in the template; where a template rewrites an earlier turn (drops its reasoning, say),
  /// only the part that stands in the whole conversation counts.
  EncodedChat encode_chat(const Conversation& conversation) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  std::vector<std::int32_t> render(const nlohmann::ordered_json& messages,
                                   const nlohmann::ordered_json& tools, std::size_t count,
                                   bool generation_prompt) const;

  std::filesystem::path directory_;
  Tokenizer tokenizer_;
  std::optional<ChatTemplate> template_;
  nlohmann::ordered_json special_tokens_;
};

}  // namespace gladius
