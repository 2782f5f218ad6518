#include "gladius/train/data/text_encoder.h"

#include <utility>

#include "gladius/models/chat_template/ignored_parts.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/assistant_spans.h"

namespace gladius::train {
namespace {

// Both in order.
std::vector<bool> overlapping(const std::vector<text::ByteSpan>& tokens,
                              const std::vector<text::ByteSpan>& spans) {
  std::vector<bool> out(tokens.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    while (next < spans.size() && tokens[i].begin >= spans[next].end) ++next;
    out[i] = next < spans.size() && tokens[i].end > spans[next].begin;
  }
  return out;
}

}  // namespace

TextEncoder::TextEncoder(const std::filesystem::path& directory)
    : token_bytes_(directory),
      templates_(text::ChatTemplates::load(directory)),
      special_tokens_(tokenizer().special_tokens()) {}

std::vector<std::int32_t> TextEncoder::encode(const std::string& text) const {
  return tokenizer().encode(text);
}

EncodedChat TextEncoder::encode_chat(const text::Conversation& conversation,
                                     bool find_assistant) const {
  return text::with_contents(conversation, [&](const text::Conversation& chat) {
    return encode_as_it_is(chat, find_assistant);
  });
}

TokenizedChat TextEncoder::tokenize_chat(const text::Conversation& conversation) const {
  return text::with_contents(conversation, [this](const text::Conversation& chat) {
    text::Rendering rendering = render(chat);
    text::Encoding encoding = tokenizer().encode_with_spans(rendering.text, false);
    return TokenizedChat{std::move(rendering), std::move(encoding)};
  });
}

text::Rendering TextEncoder::render(const text::Conversation& conversation) const {
  return text::render_chat_with_origins(template_for(conversation), conversation.messages, false,
                                        special_tokens_, conversation.tools);
}

EncodedChat TextEncoder::encode_as_it_is(const text::Conversation& conversation,
                                         bool find_assistant) const {
  const text::ChatTemplate& chat_template = template_for(conversation);
  text::Rendering rendering = render(conversation);
  EncodedChat chat;
  chat.ignored = text::ignored_parts(chat_template, conversation, special_tokens_, rendering);
  if (find_assistant) {
    text::Encoding encoding = tokenizer().encode_with_spans(rendering.text, false);
    chat.from_assistant = overlapping(
        encoding.spans,
        assistant_spans({chat_template, special_tokens_, tokenizer()}, conversation, rendering));
    chat.ids = std::move(encoding.ids);
    chat.spans = std::move(encoding.spans);
  } else {
    chat.ids = tokenizer().encode(rendering.text, /*add_special_tokens=*/false);
  }
  chat.text = std::move(rendering.text);
  return chat;
}

const text::ChatTemplate& TextEncoder::template_for(const text::Conversation& conversation) const {
  const bool with_tools = !conversation.tools.is_null();
  const std::lock_guard lock(parsing_);
  const auto known = parsed_.find(with_tools);
  if (known != parsed_.end()) return known->second;
  return parsed_.emplace(with_tools, templates_.choose(with_tools)).first->second;
}

}  // namespace gladius::train
