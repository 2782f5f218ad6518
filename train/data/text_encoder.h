// Texts and conversations to token ids.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::train {

/// A conversation in the form of a chat template.
struct EncodedChat {
  std::string text;
  std::vector<std::int32_t> ids;
  /// The bytes of `text` that each token stands for; empty where `from_assistant` is.
  std::vector<text::ByteSpan> spans;
  /// For each token whether it belongs to what the assistant wrote; empty where not asked for.
  std::vector<bool> from_assistant;
  /// What the conversation has and the template does not show (ignored_parts).
  std::vector<std::string> ignored;
};

/// A conversation's text in the form of a chat template, and what the tokenizer makes of it.
struct TokenizedChat {
  text::Rendering rendering;
  text::Encoding encoding;
};

/// A tokenizer directory: tokenizer.json and, where there are any, its chat templates. Const
/// methods may be called from several threads.
class TextEncoder {
 public:
  explicit TextEncoder(const std::filesystem::path& directory);

  /// As Tokenizer::encode, with the post-processor's tokens.
  std::vector<std::int32_t> encode(const std::string& text) const;

  /// The conversation in the form of the chat template, which writes its special tokens itself (as
  /// transformers' apply_chat_template). ConfigError if the directory has no template.
  ///
  /// Where the template fails for a content that is null beside calls of tools, it is given "".
  /// Tokens belong to the assistant that hold a byte of assistant_spans(), as in transformers'
  /// assistant masks; finding them takes more time.
  EncodedChat encode_chat(const text::Conversation& conversation, bool find_assistant) const;

  /// The conversation likewise, with the places of its tokens and messages.
  TokenizedChat tokenize_chat(const text::Conversation& conversation) const;

  const text::Tokenizer& tokenizer() const { return token_bytes_.tokenizer(); }
  const text::TokenBytes& token_bytes() const { return token_bytes_; }

 private:
  text::Rendering render(const text::Conversation& conversation) const;
  EncodedChat encode_as_it_is(const text::Conversation& conversation, bool find_assistant) const;
  const text::ChatTemplate& template_for(const text::Conversation& conversation) const;

  text::TokenBytes token_bytes_;
  text::ChatTemplates templates_;
  nlohmann::ordered_json special_tokens_;
  mutable std::mutex parsing_;  // held for parsed_
  mutable std::map<bool, text::ChatTemplate>
      parsed_;  // by whether there are tools, when first needed
};

}  // namespace gladius::train
