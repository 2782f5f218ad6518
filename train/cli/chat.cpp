#include "chat.h"

#include <fmt/format.h>

#include "conversation_files.h"
#include "gladius/models/chat_template/end_of_turn.h"
#include "gladius/tensor/base/error.h"
#include "support.h"

namespace gladius::cli {
namespace {

text::ChatTemplate load_template(const std::filesystem::path& model, bool with_tools) {
  auto chat_template = text::ChatTemplate::load(model, with_tools);
  if (chat_template) return *std::move(chat_template);
  throw ConfigError(fmt::format("{} has no chat template (chat_template.jinja); leave out --chat",
                                model.string()));
}

// Templates take UTF-8 only; a terminal may send anything.
nlohmann::ordered_json make_message(const char* role, const std::string& text) {
  using Json = nlohmann::ordered_json;
  const Json content =
      Json::parse(Json(text).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
  return {{"role", role}, {"content", content}};
}

[[noreturn]] void fail_twice(const char* option, const std::string& file, const char* what) {
  throw ConfigError(fmt::format("{}: {} {}; give one of them", option, file, what));
}

// What is said before the first turn.
text::Conversation first_messages(const ChatArguments& arguments) {
  text::Conversation conversation{.messages = nlohmann::ordered_json::array(), .tools = nullptr};
  if (!arguments.messages.empty()) conversation = read_messages(arguments.messages);
  if (!arguments.tools.empty()) {
    if (has_tools(conversation)) fail_twice("--tools", arguments.messages, "has tools as well");
    conversation.tools = read_tools(arguments.tools);
  }
  if (!arguments.system) return conversation;
  auto& messages = conversation.messages;
  if (!messages.empty() && messages[0].value("role", "") == "system") {
    fail_twice("--system", arguments.messages, "begins with a system message");
  }
  messages.insert(messages.begin(), make_message("system", *arguments.system));
  return conversation;
}

}  // namespace

Chat::Chat(const ModelPaths& model, const text::Tokenizer& tokenizer,
           const ChatArguments& arguments, const Common& common)
    : conversation_(first_messages(arguments)),
      template_(load_template(model.tokenizer, has_tools(conversation_))),
      special_tokens_(tokenizer.special_tokens()),
      common_(common) {}

void Chat::add(const char* role, const std::string& text) {
  conversation_.messages.push_back(make_message(role, text));
}

std::string Chat::render(const Json& tools) const {
  return text::render_chat(template_, conversation_.messages, /*add_generation_prompt=*/true,
                           special_tokens_, tools);
}

std::vector<std::int32_t> Chat::encode(const text::Tokenizer& tokenizer) const {
  const std::string text = render(conversation_.tools);
  if (has_tools(conversation_) && text == render(nullptr)) {
    warn(common_, "the chat template makes nothing of the tools: the model does not see them");
  }
  return tokenizer.encode(text, false);  // the template writes the special tokens
}

std::vector<std::int32_t> Chat::stop_tokens(const text::Tokenizer& tokenizer) const {
  return text::end_of_turn_tokens(template_, special_tokens_, tokenizer);
}

}  // namespace gladius::cli
