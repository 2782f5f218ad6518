#include "gladius/train/data/text_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/tensor/error.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<std::int32_t>;

std::size_t common_prefix(const Ids& a, const Ids& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

TextEncoder::TextEncoder(const std::filesystem::path& directory)
    : directory_(directory),
      tokenizer_(Tokenizer::load(directory)),
      template_(ChatTemplate::load(directory)),
      special_tokens_(load_special_tokens(directory)) {}

std::vector<std::int32_t> TextEncoder::encode(const std::string& text) const {
  return tokenizer_.encode(text);
}

EncodedChat TextEncoder::encode_chat(const Conversation& conversation) const {
  const auto& [messages, tools] = conversation;
  if (!template_) {
    throw ConfigError(
        fmt::format("messages need a chat template, and {} has none (chat_template.jinja)",
                    directory_.string()));
  }
  EncodedChat chat{.ids = render(messages, tools, messages.size(), false), .from_assistant = {}};
  chat.from_assistant.resize(chat.ids.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].at("role") != "assistant") continue;
    // Nothing precedes a first message: its header counts too. (Templates need not take an empty
    // conversation.)
    const std::size_t begin =
        i == 0 ? 0 : common_prefix(render(messages, tools, i, true), chat.ids);
    const std::size_t end = common_prefix(render(messages, tools, i + 1, false), chat.ids);
    for (std::size_t t = begin; t < end; ++t) chat.from_assistant[t] = true;
  }
  return chat;
}

Ids TextEncoder::render(const Json& messages, const Json& tools, std::size_t count,
                        bool generation_prompt) const {
  const Json first(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count));
  return tokenizer_.encode(
      render_chat(*template_, first, generation_prompt, special_tokens_, tools),
      /*add_special_tokens=*/false);
}

}  // namespace gladius
