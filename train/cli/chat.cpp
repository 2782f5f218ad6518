#include "chat.h"

#include <fmt/format.h>

#include "conversation_files.h"
#include "gladius/models/chat_template/end_of_turn.h"
#include "gladius/tensor/error.h"
#include "support.h"

namespace gladius::cli {
namespace {

ChatTemplate load_template(const std::filesystem::path& model) {
  auto chat_template = ChatTemplate::load(model);
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

}  // namespace

Chat::Chat(const ModelPaths& model, const ChatArguments& arguments, const Common& common)
    : template_(load_template(model.tokenizer)),
      special_tokens_(load_special_tokens(model.tokenizer)),
      common_(common) {
  read(arguments);
}

void Chat::read(const ChatArguments& arguments) {
  if (!arguments.messages.empty()) {
    Conversation conversation = read_messages(arguments.messages);
    messages_ = std::move(conversation.messages);
    tools_ = std::move(conversation.tools);
  }
  if (!arguments.tools.empty()) {
    if (!tools_.is_null()) {
      throw ConfigError(
          fmt::format("--tools: {} has tools as well; give one of them", arguments.messages));
    }
    tools_ = read_tools(arguments.tools);
  }
  if (!arguments.system) return;
  if (!messages_.empty() && messages_[0].value("role", "") == "system") {
    throw ConfigError(fmt::format("--system: {} begins with a system message; give one of them",
                                  arguments.messages));
  }
  messages_.insert(messages_.begin(), make_message("system", *arguments.system));
}

void Chat::add(const char* role, const std::string& text) {
  messages_.push_back(make_message(role, text));
}

std::string Chat::render(const Json& tools) const {
  return render_chat(template_, messages_, /*add_generation_prompt=*/true, special_tokens_, tools);
}

std::vector<std::int64_t> Chat::encode(const Tokenizer& tokenizer) const {
  const std::string text = render(tools_);
  if (!tools_.is_null() && !tools_.empty() && text == render(nullptr)) {
    warn(common_, "the chat template makes nothing of the tools: the model does not see them");
  }
  const auto ids = tokenizer.encode(text, false);  // the template writes the special tokens
  return {ids.begin(), ids.end()};
}

std::vector<std::int64_t> Chat::stop_tokens(const Tokenizer& tokenizer) const {
  return end_of_turn_tokens(template_, special_tokens_, tokenizer);
}

}  // namespace gladius::cli
