#include "gladius/models/chat_template/conversation.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

// Exports to tables of text keep lists and objects as JSON text.
Json parsed(const std::string& what, const Json& value) {
  if (!value.is_string()) return value;
  try {
    return parse_json(value.get_ref<const std::string&>());
  } catch (const FormatError& error) {
    throw FormatError(
        fmt::format("{} is the text {}, which is {}", what, shown(value), error.what()));
  }
}

// The value as a list of objects of one kind.
Json list_of_objects(const std::string& key, const char* kind, const char* expected,
                     const Json& value) {
  const std::string name = fmt::format("\"{}\"", key);
  const Json list = parsed(name, value);
  if (!list.is_array()) {
    throw FormatError(fmt::format("{} is not a list of {}s, it is {}", name, kind, shown(list)));
  }
  Json out = Json::array();
  for (const Json& item : list) {
    Json object = parsed(fmt::format("an element of {}", name), item);
    if (!object.is_object()) {
      throw FormatError(fmt::format("{} holds {}, which is not a {}; expected {}", name,
                                    shown(object), kind, expected));
    }
    out.push_back(std::move(object));
  }
  return out;
}

}  // namespace

Json parse_messages(const Json& value) {
  constexpr const char* kExpected = "{\"role\": ..., \"content\": ...}";
  Json messages = list_of_objects("messages", "message", kExpected, value);
  if (messages.empty()) throw FormatError("\"messages\" is not a list of messages, it is empty");
  for (Json& message : messages) {
    const auto role = message.find("role");
    if (role == message.end() || !role->is_string()) {
      throw FormatError(fmt::format("{} is not a message; expected {}", shown(message), kExpected));
    }
    const auto calls = message.find("tool_calls");
    if (calls == message.end() || calls->is_null()) continue;
    *calls = list_of_objects("tool_calls", "call", "{\"name\": ..., \"arguments\": ...}", *calls);
  }
  return messages;
}

Json parse_tools(const Json& value) {
  const Json list = parsed("\"tools\"", value);
  if (list.is_null()) return nullptr;
  return list_of_objects("tools", "tool", "a JSON schema, {\"name\": ..., \"parameters\": ...}",
                         list);
}

const Json& function_of(const Json& tool) {
  const auto function = tool.find("function");
  return function != tool.end() && function->is_object() ? *function : tool;
}

Conversation parse_conversation(const Json& value) {
  if (!value.is_object()) return {parse_messages(value), nullptr};
  if (!value.contains("messages")) throw FormatError("the object has no \"messages\"");
  return {parse_messages(value.at("messages")), parse_tools(value.value("tools", Json()))};
}

std::optional<Conversation> with_empty_contents(const Conversation& conversation) {
  Conversation out = conversation;
  bool found = false;
  for (Json& message : out.messages) {
    const bool calls = !message.value("tool_calls", Json()).is_null();
    if (!calls || !message.value("content", Json()).is_null()) continue;
    message["content"] = "";
    found = true;
  }
  return found ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace gladius::text
