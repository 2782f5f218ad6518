// Conversations and tools as JSON from outside: lines of data files, files on the command line.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "gladius/tensor/base/error.h"

namespace gladius::text {

/// What a chat template is given.
struct Conversation {
  nlohmann::ordered_json messages;  // a list of objects with a "role"
  nlohmann::ordered_json tools;     // a list of JSON schemas, or null
};

/// Whether there is a tool.
inline bool has_tools(const Conversation& conversation) {
  return !conversation.tools.is_null() && !conversation.tools.empty();
}

/// A list of messages, {"role": ..., "content": ...}. It, and the "tool_calls" in it, may be given
/// as JSON text, which is parsed. (The "arguments" of a call stay as they are, as in transformers:
/// templates look at whether they are text.) FormatError for what is no such list, and for an empty
/// one.
nlohmann::ordered_json parse_messages(const nlohmann::ordered_json& value);

/// A list of tools, each a JSON schema or OpenAI's {"type": "function", "function": ...}, or null
/// for none. It, and each tool, may be given as JSON text. FormatError for what is no such list.
nlohmann::ordered_json parse_tools(const nlohmann::ordered_json& value);

/// The function that a tool of parse_tools describes, be it bare or in OpenAI's form.
const nlohmann::ordered_json& function_of(const nlohmann::ordered_json& tool);

/// An object with "messages" and perhaps "tools", or the messages alone. FormatError.
Conversation parse_conversation(const nlohmann::ordered_json& value);

/// The conversation with "" for contents that are null or missing beside calls of tools, for
/// templates that cannot do without; nothing if it has no such message.
std::optional<Conversation> with_empty_contents(const Conversation& conversation);

/// f(conversation), and where the template fails for it (FormatError) f of with_empty_contents(),
/// if that has any.
template <class F>
auto with_contents(const Conversation& conversation, F f) {
  try {
    return f(conversation);
  } catch (const FormatError&) {
    const auto filled = with_empty_contents(conversation);
    if (!filled) throw;
    return f(*filled);
  }
}

}  // namespace gladius::text
