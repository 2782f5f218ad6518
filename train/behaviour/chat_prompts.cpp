#include "gladius/train/behaviour/chat_prompts.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/models/chat_template/end_of_turn.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::train {

ChatPrompts::ChatPrompts(const std::filesystem::path& directory, text::Tokenizer tokenizer,
                         std::function<void(const std::string&)> warn)
    : tokenizer_(std::move(tokenizer)),
      templates_(text::ChatTemplates::load(directory)),
      special_tokens_(tokenizer_.special_tokens()),
      warn_(std::move(warn)) {
  if (!templates_.empty()) return;
  throw ConfigError(
      fmt::format("{} has no chat template (chat_template.jinja), in the form of which messages "
                  "are given to the model",
                  directory.string()));
}

const text::ChatTemplate& ChatPrompts::template_for(bool with_tools) {
  const auto known = parsed_.find(with_tools);
  if (known != parsed_.end()) return known->second;
  return parsed_.emplace(with_tools, templates_.choose(with_tools)).first->second;
}

std::string ChatPrompts::render(const text::Conversation& conversation) {
  const text::ChatTemplate& chat_template = template_for(has_tools(conversation));
  const auto with = [&](const nlohmann::ordered_json& tools) {
    return text::render_chat(chat_template, conversation.messages, /*add_generation_prompt=*/true,
                             special_tokens_, tools);
  };
  std::string text = with(conversation.tools);
  if (!warned_ && has_tools(conversation) && text == with(nullptr)) {
    warned_ = true;
    warn_("the chat template makes nothing of the tools: the model does not see them");
  }
  return text;
}

std::vector<std::int32_t> ChatPrompts::encode(const text::Conversation& conversation) {
  return text::with_contents(conversation, [this](const text::Conversation& chat) {
    return tokenizer_.encode(render(chat), /*add_special_tokens=*/false);
  });
}

std::vector<std::int32_t> ChatPrompts::stop_tokens() {
  return text::end_of_turn_tokens(template_for(/*with_tools=*/false), special_tokens_, tokenizer_);
}

std::vector<std::vector<std::int32_t>> encode_cases(const Suite& suite, ChatPrompts& chat) {
  std::vector<std::vector<std::int32_t>> prompts;
  for (const Case& one : suite.cases) {
    const auto place = [&](const Error& error) {
      return fmt::format("case {}: {}", in_quotes(one.id), error.what());
    };
    try {
      prompts.push_back(chat.encode(one.conversation));
    } catch (const ConfigError& error) {
      throw ConfigError(place(error));
    } catch (const FormatError& error) {
      throw FormatError(place(error));
    }
  }
  return prompts;
}

}  // namespace gladius::train
